"""Whether a request comes from a page of this server or from another one's.

A browser sends what any page asks it to. Nothing here is for other clients, which send none of these headers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tracium.server.access.refusal import ForbiddenError

if TYPE_CHECKING:
    from collections.abc import Mapping

_SAFE_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS"})
# `same-site` is foreign too: to a browser all ports of localhost are one site.
_OWN_SITES: Final = frozenset({"", "none", "same-origin"})


def refuse_foreign(method: str, headers: Mapping[str, str], own: str, *, by_cookie: bool) -> None:
    """Refuse what a page of another origin makes a browser do.

    Args:
        method: the request's method.
        headers: the request's headers.
        own: this server's origin as the browser knows it, such as ``http://localhost:4318``.
        by_cookie: whether the browser added the proof of who asks by itself.

    Raises:
        ForbiddenError: it does not come from a page of this server.
    """
    changes = method not in _SAFE_METHODS
    # Following a link is harmless; reading what comes back from elsewhere is what the browser forbids.
    followed = not changes and headers.get("sec-fetch-mode") == "navigate"
    if headers.get("sec-fetch-site", "") not in _OWN_SITES and not followed:
        raise ForbiddenError("requests from pages of other sites are refused.")
    origin = headers.get("origin")
    if changes and (origin is not None or by_cookie) and origin != own:
        raise ForbiddenError(f"the Origin of this request has to be {own}, but it is {origin or 'missing'}.")
