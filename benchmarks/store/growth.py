"""How answers slow down as the store grows: the same questions of a store of 1, 10 and 100 million spans in 30 days.

    python benchmarks/store/growth.py [--spans 1000000 10000000 100000000] [--data DIR]

The first million is sent; the others are copies of it with trace ids of their own, a little later, which the engine
makes by itself: computed columns, indices and roll-ups come about as they do for what is sent. A directory that has
spans already is filled up only.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlencode

import generator
from ingest import DAY_NS, Backend, send
from questions import COMPARED, PER_REQUEST, medians

DAYS = 29
_FIRST = 1_000_000


def grow(data: Path, spans: int) -> None:
    """Fill a directory up to a number of spans."""
    from tracium.server.location import Directory
    from tracium.server.store import Store

    backend = Backend(data)
    try:
        since = urlencode({"from": (datetime.now(UTC) - timedelta(days=DAYS + 1)).isoformat(), "limit": 1})
        if not backend.get(f"/api/v1/traces?{since}")["rows"]:
            now = time.time_ns()
            bodies = generator.Generator(1, now - DAYS * DAY_NS, now - DAY_NS // 24).requests(_FIRST, PER_REQUEST)
            send(backend.url, bodies, connections=50)
    finally:
        backend.stop()
    with Store(Directory(data)) as store:
        engine = store.maintenance
        there = engine.rows("SELECT count() AS spans FROM otel_traces")[0]["spans"]
        if there >= spans:
            return
        columns = [row["name"] for row in engine.rows(_COLUMNS)]
        names = ", ".join(f"`{name}`" for name in columns)
        engine.run("DROP TABLE IF EXISTS a_million")
        engine.run(
            f"CREATE TABLE a_million ENGINE = MergeTree ORDER BY EndTime AS SELECT {names} FROM otel_traces "
            f"WHERE sipHash64(TraceId) % {max(there // _FIRST, 1)} = 0"
        )
        for copy in range(there // _FIRST, spans // _FIRST):
            started = time.perf_counter()
            engine.run(_copy(columns, copy))
            print(
                f"{(copy + 1) * _FIRST:>12,} spans, {time.perf_counter() - started:.0f} s for the last million",
                flush=True,
            )
        engine.run("DROP TABLE a_million")


_COLUMNS = (
    "SELECT name FROM system.columns WHERE database = currentDatabase() AND table = 'otel_traces' "
    "AND default_kind != 'MATERIALIZED' ORDER BY position"
)


def _copy(columns: list[str], copy: int) -> str:
    """An INSERT of a million spans once more, as other traces."""
    changed = {
        "TraceId": f"lower(hex(sipHash128(TraceId, {copy})))",
        "Timestamp": f"addSeconds(Timestamp, {copy})",
        "EndTime": f"addSeconds(EndTime, {copy})",
    }
    values = ", ".join(changed.get(name, f"`{name}`") for name in columns)
    return (
        f"INSERT INTO otel_traces ({', '.join(f'`{name}`' for name in columns)}) SELECT {values} FROM a_million "
        "SETTINGS max_threads = 2, max_insert_threads = 2, max_partitions_per_insert_block = 0, optimize_on_insert = 0"
    )


def questions(backend: Backend) -> dict[str, str]:
    """By name, what is asked of a day and of all that there is."""
    end = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    tenant, some = generator.tenant_name(5), [("tenant", generator.tenant_name(number)) for number in COMPARED]
    asked = {}
    for name, days in (("a day", 1), (f"{DAYS + 1} days", DAYS + 1)):
        span = {"from": (end - timedelta(days=days)).isoformat(), "to": end.isoformat()}
        asked |= {
            f"tenants, {name}": f"tenants?{urlencode(span)}",
            f"compare six tenants, {name}": f"compare?{urlencode([*span.items(), *some])}",
            f"overview, {name}": f"overview?{urlencode(span)}",
            f"traces of a tenant, {name}": f"traces?{urlencode({**span, 'tenant': tenant})}",
            f"traces, {name}": f"traces?{urlencode(span)}",
            f"errors of a tenant, {name}": f"errors?{urlencode({**span, 'tenant': tenant})}",
        }
    listed = backend.get(f"/api/v1/{asked['traces of a tenant, a day']}")
    asked["one trace"] = f"traces/{listed['rows'][0]['trace_id']}"
    return {name: f"/api/v1/{path}" for name, path in asked.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--spans", type=int, nargs="+", default=[_FIRST, 10 * _FIRST, 100 * _FIRST])
    parser.add_argument("--data", type=Path)
    arguments = parser.parse_args()
    columns: dict[str, dict[str, float]] = {}
    with tempfile.TemporaryDirectory() as scratch:
        data = arguments.data or Path(scratch)
        for spans in sorted(arguments.spans):
            grow(data, spans)
            backend = Backend(data)
            try:
                time.sleep(10)
                print(
                    f"{spans:,} spans: ready after {backend.seconds_to_start:.2f} s, idle {backend.resident_mb():.0f} MB resident",
                    flush=True,
                )
                columns[f"{spans:,}"] = medians(backend, questions(backend))
            finally:
                backend.stop()
    print(f"{'milliseconds (warm median)':34}" + "".join(f"{name:>14}" for name in columns))
    for question in next(iter(columns.values())):
        print(f"{question:34}" + "".join(f"{column[question][0]:>14.0f}" for column in columns.values()))


if __name__ == "__main__":
    main()
