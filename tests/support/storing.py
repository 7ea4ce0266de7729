"""`tracium store` as users run it, and looks behind the wall of a store."""

from __future__ import annotations

import json
import subprocess
import sys


def run_store(*arguments, data, check=True, given=None, dsn=None):
    """Run `tracium store …`; answer what it prints, or with `check=False` how it ended."""
    where = ("--data", str(data)) if dsn is None else ("--dsn", dsn)
    done = subprocess.run(
        [sys.executable, "-m", "tracium", "store", *map(str, arguments), *where],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        input=given,
    )
    if not check:
        return done
    assert done.returncode == 0, done.stderr
    return done.stdout


def everything(data):
    """Of a store that nobody has open, every table's row count and checksum, all hidden rows too."""
    done = subprocess.run(
        [sys.executable, "-c", _EVERYTHING, str(data)],
        capture_output=True,
        text=True,
        timeout=60,
        cwd=data,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


_EVERYTHING = """
import json, sys
from pathlib import Path
from tracium.server.location import Directory
from tracium.server.store import Store

with Store(Directory(Path(sys.argv[1]))) as store:
    names = store.maintenance.rows(
        "SELECT name FROM system.tables WHERE database = currentDatabase() AND engine LIKE '%MergeTree' ORDER BY name")
    tables = {}
    for name in (row["name"] for row in names):
        columns = store.maintenance.rows(
            "SELECT name FROM system.columns WHERE database = currentDatabase() AND table = {table:String}", {"table": name})
        row = ", ".join(f"toString(`{column['name']}`)" for column in columns if column["name"] not in {"Traces", "Latency"})
        final = "FINAL" if name.endswith(("_15m", "otel_traces", "_calls")) else ""
        (found,) = store.maintenance.rows(f"SELECT count() AS n, sum(cityHash64({row})) AS sum FROM {name} {final}")
        tables[name] = [found["n"], found["sum"]]
    print(json.dumps(tables))
"""
