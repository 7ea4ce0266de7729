"""Tables of text on a terminal, safe whatever the text is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tracium.server.extra import server_extra

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_WIDEST: Final = 10_000


def print_table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print rows of text under headings, as wide as they have to be: rather a line wraps than an id is cut in two.

    Raises:
        MissingExtraError: the package that draws is not installed.
    """
    with server_extra("tracium"):
        from rich.box import SIMPLE_HEAD  # noqa: PLC0415 - of the extra `server`
        from rich.console import Console  # noqa: PLC0415
        from rich.measure import Measurement  # noqa: PLC0415
        from rich.table import Table  # noqa: PLC0415
        from rich.text import Text  # noqa: PLC0415

    table = Table(box=SIMPLE_HEAD, pad_edge=False, collapse_padding=True)
    for heading in headings:
        table.add_column(heading, no_wrap=True)
    for row in rows:
        # Text is never read as rich's markup.
        table.add_row(*(Text(printable(cell)) for cell in row))
    console = Console(highlight=False)
    # Of the console, not of the print: a print is never wider than its console.
    console.width = max(Measurement.get(console, console.options.update(width=_WIDEST), table).maximum, 1)
    console.print(table, crop=False, no_wrap=True)


def printable(text: str) -> str:
    """Text without what steers a terminal: control and direction characters are written as their escapes."""
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)
