"""How `tracium doctor -- COMMAND` looks into the process that COMMAND starts."""

from __future__ import annotations

import atexit
import json
import os
import threading
from pathlib import Path
from typing import Final

from tracium.startup.children import is_child

PROBE: Final = "TRACIUM_DOCTOR_REPORT"
"""The variable that names the file into which such a process writes its report."""

_SECONDS: Final = 0.25
_reporting: int | None = None


def write_reports_for_doctor() -> None:
    """If doctor asks for it, write this process's report again and again, and a last time when it ends."""
    global _reporting  # noqa: PLW0603 - one process reports: its children would write over it
    path = os.environ.get(PROBE)
    if path and not is_child():
        _reporting = os.getpid()
        atexit.register(write_report_for_doctor)
        threading.Thread(target=_write_forever, args=(Path(path),), name="tracium-doctor", daemon=True).start()


def write_report_for_doctor() -> None:
    """If doctor asks for it, write this process's report."""
    path = os.environ.get(PROBE)
    if path and _reporting == os.getpid():
        _write(Path(path))


def _write_forever(path: Path) -> None:
    pause = threading.Event()
    while not pause.wait(_SECONDS):
        _write(path)


def _write(path: Path) -> None:
    from tracium.startup.report import make_report  # noqa: PLC0415 - the report looks at what started us

    draft = path.with_suffix(f".{os.getpid()}.{threading.get_ident()}")
    draft.write_text(json.dumps(make_report().as_dict()))
    draft.replace(path)
