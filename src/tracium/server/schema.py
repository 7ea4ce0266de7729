"""The tables, as numbered SQL files that are each applied once.

Where a file was interrupted, the next start applies it again from its beginning: each statement in it changes nothing
where it has already been done.
"""

from __future__ import annotations

import contextlib
import os
import platform
import re
import time
from datetime import UTC, datetime
from importlib.resources import files
from typing import TYPE_CHECKING, Final

from clickhouse_connect.driver.exceptions import DatabaseError
from clickhouse_connect.driver.exceptions import Error as ClickHouseError

from tracium.exceptions import StoreError
from tracium.server.location import Directory, Server
from tracium.server.scope import literal

if TYPE_CHECKING:
    from collections.abc import Iterator

    from clickhouse_connect.driver.client import Client

_PACKAGE: Final = files("tracium.server")
_STATEMENT_END: Final = re.compile(r";\s*$", re.MULTILINE)
# https://github.com/ClickHouse/ClickHouse/blob/master/src/Common/ErrorCodes.cpp
_TABLE_EXISTS: Final = 57
_PATIENCE_SECONDS: Final = 60
_VERSION_TABLE: Final = """
CREATE TABLE IF NOT EXISTS tracium_schema (Version UInt32, AppliedAt DateTime('UTC') DEFAULT now())
ENGINE = MergeTree ORDER BY Version SETTINGS fsync_after_insert = 1, fsync_part_directory = 1
"""


def migrate(client: Client, location: Directory | Server, *, create: bool, limit: int | None = None) -> None:
    """Bring the store's tables to this release's version.

    Args:
        client: a connection that may write.
        location: the store, for the errors.
        create: whether to make the tables of a store that has none.
        limit: the version to stop at; None for the last one.

    Raises:
        StoreError: there are no tables, or they are of a newer release, or were not made by tracium, or another process
            prepares them.
    """
    try:
        if not _exists(client, "tracium_schema"):
            _refuse_foreign_tables(client, location)
            _refuse_empty(location, create=create)
            client.command(_VERSION_TABLE)
        current, wanted = version(client), _migrations()
        _refuse_newer(current, max(wanted), location)
        missing = [number for number in sorted(wanted) if current < number <= (limit or number)]
        if missing:
            with _one_at_a_time(client, location):
                # Another process may have been here in the meantime.
                current = version(client)
                for number in missing:
                    if number > current:
                        _apply(client, number, wanted[number])
    except ClickHouseError as error:
        raise StoreError(f"the tables of the store in {location} cannot be prepared: {error}") from error


def version(client: Client) -> int:
    """The version of the store's tables; 0 for a store without any."""
    if not _exists(client, "tracium_schema"):
        return 0
    return int(client.query("SELECT max(Version) FROM tracium_schema").result_rows[0][0])


def statements() -> list[str]:
    """Every statement of every migration, in order."""
    scripts = _migrations()
    return [statement for number in sorted(scripts) for statement in _split(scripts[number])]


def _migrations() -> dict[int, str]:
    """Every numbered SQL file of this release, by its number."""
    scripts = (_PACKAGE / "migrations").iterdir()
    return {int(one.name[:4]): one.read_text(encoding="utf-8") for one in scripts if one.name.endswith(".sql")}


def _apply(client: Client, number: int, script: str) -> None:
    for statement in _split(script):
        client.command(statement)
    client.command("INSERT INTO tracium_schema (Version) SELECT {number:UInt32}", parameters={"number": number})


def _split(script: str) -> list[str]:
    return list(filter(None, map(str.strip, _STATEMENT_END.split(script))))


@contextlib.contextmanager
def _one_at_a_time(client: Client, location: Directory | Server) -> Iterator[None]:
    """Keep other processes from preparing the same server; a directory has one process."""
    if isinstance(location, Directory):
        yield
        return
    # To make a table is the one thing that a server without Keeper lets only one of many do.
    who = literal(f"process {os.getpid()} of {platform.node()} since {datetime.now(UTC):%Y-%m-%d %H:%M} UTC")
    made = f"CREATE TABLE tracium_migrating (At DateTime('UTC')) ENGINE = Memory COMMENT {who}"
    for wait in (*[1] * _PATIENCE_SECONDS, 0):
        try:
            client.command(made)
            break
        except DatabaseError as error:
            if error.code != _TABLE_EXISTS:
                raise
            if not wait:
                raise _somebody_else(client, location) from error
            time.sleep(wait)
    try:
        yield
    finally:
        client.command("DROP TABLE tracium_migrating")


def _somebody_else(client: Client, location: Directory | Server) -> StoreError:
    sql = "SELECT comment FROM system.tables WHERE database = currentDatabase() AND name = 'tracium_migrating'"
    who = next(iter(client.query(sql).result_rows), ("another process",))[0]
    return StoreError(
        f"the tables of the store in {location} are being prepared by {who}. Start again when it is ready; "
        "if it is gone for good, first run on the ClickHouse server: DROP TABLE tracium_migrating"
    )


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
