"""The table of mechanisms in the documentation: each row is what a test measured.

`pytest --write-mechanisms` writes what was measured into the table; without it a row that differs fails its test.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

PAGE = Path(__file__).resolve().parents[2] / "docs" / "queues.md"
_HEAD = "| mechanism | tenant carried | trace carried | worker clean afterwards |\n|---|---|---|---|\n"
_TABLE = re.compile(re.escape(_HEAD) + r"(?:\|.*\n)*")

measured: dict[str, str] = {}


def pytest_addoption(parser):
    parser.addoption("--write-mechanisms", action="store_true", help="write the measured rows into docs/queues.md")


def pytest_sessionfinish(session):
    if session.config.getoption("--write-mechanisms") and measured:
        rows = dict(documented()) | measured
        PAGE.write_text(
            _TABLE.sub(lambda _: _HEAD + "".join(map(rows.get, sorted(rows, key=str.lower))), PAGE.read_text())
        )


def documented():
    """The rows as they stand, by mechanism."""
    (table,) = _TABLE.findall(PAGE.read_text())
    for row in table.removeprefix(_HEAD).splitlines(keepends=True):
        yield row.split("|")[1].strip(), row


@pytest.fixture
def mechanism(request):
    """Note what was measured of a mechanism: whether the tenant and the trace were carried, and the worker was clean then."""

    def note(name, *, tenant, trace, clean):
        row = f"| {name} | {' | '.join('yes' if held else '**no**' for held in (tenant, trace, clean))} |\n"
        measured[name] = row
        if not request.config.getoption("--write-mechanisms"):
            assert dict(documented()).get(name) == row, f"docs/queues.md says otherwise; measured: {row}"

    return note
