"""A ClickHouse server made ready."""

from __future__ import annotations

from typing import TYPE_CHECKING

from clickhouse_connect.driver.exceptions import Error as ClickHouseError

from tracium.exceptions import StoreError
from tracium.server import schema
from tracium.server.engine import connect

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tracium.server.location import Directory, Server


def initialize(location: Directory | Server, statements: Sequence[str], *, migrate: bool) -> None:
    """Make the tables of this release, and run further statements.

    Args:
        location: the store.
        statements: what to run, in order.
        migrate: whether the tables are those of one server; a cluster's are among the statements.

    Raises:
        StoreError: the server does not answer, or refuses; or a cluster's database is in use already.
    """
    engine = connect(location)
    try:
        if migrate:
            schema.migrate(engine.write, location, create=True)
        elif schema.version(engine.write):
            raise StoreError(
                f"{location} has tables of tracium already. A cluster's are made once, in a database without them; what a "
                "newer release changes is in its notes."
            )
        for statement in statements:
            engine.write.command(statement)
    except ClickHouseError as error:
        raise StoreError(f"{location} could not be made ready: {error}") from error
    finally:
        engine.close()
