"""Rows as CSV (RFC 4180) that no spreadsheet runs."""

from __future__ import annotations

import csv
import io
import json
import re
from typing import TYPE_CHECKING, Final

from tracium.server.plain import columns, plain

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

# What a spreadsheet takes for a formula: https://owasp.org/www-community/attacks/CSV_Injection
_FORMULA_STARTS: Final = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")
# Where a list separator is a semicolon, what follows one begins a cell, whatever quotes stand around it.
_NEXT_CELL: Final = re.compile(r"([;\t]\s*)(?=[=+\-@\uff1d\uff0b\uff0d\uff20])")


def sheet(kind: type, rows: Iterable[object]) -> Iterator[str]:
    """The lines of a sheet: a header, then a line for each row.

    What is unknown, and no tenant, are empty cells; what has parts is written as JSON.

    Args:
        kind: the dataclass of the rows.
        rows: objects of it.
    """
    names = columns(kind)
    yield _line([safe_cell(name.rstrip("_")) for name in names])
    for row in rows:
        yield _line([_cell(plain(getattr(row, name))) for name in names])


def safe_cell(text: str) -> str:
    """Text that a spreadsheet shows: what would begin a formula gets an apostrophe before it."""
    inner = _NEXT_CELL.sub(r"\1'", text)
    return f"'{inner}" if text.startswith(_FORMULA_STARTS) or text.lstrip().startswith(_FORMULA_STARTS) else inner


def _cell(value: object) -> str:
    match value:
        case None:
            return ""
        case str():
            return safe_cell(value)
        case bool():
            return "true" if value else "false"
        case int() | float():
            # A negative number is none that could run.
            return str(value)
        case _:
            return safe_cell(json.dumps(value, ensure_ascii=False, separators=(",", ":")))


def _line(cells: list[str]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\r\n").writerow(cells)
    return text.getvalue()
