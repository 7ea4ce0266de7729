"""`tracium store init`: the tables of a ClickHouse server or cluster, before anything writes there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import click

from tracium.cli.serve import chosen_location, store_options
from tracium.exceptions import StoreError
from tracium.server.extra import server_extra
from tracium.server.location import Server

if TYPE_CHECKING:
    from collections.abc import Sequence


@click.command("init")
@store_options
@click.option(
    "--cluster", metavar="NAME", help="Spread over the shards of this cluster, replicated; needs tracium[local]."
)
@click.option(
    "--reader",
    "readers",
    metavar="TENANT",
    multiple=True,
    help="Also make a role that sees only this tenant, with a quota; may be repeated.",
)
@click.option(
    "--print", "only_print", is_flag=True, help="Print the statements of --cluster and --reader, and run none."
)
@click.pass_context
def command(
    context: click.Context, /, *, cluster: str | None, readers: tuple[str, ...], only_print: bool, **_: Any
) -> None:
    """Make tracium's tables in the ClickHouse of --dsn, for the Collector to write into.

    `tracium serve --dsn` makes them too, on one server. A database that has them is brought to this release.
    """
    server = chosen_location(context)
    if not isinstance(server, Server):
        raise StoreError(
            f"{server} is a directory, which `tracium serve` prepares by itself. Name a ClickHouse server with "
            "--dsn clickhouse://USER:PASSWORD@HOST:8123/DATABASE"
        )
    database = urlsplit(server.dsn).path.strip("/") or "default"
    with server_extra(context.command_path):
        statements = _statements(database, cluster, readers)
        if only_print:
            click.echo("".join(f"{statement};\n" for statement in statements), nl=False)
            return
        _run(server, statements, whole=cluster is None)
    click.echo(f"The tables of {server} are ready.")


def _statements(database: str, cluster: str | None, readers: tuple[str, ...]) -> list[str]:
    from tracium.server.cluster import cluster_statements  # noqa: PLC0415 - needs the extra
    from tracium.server.readers import reader_statements  # noqa: PLC0415

    made = cluster_statements(database, cluster) if cluster else []
    return made + (reader_statements(database, readers, cluster) if readers else [])


def _run(server: Server, statements: Sequence[str], *, whole: bool) -> None:
    from tracium.server.initialize import initialize  # noqa: PLC0415 - needs the extra

    initialize(server, statements, migrate=whole)
