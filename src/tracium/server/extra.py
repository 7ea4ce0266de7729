"""The sentences that a missing package is answered with."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Final

from tracium.exceptions import MissingExtraError, StoreError

if TYPE_CHECKING:
    from collections.abc import Iterator

_SERVER_PACKAGES: Final = frozenset(
    {"clickhouse_connect", "genai_prices", "grpc", "httptools", "jinja2", "rich", "starlette", "uvicorn"}
)


@contextlib.contextmanager
def server_extra(command: str) -> Iterator[None]:
    """Run what imports the packages of the extra ``server``; where one is missing, name the install command.

    Args:
        command: the command line that needs them, such as ``tracium serve``.

    Raises:
        MissingExtraError: one of them is not installed.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        if package not in _SERVER_PACKAGES:
            raise
        raise MissingExtraError(
            f"`{command}` needs the package {package}, which is not installed. "
            'Install it with: pip install "tracium[local]"',
            name=package,
        ) from error


def missing_engine() -> StoreError:
    """Say what to do where the embedded engine is not installed, or has no build for the platform."""
    return StoreError(
        "the embedded store needs the package chdb, which is not installed. "
        'Install it with: pip install "tracium[local]" (Linux and macOS), or use a ClickHouse server: '
        'pip install "tracium[server]" and --dsn clickhouse://USER:PASSWORD@HOST:8123/DATABASE'
    )
