"""`tracium serve`: receive OTLP on this machine and keep it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, ParamSpec, TypeVar

import click
from click.core import ParameterSource

from tracium.cli.protection import chosen_protection, protection_options
from tracium.server.extra import server_extra
from tracium.server.location import default_directory, locate

if TYPE_CHECKING:
    from collections.abc import Callable

    from tracium.server.location import Directory, Server

# https://opentelemetry.io/docs/specs/otlp/#otlpgrpc-default-port
_GRPC_PORT: Final = 4317

_P = ParamSpec("_P")
_R = TypeVar("_R")


def store_options(function: Callable[_P, _R]) -> Callable[_P, _R]:
    """Give a command ``--data`` and ``--dsn``; `chosen_location` reads them."""
    data = click.option(
        "--data",
        envvar="TRACIUM_DATA",
        type=click.Path(file_okay=False),
        metavar="DIR",
        help=f"Directory of the local store.  [default: {default_directory()}]",
    )
    dsn = click.option(
        "--dsn",
        envvar="TRACIUM_DSN",
        metavar="DSN",
        help="A ClickHouse server in the place of --data: clickhouse://USER:PASSWORD@HOST:8123/DATABASE",
    )
    return data(dsn(function))


def chosen_location(context: click.Context) -> Directory | Server:
    """The store that ``--data`` and ``--dsn`` name; one on the command line goes before one in the environment."""
    given = {name: context.params[name] for name in ("data", "dsn")}
    typed = {name for name in given if context.get_parameter_source(name) is ParameterSource.COMMANDLINE}
    if typed:
        given = {name: value if name in typed else None for name, value in given.items()}
    return locate(**given)


@click.command("serve")
@store_options
@click.option("--host", envvar="TRACIUM_HOST", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option(
    "--port",
    envvar="TRACIUM_PORT",
    type=click.IntRange(0, 65535),
    default=4318,
    show_default=True,
    help="Port to listen on; 0 takes any free one.",
)
@click.option(
    "--grpc-port",
    envvar="TRACIUM_GRPC_PORT",
    type=click.IntRange(0, 65535),
    help="Port to listen on for gRPC; 0 takes any free one.  [default: 4317, or any free one with --port 0]",
)
@click.option("--no-grpc", is_flag=True, envvar="TRACIUM_NO_GRPC", help="Do not listen for gRPC.")
@click.option(
    "--allow-host",
    "names",
    envvar="TRACIUM_ALLOW_HOST",
    multiple=True,
    metavar="NAME",
    help="A name to answer to besides --host and localhost; may be repeated.",
)
@click.option(
    "--prices",
    envvar="TRACIUM_PRICES",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Prices of your own, in TOML; they are kept in the store.",
)
@protection_options
@click.pass_context
def command(  # noqa: PLR0913 - one for each option
    context: click.Context,
    /,
    *,
    host: str,
    port: int,
    grpc_port: int | None,
    no_grpc: bool,
    names: tuple[str, ...],
    prices: Path | None,
    **_: Any,
) -> None:
    """Receive OTLP over HTTP and gRPC on this machine and keep it in the local store.

    An exporter gets its answer when the data is safely on disk. Ends on Ctrl-C and SIGTERM.
    """
    location = chosen_location(context)
    protection = chosen_protection(context)
    with server_extra("tracium serve"):
        from tracium.server.prices.overrides import read_file  # noqa: PLC0415 - only needed with --prices
        from tracium.server.process import Address, serve  # noqa: PLC0415 - needs the extra
    serve(
        location,
        Address(host, port, names, protection, None if no_grpc else _grpc_port(port, grpc_port)),
        lambda url, grpc_url: _say_ready(url, grpc_url, location),
        overrides=None if prices is None else read_file(prices),
    )


def _grpc_port(port: int, grpc_port: int | None) -> int:
    if grpc_port is not None:
        return grpc_port
    # Whoever takes any port for one wants no fixed one for the other.
    return _GRPC_PORT if port else 0


def _say_ready(url: str, grpc_url: str | None, location: Directory | Server) -> None:
    grpc = "" if grpc_url is None else f" gRPC on {grpc_url},"
    click.echo(f"tracium serve: listening on {url},{grpc} data in {location}")
