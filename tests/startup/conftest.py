from __future__ import annotations

import pytest
from support.receiver import http_receiver


@pytest.fixture
def receiver():
    with http_receiver() as running:
        yield running
