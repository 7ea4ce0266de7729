"""Bodies of requests to the API: bounded in time and size, and exactly what is asked for."""

from __future__ import annotations

import json
import socket
import uuid
from urllib.parse import urlsplit

import pytest
from support.serving import Serving

JSON = {"Content-Type": "application/json"}
READERS = (
    ("POST", "/api/v1/tokens"),
    ("POST", "/api/v1/session"),
    ("PUT", "/api/v1/prices"),
    ("POST", "/api/v1/reprice"),
    ("PUT", "/api/v1/store/retention"),
    ("POST", "/api/v1/store/erasures"),
)


def tell(server, method, path, told, **headers):
    body = told if isinstance(told, bytes) else json.dumps(told)
    status, answered, answer = server.ask(method, path, body, JSON | headers)
    assert answered["Content-Type"] == "application/json"
    return status, json.loads(answer)


@pytest.mark.parametrize(("method", "path"), READERS)
@pytest.mark.parametrize(
    ("body", "status", "reason"),
    [
        (b"", 400, "not JSON"),
        (b"[]", 400, "has to be a JSON object"),
        (b"[" * 60_000, 400, "not JSON"),
        (b'{"x": "\xff"}', 400, "not JSON"),
        (b'{"x": "\\ud800"}', 400, "no Unicode"),
        (b'{"name": "a", "name": "b"}', 400, "repeats a member"),
        (b'{"colour": "red"}', 400, "there is no member 'colour' here: it knows "),
        (b" " * (2 * 2**20), 413, "bytes, uncompressed. Send less at once."),
    ],
    ids=["empty", "a list", "deep", "no UTF-8", "half a character", "twice", "unknown", "large"],
)
def test_what_is_no_body(serving, method, path, body, status, reason):
    """Each endpoint that reads a body says what is wrong with it."""
    got, answer = tell(serving, method, path, body)
    assert (got, reason in answer["error"]) == (status, True), answer


@pytest.mark.parametrize(("method", "path"), READERS)
def test_what_a_form_can_send(serving, method, path):
    """A type that any page can send without asking is refused."""
    status, _, answer = serving.ask(method, path, b"{}", {"Content-Type": "text/plain"})
    assert (status, "send Content-Type: application/json" in json.loads(answer)["error"]) == (400, True)


@pytest.mark.parametrize(
    ("method", "path", "told", "reason"),
    [
        ("POST", "/api/v1/tokens", {"kind": "usage", "tenant": "acme"}, "no member 'tenant'"),
        ("POST", "/api/v1/tokens", {"kind": "usage", "tenants": {}}, "tenants has to be a list of text"),
        ("POST", "/api/v1/tokens", {"kind": "usage", "tenants": False}, "tenants has to be a list of text"),
        ("POST", "/api/v1/tokens", {"kind": "usage", "tenants": ["x" * 256]}, "an id has at most 255 characters"),
        ("POST", "/api/v1/tokens", {"kind": "usage", "name": 0}, "name has to be text"),
        ("PUT", "/api/v1/store/retention", {"signal": "logs"}, "days is missing"),
        (
            "POST",
            "/api/v1/reprice",
            {"from": "2026-01-02", "to": "2026-01-01"},
            "is not before to=2026-01-01T00:00:00+00:00",
        ),
    ],
)
def test_what_would_mean_something_else(serving, method, path, told, reason):
    """What is written wrongly is not taken for what is left out: for every tenant, or for taking a rule back."""
    status, answer = tell(serving, method, path, told)
    assert (status, reason in answer["error"]) == (400, True), answer


def test_a_body_that_is_cut_off(tmp_path):
    """A client that goes away in the middle of a body is no fault of the server, and nothing is logged."""
    with Serving(tmp_path) as server:
        host, _, port = urlsplit(server.url).netloc.partition(":")
        for method, path in (*READERS, ("POST", "/v1/traces")):
            head = f"{method} {path} HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\nContent-Length: 99\r\n\r\n{{"
            with socket.create_connection((host, int(port)), timeout=10) as client:
                client.sendall(head.encode())
        assert server.ask("GET", f"/health?{uuid.uuid4()}")[0] == 200
        server.process.terminate()
        assert server.process.communicate(timeout=30)[1] == ""
