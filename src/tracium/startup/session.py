"""The HTTP session of our exporters."""

from __future__ import annotations

import netrc  # noqa: F401 - requests imports it with its first request; a child forked in that moment would wait for it for ever
from typing import TYPE_CHECKING, Any

import requests

from tracium.startup.split import current_headers

if TYPE_CHECKING:
    import threading


class ExportSession(requests.Session):
    """Says what the exporter would pass over in silence.

    The exporter takes a redirect for a success and does not follow it. And it waits and tries again when a connection
    is refused, which is right while the process runs, but not when it ends. Headers of the environment that are for
    another endpoint are left out, and those of this one request are added.
    """

    def __init__(self, closing: threading.Event, foreign: frozenset[str]) -> None:
        super().__init__()
        self._closing = closing
        self._foreign = foreign

    def request(self, *args: Any, **kwargs: Any) -> requests.Response:
        """Send, and raise what went wrong."""
        headers = kwargs.get("headers") or {}
        kept = {name: value for name, value in headers.items() if name.lower() not in self._foreign}
        kwargs["headers"] = kept | dict(current_headers())
        try:
            response = super().request(*args, **kwargs)
        except requests.exceptions.ConnectionError as error:
            if self._closing.is_set():
                raise requests.exceptions.RequestException(str(error)) from error
            raise
        if response.is_redirect:
            where = response.headers.get("location", "")
            raise requests.exceptions.TooManyRedirects(f"it redirects to {where}", response=response)
        return response
