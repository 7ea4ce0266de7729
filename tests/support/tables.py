"""A table in the documentation whose rows are what tests measured.

Without its option a row that differs from the page fails its test; with it, the page is written.
"""

from __future__ import annotations

import re
from pathlib import Path

DOCS = Path(__file__).resolve().parents[2] / "docs"


class Table:
    """One table.

    Attributes:
        page: Where it stands.
        option: The option of pytest that writes it.
    """

    def __init__(self, page, option, columns):
        self.page = DOCS / page
        self.option = option
        self._head = f"| {' | '.join(columns)} |\n{'|---' * len(columns)}|\n"
        self._table = re.compile(re.escape(self._head) + r"(?:\|.*\n)*")
        self._measured = {}

    def add_option(self, parser):
        parser.addoption(self.option, action="store_true", help=f"write the measured rows into docs/{self.page.name}")

    def note(self, config, name, cells):
        """Note the row of `name`: what holds is True, what does not is False, what there is nothing of is None."""
        words = {True: "yes", False: "**no**", None: "–"}
        row = f"| {name} | {' | '.join(words[cell] for cell in cells)} |\n"
        self._measured[name] = row
        if not config.getoption(self.option):
            assert self.documented().get(name) == row, f"docs/{self.page.name} says otherwise; measured: {row}"

    def documented(self):
        """The rows as they stand, by name."""
        (table,) = self._table.findall(self.page.read_text())
        rows = table.removeprefix(self._head).splitlines(keepends=True)
        return {row.split("|")[1].strip(): row for row in rows}

    def write(self, config):
        """Write what was measured, if that was asked for."""
        if config.getoption(self.option) and self._measured:
            rows = self.documented() | self._measured
            table = self._head + "".join(map(rows.get, sorted(rows, key=str.lower)))
            self.page.write_text(self._table.sub(lambda _: table, self.page.read_text()))
