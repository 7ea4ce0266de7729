"""What tests of logs share."""

from __future__ import annotations

import pytest
from support.bridge import Bridge


@pytest.fixture
def bridge():
    with Bridge() as opened:
        yield opened
