"""Destinations for a module's tests."""

from __future__ import annotations

import pytest
from support.receiver import http_receiver


@pytest.fixture(scope="module")
def places():
    """The destinations besides ClickHouse."""
    with http_receiver() as backend, http_receiver() as tempo, http_receiver() as eu:
        yield {"backend": backend, "tempo": tempo, "eu": eu}
