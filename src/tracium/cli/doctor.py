"""`tracium doctor`: where telemetry goes, what is instrumented, and what is wrong."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from tracium.exceptions import TraciumError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_MARKS: Final = {True: "✗", False: "✓"}
_POLL: Final = 0.1
_STOP_SECONDS: Final = 10.0
_WIDTH: Final = 110
# What only matters to those who look for it.
_QUIET: Final = ("waits for its import", "not instrumented", "no instrumentation", "disabled")


@click.command(context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False})
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")
@click.option("--all", "everything", is_flag=True, help="Show also what this process does not use.")
@click.option(
    "--wait", type=click.FloatRange(min=0), default=5.0, show_default=True, help="Seconds to watch COMMAND for."
)
@click.argument("command_line", metavar="[-- COMMAND [ARG]...]", nargs=-1, type=click.UNPROCESSED)
def command(command_line: tuple[str, ...], *, as_json: bool, everything: bool, wait: float) -> None:
    """Say where telemetry goes, what is instrumented, and what is wrong.

    Without COMMAND this environment is looked at: the settings and packages that an app started here would find. With
    COMMAND the app is started, watched from inside for some seconds, and ended. Exit code 1: something is wrong.
    """
    report = _inside(command_line, wait) if command_line else _here()
    if as_json:
        click.echo(json.dumps(report, indent=2))
    else:
        for line in _lines(report, everything=everything):
            click.echo(line)
    sys.exit(1 if report["problems"] else 0)


def _here() -> dict[str, Any]:
    """The report of this process after `tracium.trace()`, with one empty export to see whether the destination answers."""
    import logging  # noqa: PLC0415 - doctor shows what is said as a table, not as log lines

    import tracium  # noqa: PLC0415 - loads the SDK

    logging.getLogger("tracium").addHandler(logging.NullHandler())
    logging.getLogger("tracium").propagate = False
    from tracium.startup.knock import knock  # noqa: PLC0415 - loads the exporter
    from tracium.startup.runtime import runtime  # noqa: PLC0415 - loads the SDK

    tracium.trace()
    if runtime.instrumentation is not None:
        # LiteLLM fetches its prices from the network when it is imported, which a look at it is no reason for.
        os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "true")
        runtime.instrumentation.import_waiting()
    answer = knock()
    report = tracium.report().as_dict()
    report["answers"] = answer
    tracium.shutdown()
    return report


def _inside(command_line: Sequence[str], wait: float) -> dict[str, Any]:
    """The last report that the process started by `command_line` wrote of itself."""
    from tracium.startup.probe import PROBE  # noqa: PLC0415 - only needed here

    with tempfile.TemporaryDirectory(prefix="tracium-doctor-") as folder:
        path = Path(folder, "report.json")
        code = _watch(command_line, {**os.environ, PROBE: str(path)}, wait)
        if not path.exists():
            raise TraciumError(_no_report(command_line, code))
        report: dict[str, Any] = json.loads(path.read_text())
        return report


def _watch(command_line: Sequence[str], environ: dict[str, str], wait: float) -> int | None:
    """Run a command for at most `wait` seconds; its exit code if it ended by itself."""
    try:
        process = subprocess.Popen(command_line, env=environ, stdout=sys.stderr)  # noqa: S603 - the user's own command
    except OSError as error:
        raise TraciumError(f"`{' '.join(command_line)}` cannot be started: {error}.") from error
    deadline = time.monotonic() + wait
    while process.poll() is None and time.monotonic() < deadline:
        time.sleep(_POLL)
    if process.poll() is not None:
        return process.returncode
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(_STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    return None


def _no_report(command_line: Sequence[str], code: int | None) -> str:
    shown = " ".join(command_line)
    end = "was still running" if code is None else f"ended with exit code {code}"
    return (
        f"`{shown}` {end} and had not called tracium.init() or tracium.trace() by then, so there is nothing to tell about "
        "it. Call tracium.trace() first in the app, or start it with `opentelemetry-instrument`, or give it more time: "
        "tracium doctor --wait 30 -- …"
    )


def _lines(report: dict[str, Any], *, everything: bool) -> Iterator[str]:
    yield f"tracium {report['version']} ({report['state']}, process {report['pid']})"
    for title, rows in _sections(report, everything=everything):
        if rows:
            formatter = click.HelpFormatter(width=min(shutil.get_terminal_size().columns, _WIDTH))
            with formatter.section(title):
                formatter.write_dl(rows, col_max=28)
            yield ""
            yield formatter.getvalue().rstrip("\n")
    yield ""
    problems = report["problems"]
    yield f"{len(problems)} problem{'' if len(problems) == 1 else 's'} found." if problems else "Nothing is wrong."


def _sections(report: dict[str, Any], *, everything: bool) -> Iterator[tuple[str, list[tuple[str, str]]]]:
    yield "Destination", _destination(report)
    yield "Libraries", [_library(row) for row in report["libraries"] if everything or _is_worth_showing(row)]
    yield (
        "Pipeline",
        [
            ("provider", f"{report['provider']}{' (the app’s own)' if report['joined'] else ''}"),
            ("processors", ", ".join(report["processors"]) or "none"),
            ("propagators", ", ".join(report["propagators"])),
        ],
    )
    yield "Problems", [(f"{number}.", text) for number, text in enumerate(report["problems"], 1)]


def _destination(report: dict[str, Any]) -> list[tuple[str, str]]:
    found = report["destination"]
    if found is None:
        return [("spans", "tracium exports none: the app's own provider does, or tracing is off")]
    key = "sent" if found["sends_key"] else "set, but not sent there" if report["key_set"] else "none"
    rows = [("spans", f"{found['url']} ({found['protocol']}, from {found['source']})"), ("API key", key)]
    if "answers" in report:
        rows.append(("answers", "yes" if report["answers"] else "no, see below"))
    elif found["sent"] or found["lost"]:
        rows.append(("delivered", f"{found['sent']} spans, {found['lost']} lost"))
    return rows + [(signal, _further(report[signal])) for signal in ("logs", "metrics") if report[signal] is not None]


def _further(found: dict[str, Any]) -> str:
    lost = f", {found['lost']} lost, see below" if found["lost"] else ""
    return f"{found['url']} ({found['protocol']}, from {found['source']}){lost}"


def _library(row: dict[str, Any]) -> tuple[str, str]:
    name = " ".join(part for part in (_MARKS[row["wrong"]], row["name"], row["version"]) if part)
    by = f" by {row['instrumentor']}" if row["state"] == "instrumented" else ""
    detail = f": {row['detail']}" if row["detail"] else ""
    return name, f"{row['state']}{by}{detail}"


def _is_worth_showing(row: dict[str, Any]) -> bool:
    return (
        row["wrong"]
        or (row["version"] is not None and row["state"] != "no instrumentation")
        or row["state"] not in _QUIET
    )
