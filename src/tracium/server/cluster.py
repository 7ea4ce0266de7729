"""The same tables on a ClickHouse cluster: replicated, spread over its shards, and asked under the same names."""

from __future__ import annotations

import re
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

from tracium.exceptions import StoreError
from tracium.server import schema
from tracium.server.engine import connect
from tracium.server.keeping.held import HELD
from tracium.server.location import Directory

if TYPE_CHECKING:
    from collections.abc import Iterator

    from clickhouse_connect.driver.client import Client

# What holds telemetry is spread over the shards; everything else is whole on each node.
_SPREAD: Final = frozenset(table.name for table in HELD)
# A trace is whole on its shard, and so is a span that is sent twice; the rest is spread evenly.
_SHARDING: Final = {
    "otel_traces": "cityHash64(TraceId)",
    "tracium_errors": "cityHash64(TraceId)",
    "otel_logs": "cityHash64(TraceId)",
    "tracium_calls": "TraceKey",
}
_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,99}")
_ENGINE: Final = re.compile(r"ENGINE = (\w*MergeTree)(?:\((.*?)\))?(?= )")
_MENTION: Final = re.compile(r"\bdefault\.(\w+)")
_HEAD: Final = re.compile(r"CREATE (TABLE|MATERIALIZED VIEW) (\S+)")
_TABLES: Final = "SELECT name, engine, create_table_query FROM system.tables WHERE database = 'default' ORDER BY name"


def cluster_statements(database: str, cluster: str) -> list[str]:
    """What makes the tables of this release in an empty database of a cluster, in order.

    The embedded engine makes them first, in a directory that is thrown away, so that they are what one server has.

    Args:
        database: the database; it is made where there is none.
        cluster: a name in the server's `remote_servers`; `{shard}` and `{replica}` are macros of each node.

    Raises:
        StoreError: a name that is none, or the embedded engine is not installed.
    """
    for what, name in (("database", database), ("cluster", cluster)):
        if not _NAME.fullmatch(name):
            raise StoreError(
                f"{name!r} is no name of a {what} that can be used here: letters, digits, _ and - may be in it."
            )
    with tempfile.TemporaryDirectory(prefix="tracium-") as directory:
        location = Directory(Path(directory))
        engine = connect(location)
        try:
            schema.migrate(engine.write, location, create=True)
            return list(_Cluster(database, cluster).statements(engine.write))
        finally:
            engine.close()


class _Cluster:
    def __init__(self, database: str, cluster: str) -> None:
        self._database = database
        self._cluster = cluster

    def statements(self, client: Client) -> Iterator[str]:
        found = {name: (engine, made) for name, engine, made in client.query(_TABLES).result_rows}
        yield f"CREATE DATABASE IF NOT EXISTS {self._quoted(self._database)} ON CLUSTER {self._quoted(self._cluster)}"
        for name, (engine, made) in found.items():
            if engine != "MaterializedView":
                yield self._table(name, made)
        for name in sorted(_SPREAD):
            yield self._spread(name)
        for engine, made in found.values():
            if engine == "MaterializedView":
                yield self._view(made)
        versions = ", ".join(f"({number})" for number in range(1, schema.version(client) + 1))
        yield f"INSERT INTO {self._qualified('tracium_schema')} (Version) VALUES {versions}"  # noqa: S608 - our own numbers

    def _table(self, name: str, made: str) -> str:
        # One path for a shard's replicas, or for all nodes.
        shard, replica = ("{shard}", "{replica}") if name in _SPREAD else ("all", "{shard}-{replica}")
        path = f"'/clickhouse/tables/{shard}/{self._database}/{name}', '{replica}'"
        made = _ENGINE.sub(
            lambda engine: f"ENGINE = Replicated{engine[1]}({', '.join(filter(None, (path, engine[2])))})",
            made,
            count=1,
        )
        made = made.replace("non_replicated_deduplication_window", "replicated_deduplication_window")
        return self._headed(made, self._local(name))

    def _spread(self, name: str) -> str:
        sharding = _SHARDING.get(name, "rand()")
        engine = f"Distributed('{self._cluster}', '{self._database}', '{name}_local', {sharding})"
        return self._headed(
            f"CREATE TABLE default.{name} AS {self._qualified(self._local(name))} ENGINE = {engine}", name
        )

    def _view(self, made: str) -> str:
        # What our receiver takes is spread from where it came in; what is computed from rows stays beside them.
        arrives = re.search(r"FROM \(?.*\bdefault\.otlp_\w+", made, re.DOTALL) is not None
        head = _HEAD.match(made)
        name = head[2].removeprefix("default.") if head else ""
        return self._headed(made, name, spread=arrives)

    def _headed(self, made: str, name: str, *, spread: bool = False) -> str:
        head = _HEAD.match(made)
        kind = head[1] if head else "TABLE"
        body = made[head.end() :] if head else made
        body = _MENTION.sub(lambda one: self._qualified(one[1] if spread else self._local(one[1])), body)
        return f"CREATE {kind} IF NOT EXISTS {self._qualified(name)} ON CLUSTER {self._quoted(self._cluster)}{body}"

    def _local(self, name: str) -> str:
        return f"{name}_local" if name in _SPREAD else name

    def _qualified(self, name: str) -> str:
        return f"{self._quoted(self._database)}.{self._quoted(name)}"

    @staticmethod
    def _quoted(name: str) -> str:
        return f"`{name}`"
