"""The table of model libraries in the documentation: each row is what a test measured.

`pytest --write-accounts` writes what was measured into the table; without it a row that differs fails its test.
"""

from __future__ import annotations

import pytest
from support.tables import Table

_table = Table(
    "genai.md",
    "--write-accounts",
    (
        "library",
        "one usage per call",
        "stream usage",
        "tenant on span",
        "tenant on metric",
        "content off by default",
        "no leak",
    ),
)
pytest_addoption = _table.add_option


def pytest_sessionfinish(session):
    _table.write(session.config)


@pytest.fixture
def account(request):
    """Note what was measured of a library; None where it has nothing of the kind."""

    def note(library, *, once, streamed, span, metric, silent, kept):
        _table.note(request.config, library, (once, streamed, span, metric, silent, kept))

    return note
