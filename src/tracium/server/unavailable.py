"""A store that does not answer: what its engine says, and how much of that is told to whom."""

from __future__ import annotations

import logging
import re
from typing import TYPE_CHECKING, Final

from tracium.server.access.principal import Kind

if TYPE_CHECKING:
    from tracium.exceptions import StoreError
    from tracium.server.access.principal import Principal

_logger: Final = logging.getLogger(__name__)
# Behind these words the engine quotes the statement, which names whose data is kept how long and what was erased.
_STATEMENT: Final = re.compile(
    r"(?i):? *\(?(?:failed at position|in scope|while processing|while executing|query:?) .*|\b(?:SELECT|INSERT|WITH|ALTER)\b.*",
    re.DOTALL,
)
_LONGEST: Final = 300


def reason(error: Exception) -> str:
    """What the engine, or the system below it, says went wrong; without the statement that it was asked."""
    return _STATEMENT.sub("", str(error)).strip()[:_LONGEST]


def unavailable(error: StoreError, asker: Principal | None) -> str:
    """What whoever asked over HTTP is told; the reason is in the log, and only an administrator's to read.

    Args:
        error: why there is no answer.
        asker: who asked; None: anybody.
    """
    if asker is not None and asker.kind is Kind.ADMIN:
        return str(error)
    _logger.error("a question was not answered: %s", error)
    return "the store does not answer this at the moment. Try again later; the log of the server says why."
