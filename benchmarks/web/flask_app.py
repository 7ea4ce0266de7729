"""The Flask app: the tenant is set by hand, as the guide does it, or by the ready-made extension."""

from concurrent.futures import ThreadPoolExecutor

import flask
import wiring
from flask import Response, g, request
from traffic import TENANTS

wiring.begin("flask")
# OpenTelemetry's own way needs the name in the module.
app = flask.Flask(__name__)
pool = ThreadPoolExecutor(4)

if wiring.READY_MADE:
    from tracium.frameworks.flask import TenantMiddleware
    from tracium.frameworks.resolvers import from_header

    TenantMiddleware(app, resolver=from_header("X-Tenant-ID", known=TENANTS))
else:

    @app.before_request
    def set_tenant_context():
        tenant = request.headers.get("X-Tenant-ID")
        if tenant:
            wiring.set_tenant(tenant)
        g.tenant_id = tenant

    @app.teardown_request
    def clear_tenant_context(exception=None):  # noqa: ARG001 - Flask's signature
        wiring.set_tenant(None)


@app.route("/plain")
def plain():
    with wiring.work("work", _id()):
        return str(wiring.get_current_tenant())


@app.route("/thread")
def thread():
    return pool.submit(_work_in_thread, _id()).result()


def _work_in_thread(number):
    with wiring.work("work", number):
        return str(wiring.get_current_tenant())


@app.route("/stream")
def stream():
    with wiring.work("work", _id()):
        return Response(_parts(_id()))


def _parts(number):
    for name in ("first", "second"):
        with wiring.work(name, number):
            part = name
        yield part


@app.route("/raise")
def fail():
    with wiring.work("work", _id()):
        pass
    raise ArithmeticError(_id())


def _id():
    return int(request.args["id"])
