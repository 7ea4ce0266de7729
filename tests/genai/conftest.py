"""The rules are tests: an assertion in them shall say what it compared."""

from __future__ import annotations

import pytest

pytest.register_assert_rewrite("genai.rules")
