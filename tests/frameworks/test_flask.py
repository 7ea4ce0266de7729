"""Flask apps, whatever the order of import, `trace()` and `app = …`."""

from __future__ import annotations

import pytest
from support.app import environment, run_app
from support.receiver import http_receiver

IMPORT = "from flask import Flask\n"
TRACE = "import tracium\ntracium.trace()\n"
USE = """
app = Flask(__name__)

@app.before_request
def set_tenant():
    from flask import request
    tracium.set_tenant(request.headers["X-Tenant-ID"])

@app.teardown_request
def clear_tenant(error=None):
    tracium.set_tenant(None)

@app.get("/")
def index():
    assert tracium.get_current_tenant() is not None
    return "ok"

import flask
assert type(app) is flask.Flask is Flask
for tenant in ("acme", "globex"):
    assert app.test_client().get("/", headers={"X-Tenant-ID": tenant}).data == b"ok"
"""


@pytest.mark.parametrize("start", [IMPORT + TRACE, TRACE + IMPORT], ids=["import first", "trace first"])
def test_one_server_span_a_request_with_its_tenant(start):
    """And Flask's class stays Flask's class."""
    with http_receiver() as receiver:
        ended = run_app(start + USE, environment(receiver))
    assert [(span.name, span.kind, span.tenant) for span in receiver.spans] == [
        ("GET /", 2, "acme"),
        ("GET /", 2, "globex"),
    ], ended.stderr
