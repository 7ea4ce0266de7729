"""A page goes out as far as it is known, and says what it could not get."""

from __future__ import annotations

import threading
import zlib
from datetime import UTC, datetime

import pytest
from starlette.datastructures import QueryParams
from starlette.requests import Request

from tracium.exceptions import StoreError
from tracium.server.access.principal import Principal
from tracium.server.pages.assets import Assets
from tracium.server.pages.page import Page
from tracium.server.pages.templating import environment
from tracium.server.pages.view import View
from tracium.server.queries.errors import errors

TEMPLATES = environment(Assets())
TEMPLATES.globals["version"] = "0"


def page(*, method="GET", query=(), encoding=""):
    """A request of the operator for the page of errors."""
    request = Request(
        {
            "type": "http", "method": method, "path": "/errors", "query_string": b"", "scheme": "http",
            "headers": [(b"host", b"localhost"), (b"accept-encoding", encoding.encode())], "state": {},
        }
    )  # fmt: skip
    view = View.read("/errors", QueryParams(query), datetime.now(UTC), {"cursor"})
    return Page(request, view, Principal.operator(), TEMPLATES)


class Slow:
    """A question whose answer waits until it is let go."""

    def __init__(self, store, asker, failure=None):
        self.go = threading.Event()
        self._ask = store, asker
        self._failure = failure

    def __call__(self):
        assert self.go.wait(30)
        if self._failure:
            raise self._failure
        store, asker = self._ask
        return errors(store, asker.principal, asker.question)


def answered(store, asker, question):
    return asker.answer("errors.html", store, {"report": question}, title="Errors", csv="", json="")


async def parts(response):
    return [part async for part in response.body_iterator]


@pytest.mark.parametrize("encoding", ["", "gzip"])
async def test_the_frame_does_not_wait(store, encoding):
    """What stands before an answer is there while the store still looks for it, compressed or not."""
    asker = page(encoding=encoding)
    slow = Slow(store, asker)
    response = answered(store, asker, slow)
    assert response.status_code == 200
    assert response.headers.get("content-encoding", "") == encoding
    unpack = zlib.decompressobj(31).decompress if encoding else bytes
    pieces = response.body_iterator
    first = unpack(await anext(pieces)).decode()
    assert "<h1>Errors</h1>" in first
    assert "Asking the store" in first
    assert "</html>" not in first
    slow.go.set()
    rest = "".join([unpack(part).decode() async for part in pieces])
    assert rest.rstrip().endswith("</html>")
    assert "\0" not in first + rest


async def test_what_broke_off_is_said(store):
    """A question that fails when a part of the page is sent already leaves a sentence in it, and a page that ends."""
    asker = page()
    slow = Slow(store, asker, StoreError("the disk is gone"))
    response = answered(store, asker, slow)
    slow.go.set()
    text = b"".join(await parts(response)).decode()
    assert "data-failed" in text
    assert "the disk is gone" in text
    assert text.rstrip().endswith("</html>")


def test_what_fails_at_once_has_its_status(store):
    """As long as nothing is sent, a failure is an error of its own."""
    asker = page()
    slow = Slow(store, asker, StoreError("the disk is gone"))
    slow.go.set()
    with pytest.raises(StoreError, match="the disk is gone"):
        answered(store, asker, slow)


@pytest.mark.parametrize("options", [{"method": "HEAD"}, {"query": {"cursor": "abc"}}])
def test_in_one_piece(store, options):
    """A HEAD knows the length, and only the store knows whether a cursor is one: both wait, however long it takes."""
    asker = page(**options)
    slow = Slow(store, asker)
    threading.Timer(0.3, slow.go.set).start()
    response = answered(store, asker, slow)
    assert slow.go.is_set()
    assert int(response.headers["content-length"]) == len(response.body)
    assert "Asking the store" not in response.body.decode()
