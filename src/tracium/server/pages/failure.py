"""Why there is no page, or no more of it: as a status and a sentence."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tracium.exceptions import StoreError
from tracium.server.unavailable import unavailable

if TYPE_CHECKING:
    from tracium.server.access.principal import Principal

FAILURES: Final = (ValueError, LookupError, StoreError)
"""A URL that is not understood, something that is not there, a store that does not answer."""


def failure(error: Exception, asker: Principal | None) -> tuple[int, str]:
    """The HTTP status of one of `FAILURES`, and the sentence for whoever asked."""
    if isinstance(error, StoreError):
        return 503, unavailable(error, asker)
    return (404 if isinstance(error, LookupError) else 400), str(error.args[0]) if error.args else ""
