"""The tables, as numbered SQL files that are each applied once."""

from __future__ import annotations

import re
from importlib.resources import files
from typing import TYPE_CHECKING, Final

from clickhouse_connect.driver.exceptions import Error as ClickHouseError

from tracium.exceptions import StoreError

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

    from tracium.server.location import Directory, Server

_PACKAGE: Final = files("tracium.server")
_STATEMENT_END: Final = re.compile(r";\s*$", re.MULTILINE)
_VERSION_TABLE: Final = """
CREATE TABLE IF NOT EXISTS tracium_schema (Version UInt32, AppliedAt DateTime('UTC') DEFAULT now())
ENGINE = MergeTree ORDER BY Version SETTINGS fsync_after_insert = 1, fsync_part_directory = 1
"""


def migrate(client: Client, location: Directory | Server, *, create: bool) -> None:
    """Bring the store's tables to this release's version.

    Args:
        client: a connection that may write.
        location: the store, for the errors.
        create: whether to make the tables of a store that has none.

    Raises:
        StoreError: there are no tables, or they are of a newer release, or were not made by tracium.
    """
    try:
        current = version(client)
        wanted = _migrations()
        _refuse_newer(current, max(wanted), location)
        if current == 0:
            _refuse_foreign_tables(client, location)
            _refuse_empty(location, create=create)
            client.command(_VERSION_TABLE)
        for number in sorted(wanted.keys() - set(range(current + 1))):
            _apply(client, number, wanted[number])
    except ClickHouseError as error:
        raise StoreError(f"the tables of the store in {location} cannot be prepared: {error}") from error


def version(client: Client) -> int:
    """The version of the store's tables; 0 for a store without any."""
    if not _exists(client, "tracium_schema"):
        return 0
    return int(client.query("SELECT max(Version) FROM tracium_schema").result_rows[0][0])


def _migrations() -> dict[int, str]:
    """Every numbered SQL file of this release, by its number."""
    scripts = (_PACKAGE / "migrations").iterdir()
    return {int(one.name[:4]): one.read_text(encoding="utf-8") for one in scripts if one.name.endswith(".sql")}


def _apply(client: Client, number: int, script: str) -> None:
    for statement in filter(None, map(str.strip, _STATEMENT_END.split(script))):
        client.command(statement)
    client.command("INSERT INTO tracium_schema (Version) SELECT {number:UInt32}", parameters={"number": number})


def _refuse_newer(current: int, known: int, location: Directory | Server) -> None:
    if current > known:
        raise StoreError(
            f"the store in {location} has schema version {current}, made by a newer tracium; this one knows {known}. "
            "Upgrade with: pip install --upgrade tracium"
        )


def _refuse_foreign_tables(client: Client, location: Directory | Server) -> None:
    if _exists(client, "otel_traces"):
        raise StoreError(
            f"the store in {location} already has a table otel_traces that tracium did not make. Name an empty "
            "database in --dsn, and set create_schema: false in the Collector's ClickHouse exporter that writes there."
        )


def _refuse_empty(location: Directory | Server, *, create: bool) -> None:
    if not create:
        raise StoreError(f"the store in {location} is empty: nothing was ever received there. Start `tracium serve`.")


def _exists(client: Client, table: str) -> bool:
    return bool(client.query("EXISTS TABLE {table:Identifier}", parameters={"table": table}).result_rows[0][0])
