"""The older SDK's wrapper for WSGI apps."""

from __future__ import annotations

import sys

import pytest
from support.app import environment, run_app
from support.receiver import http_receiver

from tracium.exceptions import MissingExtraError
from tracium.legacy.wsgi import wrap_wsgi_app


def test_a_wrapped_app_serves_requests_of_their_own():
    """Each has a server span and its own tenant, until the body is sent, and none is left for the next one."""
    with http_receiver() as receiver:
        run_app(
            """
            import warnings
            warnings.simplefilter("ignore", DeprecationWarning)
            from wsgiref.util import setup_testing_defaults
            import tracium
            from opentelemetry.trace import get_tracer

            tracer = get_tracer("app")

            def app(environ, start_response):
                assert tracium.get_current_tenant() is None
                if environ["PATH_INFO"] != "/nobody":
                    tracium.set_tenant(environ["PATH_INFO"].strip("/"))
                start_response("200 OK", [("Content-Type", "text/plain")])
                def body():
                    with tracer.start_as_current_span("body"):
                        yield b"done"
                return body()

            tracium.init()
            wrapped = tracium.wrap_wsgi_app(app)
            assert tracium.wrap_wsgi_app(wrapped) is wrapped
            for path in ("/acme", "/globex", "/nobody"):
                environ = {"PATH_INFO": path}
                setup_testing_defaults(environ)
                answer = wrapped(environ, lambda status, headers, info=None: None)
                assert b"".join(answer) == b"done"
                answer.close()
            """,
            environment(receiver),
        )
    servers = {span.trace_id: span.tenant for span in receiver.spans if span.kind == 2}
    bodies = {span.trace_id: span.tenant for span in receiver.named("body")}
    assert sorted(servers.values(), key=str) == [None, "acme", "globex"]
    assert bodies == servers


def test_without_the_instrumentation_the_answer_is_the_command(monkeypatch):
    """Nothing is wrapped half."""
    monkeypatch.setitem(sys.modules, "opentelemetry.instrumentation.wsgi", None)
    with pytest.raises(MissingExtraError, match=r'pip install "tracium\[wsgi\]"'):
        wrap_wsgi_app(lambda _environ, _start_response: [])
