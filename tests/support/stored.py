"""What a data directory holds, asked by a process of its own: the engine allows one a process."""

from __future__ import annotations

import json
import subprocess
import sys

_ASK = """
import json, sys
from pathlib import Path
from tracium.server.location import Directory
from tracium.server.scope import TenantScope
from tracium.server.store import Store

with Store(Directory(Path(sys.argv[1]))) as store:
    print(json.dumps(store.rows(TenantScope.all(), sys.argv[2]), default=str))
"""


def stored(data, sql):
    """The rows of a query on a directory that nobody has open."""
    done = subprocess.run(
        [sys.executable, "-c", _ASK, str(data), sql], capture_output=True, text=True, timeout=60, cwd=data, check=True
    )
    return json.loads(done.stdout)
