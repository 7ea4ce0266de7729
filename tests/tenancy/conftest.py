"""What tests of tenancy share."""

from __future__ import annotations

import pytest
from support.people import Kind


@pytest.fixture(params=["user", "session"])
def who(request):
    return Kind(request.param)
