"""The table of mechanisms in the documentation: each row is what a test measured.

`pytest --write-mechanisms` writes what was measured into the table; without it a row that differs fails its test.
"""

from __future__ import annotations

import pytest
from support.tables import Table

_table = Table(
    "queues.md", "--write-mechanisms", ("mechanism", "tenant carried", "trace carried", "worker clean afterwards")
)
pytest_addoption = _table.add_option


def pytest_sessionfinish(session):
    _table.write(session.config)


@pytest.fixture
def mechanism(request):
    """Note what was measured of a mechanism: whether the tenant and the trace were carried, and the worker was clean then."""

    def note(name, *, tenant, trace, clean):
        _table.note(request.config, name, (tenant, trace, clean))

    return note
