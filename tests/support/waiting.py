"""Waiting for what another process does."""

from __future__ import annotations

import time


def eventually(look, wanted, seconds=20.0):
    """Look until what is seen is `wanted`; fail with what was seen last."""
    deadline = time.monotonic() + seconds
    while (seen := look()) != wanted:
        assert time.monotonic() < deadline, f"{seen} is not {wanted} after {seconds} s"
        time.sleep(0.05)
