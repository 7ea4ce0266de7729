"""How a command proves that it runs on the server's machine: it can read the data directory."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tracium.server.location import Directory


@dataclass(frozen=True, slots=True)
class OperatorKey:
    """What a running server leaves beside its lock for the commands of the same user."""

    # Sent like a token. A new one with every start of the server.
    token: str
    # The server's certificate in PEM, so that a command knows it whatever name it was made for; None without TLS.
    certificate: str | None = None


@contextlib.contextmanager
def offered(directory: Directory, certificate: str | None = None) -> Iterator[OperatorKey]:
    """Leave a new key in `directory`, for its owner's eyes only, while the block runs.

    Args:
        directory: the data directory, whose lock the caller holds.
        certificate: the server's certificate in PEM.

    Raises:
        OSError: it cannot be written.
    """
    key = OperatorKey(f"tracium_operator_{secrets.token_hex(32)}", certificate)
    # What a server that was killed left behind may be open to somebody: a new file is not.
    directory.operator_key.unlink(missing_ok=True)
    written = os.open(directory.operator_key, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(written, "w", encoding="utf-8") as file:
        json.dump({"token": key.token, "certificate": certificate}, file)
    try:
        yield key
    finally:
        directory.operator_key.unlink(missing_ok=True)


def found(directory: Directory) -> OperatorKey | None:
    """The key of the server that has `directory` open; None if there is none, or it is not ours to read."""
    try:
        value = json.loads(directory.operator_key.read_text(encoding="utf-8"))
        return OperatorKey(str(value["token"]), value["certificate"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
