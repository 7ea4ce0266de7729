"""Flask: the tenant is in a header, and who names none is anonymous.

Run it; spans go to http://localhost:4318, where `tracium serve` listens, or to TRACIUM_ENDPOINT:

    pip install "tracium[flask]" flask
    flask --app flask_app run

Try it:

    curl -H "X-Tenant-ID: acme" localhost:5000/answer
    curl -H "X-Tenant-ID: globex" -N "localhost:5000/stream?order=17"
    curl -H "X-Tenant-ID: nobody" localhost:5000/answer
    curl localhost:5000/answer

What it shows: an extension as Flask's own are, for an app factory. The tenant holds until the last byte of a streamed
body. The telemetry of requests that name no tenant that there is stands under `anonymous`.
"""

import time
from collections.abc import Iterator

from flask import Blueprint, Flask, Response, request, stream_with_context

import tracium
from tracium.frameworks.flask import TenantMiddleware
from tracium.frameworks.resolvers import from_header

tracium.trace()

# Anyone can write a header. It counts for tenants that there are; if it also has to be proven: from_jwt_claim.
tenants = TenantMiddleware(resolver=from_header("X-Tenant-ID", known={"acme", "globex"}), default="anonymous")
agents = Blueprint("agents", __name__)


@agents.get("/answer")
def answer() -> str:
    with tracium.start_trace(agent_name="support") as run, run.span("tool", "find_order"):
        # The default is a name for telemetry and nobody to act for: this gives None then.
        return f"It is on its way to {tracium.get_current_tenant() or 'a stranger'}.\n"


@agents.get("/stream")
def stream() -> Response:
    return Response(stream_with_context(words()), mimetype="text/plain")


def words() -> Iterator[str]:
    """Runs while the server sends: `stream_with_context` keeps the request for it, and tracium the tenant."""
    with tracium.start_trace(agent_name="writer") as run:
        for word in (request.args.get("order", "It"), "is", "on", "its", "way.\n"):
            with run.span("llm", "next_word"):
                time.sleep(0.05)  # the model
            yield f"{word} "


def create_app() -> Flask:
    app = Flask(__name__)
    tenants.init_app(app)
    app.register_blueprint(agents)
    return app
