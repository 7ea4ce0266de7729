"""What becomes of requests whose tenant is missing or invalid: every ready-made middleware keeps the same rules.

Django's settings are one per process, so its requests are served in a process of their own, which loads this file.
"""

from __future__ import annotations

import asyncio
import json
import textwrap
from dataclasses import dataclass, field
from operator import attrgetter, itemgetter
from pathlib import Path
from wsgiref.util import setup_testing_defaults

import fastapi
import flask
import pytest
from opentelemetry.trace import SpanKind
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.responses import PlainTextResponse
from starlette.routing import Route, WebSocketRoute
from support.app import environment, run_app
from support.receiver import http_receiver

import tracium
from tracium import notices
from tracium.frameworks import asgi, wsgi
from tracium.frameworks import fastapi as tracium_fastapi
from tracium.frameworks import flask as tracium_flask
from tracium.frameworks import starlette as tracium_starlette
from tracium.frameworks.resolvers import first_of, from_header, from_jwt_claim
from tracium.tenancy import assume_tenant
from tracium.testing import tenant_of

HEADER = "X-Tenant-ID"
BOOM = LookupError("the app's own")
TOO_LONG = b"a" * 256
CONTROL = b"ac\x07me"


def read(native):
    """The header, of each framework's own request."""
    headers = getattr(native, "headers", None)
    if headers is not None:
        return headers.get(HEADER)
    if "wsgi.input" in native:
        return native.get("HTTP_X_TENANT_ID")
    return next((value.decode() for name, value in native["headers"] if name == b"x-tenant-id"), None)


async def read_later(native):
    await asyncio.sleep(0)
    return read(native)


async def nobody_later(native):
    await asyncio.sleep(0)


def fail(native):
    raise BOOM


async def fail_later(native):
    await asyncio.sleep(0)
    raise BOOM


async def give_bytes_later(native):
    await asyncio.sleep(0)
    return b"acme"


def tell(native):
    """What to do with a request that has no tenant: an empty header is not let through."""
    return "allow" if read(native) is None else "reject"


def tell_loop(native):
    """A tenant that says whether an event loop runs here."""
    return "no loop" if asyncio._get_running_loop() is None else "loop"


async def is_acme_later(tenant):
    await asyncio.sleep(0)
    return tenant == "acme"


TOKEN = from_jwt_claim("tenant_id", key="a secret that is long enough for HS256", algorithms=["HS256"])
RESOLVERS = {
    "header": from_header(HEADER, trusted_proxy=True),
    "known": from_header(HEADER, known={"acme"}),
    "known, async": from_header(HEADER, known=is_acme_later),
    "callable": read,
    "async callable": read_later,
    "first of": first_of(lambda native: None, read),
    "first of, async": first_of(nobody_later, read),
    "token": TOKEN,
    "first of, with token": first_of(lambda native: None, TOKEN, read),
    "tells the loop": tell_loop,
    "fails": fail,
    "fails, async": fail_later,
    "gives a number": lambda native: 5,
    "gives bytes, async": give_bytes_later,
    "no resolver": 5,
}


@dataclass(frozen=True)
class Case:
    """A request, and how the middleware that it meets is configured."""

    sent: bytes | None = None
    resolver: str = "header"
    missing: object = "allow"
    default: object = None


@dataclass
class Answer:
    """What became of the request.

    `seen` are the tenants that the app saw: none if it was not called. `error` is what came out instead of an answer.
    """

    status: int | None = None
    headers: dict = field(default_factory=dict)
    body: str = ""
    seen: list = field(default_factory=list)
    error: str | None = None


def call_asgi(app, sent, path="/", **scope):
    """Serve one request, or a websocket that the client opens; gives the status or closing code, headers and body."""
    pairs = [] if sent is None else [(b"x-tenant-id", sent)]
    addresses = {"client": ("192.0.2.1", 5), "server": ("example.com", 80), "scheme": "http", "http_version": "1.1"}
    paths = {"path": path, "raw_path": path.encode(), "root_path": "", "query_string": b""}
    scope = {
        "type": "http",
        "method": "GET",
        "headers": pairs,
        "asgi": {"version": "3.0"},
        **addresses,
        **paths,
        **scope,
    }
    first = [{"type": "websocket.connect"}] if scope["type"] == "websocket" else [{"type": "http.request", "body": b""}]
    messages = []

    async def receive():
        if not first:
            await asyncio.Event().wait()
        return first.pop()

    async def send(message):
        messages.append(message)

    asyncio.run(app(scope, receive, send))
    assert {message["type"].partition(".")[0] for message in messages} == {scope["type"]}
    start = messages[0]
    headers = {name.decode().lower(): value.decode() for name, value in start.get("headers", ())}
    body = b"".join(message.get("body", b"") for message in messages).decode()
    return start.get("status", start.get("code")), headers, body


def call_wsgi(app, sent, path="/"):
    """The same for WSGI."""
    environ = {"PATH_INFO": path} | ({} if sent is None else {"HTTP_X_TENANT_ID": sent.decode("latin-1")})
    setup_testing_defaults(environ)
    started = []
    body = app(environ, lambda status, headers, error=None: started.append((status, headers)))
    data = b"".join(body)
    if hasattr(body, "close"):
        body.close()
    status, headers = started[-1]
    return int(status[:3]), {name.lower(): value for name, value in headers}, data.decode()


def asgi_app(view, **options):
    async def app(scope, receive, send):
        view()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"ok"})

    return asgi.TenantMiddleware(app, **options)


def wsgi_app(view, **options):
    def app(environ, start_response):
        view()
        start_response("200 OK", [])
        return [b"ok"]

    return wsgi.TenantMiddleware(app, **options)


def starlette_app(view, **options):
    async def endpoint(request):
        view()
        return PlainTextResponse("ok")

    app = Starlette(routes=[Route("/{rest:path}", endpoint)])
    app.add_middleware(tracium_starlette.TenantMiddleware, **options)
    return app


def fastapi_app(view, **options):
    app = fastapi.FastAPI()
    app.add_middleware(tracium_fastapi.TenantMiddleware, **options)

    @app.get("/{rest:path}")
    async def endpoint(rest):
        view()

    return app


def flask_app(view, **options):
    app = flask.Flask("shop")
    app.testing = True
    tracium_flask.TenantMiddleware(app, **options)

    @app.get("/", defaults={"rest": ""})
    @app.get("/<path:rest>")
    def endpoint(rest):
        view()
        return "ok"

    return app


def flask_app_by_init_app(view, **options):
    app = flask.Flask("shop")
    app.testing = True
    extension = tracium_flask.TenantMiddleware(**options)
    app.add_url_rule("/", view_func=lambda: (view(), "ok")[1])
    extension.init_app(app)
    return app


def django_app(view, handler, *, resolver, missing, default):
    """Only in a process for Django: `configure_django` was called there."""
    from django.conf import settings
    from django.http import HttpResponse
    from django.urls import clear_url_caches, re_path

    def endpoint(request):
        view()
        return HttpResponse("ok")

    async def endpoint_later(request):
        return endpoint(request)

    settings.ROOT_URLCONF = (re_path("", endpoint if handler.__name__ == "WSGIHandler" else endpoint_later),)
    clear_url_caches()
    settings.TRACIUM_TENANT_RESOLVER = resolver
    settings.TRACIUM_TENANT_MISSING = missing
    settings.TRACIUM_TENANT_DEFAULT = default
    return handler()


def django_wsgi_app(view, **options):
    from django.core.handlers.wsgi import WSGIHandler

    return django_app(view, WSGIHandler, **options)


def django_asgi_app(view, **options):
    from django.core.handlers.asgi import ASGIHandler

    return django_app(view, ASGIHandler, **options)


def configure_django():
    import django
    from django.conf import settings

    settings.configure(
        ALLOWED_HOSTS=["*"],
        DEBUG_PROPAGATE_EXCEPTIONS=True,
        SECRET_KEY="of a test",
        MIDDLEWARE=["tracium.frameworks.django.TenantMiddleware"],
    )
    django.setup()


FRAMEWORKS = {
    "asgi": (asgi_app, call_asgi),
    "wsgi": (wsgi_app, call_wsgi),
    "starlette": (starlette_app, call_asgi),
    "fastapi": (fastapi_app, call_asgi),
    "flask": (flask_app, call_wsgi),
    "flask, init_app": (flask_app_by_init_app, call_wsgi),
    "django, wsgi": (django_wsgi_app, call_wsgi),
    "django, asgi": (django_asgi_app, call_asgi),
}
DJANGO = [name for name in FRAMEWORKS if name.startswith("django")]


def serve(framework, case):
    """Make an app of this framework, and let it serve the request."""
    build, call = FRAMEWORKS[framework]
    answer = Answer()
    options = {"resolver": RESOLVERS[case.resolver], "missing": case.missing, "default": case.default}
    try:
        app = build(lambda: answer.seen.append(tracium.get_current_tenant()), **options)
        answer.status, answer.headers, answer.body = call(app, case.sent)
    except Exception as error:
        answer.error = "the same object" if error is BOOM else f"{type(error).__name__}: {error}"
    assert tracium.get_current_tenant() is None
    return answer


# What is served: its status, and the tenants that the app sees.
SERVED = {
    "a tenant": (Case(b"acme"), 200, ["acme"]),
    "a tenant, reject": (Case(b"acme", missing="reject"), 200, ["acme"]),
    "a tenant, default": (Case(b"acme", default="anonymous"), 200, ["acme"]),
    "none, allow": (Case(), 200, [None]),
    "none, default": (Case(default="anonymous"), 200, [None]),
    "none, reject": (Case(missing="reject"), 401, []),
    "an empty one, allow": (Case(b""), 200, [None]),
    "an empty one, reject": (Case(b"", missing="reject"), 401, []),
    "an unknown one, allow": (Case(b"globex", "known"), 200, [None]),
    "an unknown one, reject": (Case(b"globex", "known", "reject"), 401, []),
    "too long": (Case(TOO_LONG), 400, []),
    "too long, reject": (Case(TOO_LONG, missing="reject"), 400, []),
    "too long, default": (Case(TOO_LONG, default="anonymous"), 400, []),
    "control character": (Case(CONTROL), 400, []),
    "none, token, reject": (Case(resolver="token", missing="reject"), 401, []),
    "none, first of, with token, reject": (Case(resolver="first of, with token", missing="reject"), 401, []),
    "a tenant, told": (Case(b"acme", missing=fail), 200, ["acme"]),
    "none, told": (Case(missing=tell), 200, [None]),
    "none, told, default": (Case(missing=tell, default="anonymous"), 200, [None]),
    "an empty one, told": (Case(b"", missing=tell), 401, []),
    "an unknown one, told": (Case(b"globex", "known, async", tell), 401, []),
    "too long, told": (Case(TOO_LONG, missing=tell), 400, []),
}
for _resolver in ("known", "known, async", "callable", "async callable", "first of", "first of, async"):
    SERVED[f"a tenant, {_resolver}"] = (Case(b"acme", _resolver), 200, ["acme"])
    SERVED[f"none, {_resolver}, reject"] = (Case(None, _resolver, "reject"), 401, [])
for _resolver in ("callable", "async callable", "first of, async"):
    SERVED[f"too long, {_resolver}"] = (Case(TOO_LONG, _resolver), 400, [])

# What is not served: what comes out instead.
FAILING = {
    "fails": (Case(resolver="fails"), "the same object"),
    "fails, async": (Case(resolver="fails, async"), "the same object"),
    "gives a number": (Case(resolver="gives a number"), "TenantTypeError: A tenant id must be a string, not int"),
    "gives bytes, async": (
        Case(resolver="gives bytes, async"),
        "TenantTypeError: A tenant id must be a string, not bytes",
    ),
    "missing=maybe": (
        Case(missing="maybe"),
        "SettingError: missing is 'maybe', but it must be one of 'allow', 'reject'",
    ),
    "told maybe": (Case(missing=lambda native: "maybe"), "SettingError: missing is 'maybe'"),
    "told nothing": (Case(missing=lambda native: None), "SettingError: missing is None"),
    "telling fails": (Case(missing=fail), "the same object"),
    "missing is async": (Case(missing=nobody_later), "SettingError: missing is <function nobody_later"),
    "missing=None": (Case(missing=None), "SettingError: missing is None"),
    "default and reject": (Case(missing="reject", default="anonymous"), "SettingError: default is 'anonymous', but"),
    "default is empty": (Case(default=""), "SettingError: default is '', which cannot be a tenant"),
    "default too long": (Case(default="a" * 256), "SettingError: default is 'aaa"),
    "default is a number": (Case(default=5), "SettingError: default is 5, which cannot be a tenant"),
    "no resolver": (Case(resolver="no resolver"), "SettingError: resolver is 5, but it must be a resolver"),
}
CASES = {name: case for name, (case, *_) in {**SERVED, **FAILING}.items()}
CASES["tells the loop"] = Case(resolver="tells the loop")
LOAD = f"import runpy\nthis = runpy.run_path({__file__!r})\n"
IN_DJANGO = """
import dataclasses, json
this["configure_django"]()
answers = {
    framework: {name: dataclasses.asdict(this["serve"](framework, case)) for name, case in this["CASES"].items()}
    for framework in this["DJANGO"]
}
print(json.dumps(answers))
"""


def run(code, receiver=None, cwd=None):
    """Run `code` with this file's names as `this`."""
    env = environment(receiver, PYTHONPATH=str(Path(__file__).parents[1]))
    return run_app(f"{LOAD}{textwrap.dedent(code)}", env, cwd=cwd)


@pytest.fixture(scope="module")
def django_answers():
    """All cases, in one process."""
    answers = json.loads(run(IN_DJANGO).stdout)
    return {name: {case: Answer(**answer) for case, answer in found.items()} for name, found in answers.items()}


@pytest.fixture(params=FRAMEWORKS)
def framework(request):
    return request.param


@pytest.fixture
def answer_to(framework, request):
    """The answer to a case by its name."""
    if framework in DJANGO:
        return request.getfixturevalue("django_answers")[framework].__getitem__
    return lambda name: serve(framework, CASES[name])


@pytest.mark.parametrize("name", SERVED)
def test_served(answer_to, name):
    """A tenant that is named is set; where none is, the policy decides, and what cannot be one is the client's fault."""
    _, status, seen = SERVED[name]
    answer = answer_to(name)
    assert (answer.status, answer.seen, answer.error) == (status, seen, None)


def test_an_async_framework_stays_in_its_event_loop(framework, answer_to):
    """A middleware that is sync only would send every request through a thread."""
    expected = "loop" if FRAMEWORKS[framework][1] is call_asgi else "no loop"
    assert answer_to("tells the loop").seen == [expected]


@pytest.mark.parametrize("name", FAILING)
def test_failing(answer_to, name):
    """An app's own error goes through as it is, and a wrong option is refused in a sentence; the app is not called."""
    answer = answer_to(name)
    assert answer.error is not None
    assert answer.error.startswith(FAILING[name][1])
    assert answer.seen == []


@pytest.mark.parametrize("name", [name for name, (_, status, _) in SERVED.items() if status != 200])
def test_refusal_is_a_plain_sentence(framework, answer_to, name):
    """JSON, or the page of the framework; what the client sent is not repeated."""
    case, status, _ = SERVED[name]
    answer = answer_to(name)
    sentence = "needs a tenant" if status == 401 else "not valid"
    assert sentence in answer.body
    if not framework.startswith("flask"):
        assert list(json.loads(answer.body)) == ["detail"]
        assert answer.headers["content-type"] == "application/json"
    assert int(answer.headers.get("content-length", len(answer.body))) == len(answer.body)
    for sent in filter(None, [case.sent]):
        assert sent[:40].decode() not in answer.body + str(answer.headers)


@pytest.mark.parametrize(
    ("name", "challenge"),
    [
        ("none, reject", "Tenant header=X-Tenant-ID"),
        ("none, callable, reject", "Tenant realm=tenant"),
        ("none, token, reject", "Bearer realm=tenant"),
        ("none, first of, with token, reject", "Bearer realm=tenant"),
        ("an empty one, told", "Tenant header=X-Tenant-ID"),
        ("too long", None),
        ("too long, reject", None),
    ],
)
def test_only_a_401_says_how_to_authenticate(answer_to, name, challenge):
    """It must (RFC 9110, section 15.5.2); a value may be quoted or not."""
    found = answer_to(name).headers.get("www-authenticate")
    assert (None if found is None else found.replace('"', "")) == challenge


def test_what_clients_do_is_told_at_info_and_not_repeated():
    """Each once, whatever their number."""
    for name in ("too long", "control character", "an unknown one, reject", "too long", "an unknown one, reject"):
        serve("asgi", CASES[name])
    texts = [notice.text for notice in notices.notices()]
    assert [notice.level for notice in notices.notices()] == [20, 20]
    assert not any(sent in text for text in texts for sent in ("aaa", "globex", "\x07"))


@pytest.mark.parametrize(
    ("framework", "method"),
    [
        ("asgi", itemgetter("method")),
        ("wsgi", itemgetter("REQUEST_METHOD")),
        ("starlette", attrgetter("method")),
        ("fastapi", attrgetter("method")),
        ("flask", attrgetter("method")),
    ],
)
def test_what_a_callable_is_given(framework, method):
    """The framework's own request, with nothing between."""
    build, call = FRAMEWORKS[framework]
    given = []
    assert call(build(lambda: None, resolver=lambda native: given.append(method(native))), None)[0] == 200
    assert given == ["GET"]


@pytest.mark.parametrize("framework", [name for name in FRAMEWORKS if name not in DJANGO])
def test_what_is_wrong_with_a_middleware_is_told_the_operator_too(framework, caplog):
    """Starlette makes it when the app is first called, and servers take an error there for an app without lifespan."""
    serve(framework, CASES["missing=maybe"])
    serve(framework, CASES["missing=maybe"])
    (problem,) = tracium.report().problems
    assert "missing is 'maybe'" in problem
    assert len([record for record in caplog.records if record.name == "tracium"]) == 1


HANDLED = "the app's own answer"


def starlette_with(*kinds):
    def build(handler, **options):
        app = starlette_app(lambda: None, **options)
        for kind in kinds:
            app.add_exception_handler(kind, handler)
        return app

    return build


def fastapi_with(kind):
    def build(handler, **options):
        app = fastapi_app(lambda: None, **options)
        app.exception_handler(kind)(handler)
        return app

    return build


def answer_now(request, error):
    return PlainTextResponse(f"{HANDLED}: {error.detail}", error.status_code, error.headers)


async def answer_later(request, error):
    await asyncio.sleep(0)
    return answer_now(request, error)


@pytest.mark.parametrize("handler", [answer_now, answer_later])
@pytest.mark.parametrize(
    "build",
    [
        starlette_with(HTTPException),
        starlette_with(401, 400),
        starlette_with(HTTPException, Exception),
        fastapi_with(HTTPException),
        fastapi_with(fastapi.HTTPException),
        fastapi_with(401),
    ],
)
def test_the_apps_own_handler_answers(build, handler):
    """As it answers an HTTPException that a route raises."""
    app = build(handler, resolver=RESOLVERS["header"], missing="reject")
    status, headers, body = call_asgi(app, None)
    assert (status, body.partition(":")[0]) == (401, HANDLED)
    assert "needs a tenant" in body
    assert headers["www-authenticate"] == 'Tenant header="X-Tenant-ID"'


@pytest.mark.parametrize("kind", [Exception, 500])
@pytest.mark.parametrize("build", [starlette_with, fastapi_with])
def test_a_handler_of_faults_does_not_answer_for_a_client(build, kind):
    """Starlette does not ask it for an HTTPException either: it makes a 500 of whatever it gets."""

    async def on_fault(request, error):
        return PlainTextResponse("Something went wrong.", 500)

    app = build(kind)(on_fault, resolver=RESOLVERS["header"])
    assert call_asgi(app, TOO_LONG)[0] == 400


@pytest.mark.parametrize("kind", [401, Exception])
def test_flasks_own_handler_answers(kind):
    """As it answers `abort()`; Flask asks that of Exception too."""
    app = flask_app(lambda: None, resolver=RESOLVERS["header"], missing="reject")
    app.errorhandler(kind)(lambda error: (f"{HANDLED}: {error.description}", error.code))
    status, _, body = call_wsgi(app, None)
    assert (status, body.partition(":")[0]) == (401, HANDLED)
    assert "needs a tenant" in body


def websocket_app(framework, seen, **options):
    async def raw(scope, receive, send):
        seen.append(tracium.get_current_tenant())
        await send({"type": "websocket.accept", "code": "accepted"})

    async def endpoint(websocket):
        await raw(websocket.scope, websocket.receive, websocket.send)

    if framework == "asgi":
        return asgi.TenantMiddleware(raw, **options)
    kind, ours = {
        "starlette": (Starlette, tracium_starlette.TenantMiddleware),
        "fastapi": (fastapi.FastAPI, tracium_fastapi.TenantMiddleware),
    }[framework]
    # Its handler of HTTP is not asked.
    app = kind(routes=[WebSocketRoute("/", endpoint)], exception_handlers={HTTPException: fail})
    app.add_middleware(ours, **options)
    return app


@pytest.mark.parametrize("framework", ["asgi", "starlette", "fastapi"])
@pytest.mark.parametrize("resolver", ["header", "callable", "async callable"])
@pytest.mark.parametrize(("sent", "refused"), [(b"acme", None), (None, 401), (b"", 401), (TOO_LONG, 400)])
@pytest.mark.parametrize("extensions", [{}, {"extensions": {}}, {"extensions": {"websocket.http.response": {}}}])
def test_websocket(framework, resolver, sent, refused, extensions):
    """One that is refused is answered with HTTP where the server can, else closed with 1008, before the app is called."""
    seen = []
    app = websocket_app(framework, seen, resolver=RESOLVERS[resolver], missing="reject")
    status, headers, body = call_asgi(app, sent, type="websocket", scheme="ws", subprotocols=[], **extensions)
    if refused is None:
        assert (status, seen) == ("accepted", ["acme"])
    elif extensions.get("extensions"):
        assert (status, seen) == (refused, [])
        assert list(json.loads(body)) == ["detail"]
        assert ("www-authenticate" in headers) is (refused == 401)
    else:
        assert (status, seen) == (1008, [])


def test_reason_of_a_close_is_short_enough():
    """A control frame has no more than 123 bytes for it (RFC 6455, section 5.5)."""
    reasons = []

    async def send(message):
        reasons.append(message["reason"])

    for sent in ([], [(b"x-tenant-id", TOO_LONG)]):
        app = asgi.TenantMiddleware(None, RESOLVERS["header"], missing="reject")
        asyncio.run(app({"type": "websocket", "headers": sent}, None, send))
    assert all(0 < len(reason.encode()) <= 123 for reason in reasons)
    assert len(set(reasons)) == 2


def test_lifespan_goes_through():
    """It is no request, so nobody is asked for its tenant."""
    scopes = []

    async def app(scope, receive, send):
        scopes.append(scope["type"])

    asyncio.run(asgi.TenantMiddleware(app, fail, missing="reject")({"type": "lifespan"}, None, None))
    assert scopes == ["lifespan"]


WRONG_SETTINGS = [
    ("", "SettingError: TRACIUM_TENANT_RESOLVER is not set"),
    ("settings.TRACIUM_TENANT_RESOLVER = None", "SettingError: TRACIUM_TENANT_RESOLVER is not set"),
    (
        "settings.TRACIUM_TENANT_RESOLVER = 'shop.nothing'",
        "SettingError: TRACIUM_TENANT_RESOLVER is 'shop.nothing', which",
    ),
    (
        "settings.TRACIUM_TENANT_RESOLVER = 'nowhere.at.all'",
        "SettingError: TRACIUM_TENANT_RESOLVER is 'nowhere.at.all'",
    ),
    ("settings.TRACIUM_TENANT_RESOLVER = 'nothing'", "SettingError: TRACIUM_TENANT_RESOLVER is 'nothing', which"),
    ("settings.TRACIUM_TENANT_RESOLVER = 'shop.NUMBER'", "SettingError: resolver is 5, but it must be"),
    ("settings.TRACIUM_TENANT_RESOLVER = 'shop.resolve'", "None"),
    ("settings.TRACIUM_TENANT_RESOLVER = 'shop.RESOLVER'", "None"),
    (
        "settings.TRACIUM_TENANT_MISSING = 'shop.nothing'",
        "SettingError: TRACIUM_TENANT_MISSING is 'shop.nothing', which",
    ),
    ("settings.TRACIUM_TENANT_MISSING = 'shop.NUMBER'", "SettingError: missing is 5, but it must be"),
    ("settings.TRACIUM_TENANT_MISSING = 'maybe'", "SettingError: missing is 'maybe', but it must be"),
    ("settings.TRACIUM_TENANT_MISSING = 'shop.resolve'", "None"),
    ("settings.TRACIUM_TENANT_MISSING = settings.TRACIUM_TENANT_MISSING.__eq__", "None"),
]


def test_django_refuses_wrong_settings_when_it_starts(tmp_path):
    """When a handler is made, and not by each request; a dotted path is imported, of a function or a resolver."""
    (tmp_path / "shop.py").write_text(
        "from tracium.frameworks.resolvers import from_header\n"
        "NUMBER = 5\n"
        "RESOLVER = from_header('X-Tenant-ID', trusted_proxy=True)\n"
        "def resolve(request): return request.headers.get('X-Tenant-ID')\n"
    )
    tries = f"""
    this["configure_django"]()
    from django.conf import settings
    from django.core.handlers.asgi import ASGIHandler
    from django.core.handlers.wsgi import WSGIHandler
    for statement in {[statement for statement, _ in WRONG_SETTINGS]!r}:
        exec(statement)
        for handler in (WSGIHandler, ASGIHandler):
            try:
                print(handler() and None)
            except Exception as error:
                print(f"{{type(error).__name__}}: {{error}}")
    """
    lines = run(tries, cwd=tmp_path).stdout.splitlines()
    expected = [sentence for _, sentence in WRONG_SETTINGS for _ in range(2)]
    assert len(lines) == len(expected)
    assert all(line.startswith(sentence) for line, sentence in zip(lines, expected, strict=True)), lines


IN_TRACED_PROCESS = """
import tracium
tracium.{way}()
from opentelemetry import trace
from opentelemetry.instrumentation.asgi import OpenTelemetryMiddleware as OfAsgi
from opentelemetry.instrumentation.wsgi import OpenTelemetryMiddleware as OfWsgi

tracer = trace.get_tracer("shop")
if any(name.startswith("django") for name in {frameworks}):
    this["configure_django"]()
for framework in {frameworks}:
    for sets in (False, True):
        path = f"/{{framework.replace(', ', '-')}}/{{sets}}"

        def view():
            assert tracium.get_current_tenant() is None
            with tracer.start_as_current_span("before", attributes={{"path": path}}):
                pass
            if sets:
                tracium.set_tenant("acme")
            with tracer.start_as_current_span("after"):
                assert tracium.get_current_tenant() == ("acme" if sets else None)

        build, call = this["FRAMEWORKS"][framework]
        app = build(view, resolver=lambda native: None, missing="allow", default="anonymous")
        # What others are instrumented with anyway.
        app = {{"asgi": OfAsgi, "wsgi": OfWsgi}}.get(framework, lambda app: app)(app)
        assert call(app, None, path=path)[0] == 200
assert tracium.flush()
"""


def tenants_of_requests(way, frameworks):
    """The tenants of each request's own span and of those of its view, by its path."""
    with http_receiver() as receiver:
        run(IN_TRACED_PROCESS.format(way=way, frameworks=frameworks), receiver)
    requests = {}
    for before in (span for span in receiver.spans if span.name == "before"):
        trace = [span for span in receiver.spans if span.trace_id == before.trace_id]
        (server,) = [span for span in trace if span.kind == 2]
        (after,) = [span for span in trace if span.name == "after"]
        requests[before.attributes["path"]] = (server.tenant, before.tenant, after.tenant)
    return requests


@pytest.fixture(scope="module")
def default_tenants():
    """Those of every framework with `default="anonymous"`, in one process."""
    return tenants_of_requests("trace", [name for name in FRAMEWORKS if name != "flask, init_app"])


@pytest.mark.parametrize("framework", [name for name in FRAMEWORKS if name != "flask, init_app"])
def test_a_default_never_binds(framework, default_tenants):
    """Spans have it and `get_current_tenant()` does not; the first tenant that is set takes the request's own span."""
    path = f"/{framework.replace(', ', '-')}"
    assert default_tenants[f"{path}/False"] == ("anonymous", "anonymous", "anonymous")
    assert default_tenants[f"{path}/True"] == ("acme", "anonymous", "acme")


@pytest.mark.parametrize("framework", ["asgi", "wsgi", "fastapi"])
def test_the_requests_own_span_also_where_tracium_instruments_nothing(framework):
    """After `init()`: the app is instrumented by itself, or by its own hand, around the middleware."""
    assert tenants_of_requests("init", [framework]) == {
        f"/{framework}/False": ("anonymous", "anonymous", "anonymous"),
        f"/{framework}/True": ("acme", "anonymous", "acme"),
    }


def test_assumed_outside_a_request(pipeline):
    """It does nothing: not on the open span, and not for the request that comes next."""
    with pipeline.tracer.start_as_current_span("job"):
        assume_tenant("anonymous")
        with pipeline.tracer.start_as_current_span("step"):
            pass
    with pipeline.tracer.start_as_current_span("GET /", kind=SpanKind.SERVER):
        pass
    assert pipeline.tenants() == {"step": None, "job": None, "GET /": None}


def test_assumed_in_a_request(pipeline):
    """Open spans carry it, and later ones; nobody is told it, and the next request does not have it."""
    with pipeline.tracer.start_as_current_span("GET /", kind=SpanKind.SERVER):
        with pipeline.tracer.start_as_current_span("auth"):
            assume_tenant("anonymous")
            assert tracium.get_current_tenant() is None
        with pipeline.tracer.start_as_current_span("call", kind=SpanKind.CLIENT):
            pass
        with tracium.tenant(None), pipeline.tracer.start_as_current_span("nobody's"):
            pass
    with pipeline.tracer.start_as_current_span("GET /next", kind=SpanKind.SERVER):
        pass
    assert pipeline.tenants() == {
        "auth": "anonymous",
        "call": "anonymous",
        "nobody's": None,
        "GET /": "anonymous",
        "GET /next": None,
    }


def test_the_first_tenant_that_is_set_replaces_what_was_assumed(pipeline):
    """On every open span; one that has ended keeps it, and so it is after a clear."""
    with pipeline.tracer.start_as_current_span("GET /", kind=SpanKind.SERVER):
        assume_tenant("anonymous")
        with pipeline.tracer.start_as_current_span("early"):
            pass
        with pipeline.tracer.start_as_current_span("open"):
            tracium.set_tenant("acme")
        tracium.set_tenant(None)
        with pipeline.tracer.start_as_current_span("late"):
            pass
    assert pipeline.tenants() == {"early": "anonymous", "open": "acme", "late": "acme", "GET /": "acme"}
    assert "tracium.tenant.mixed" not in pipeline.span("GET /").attributes


def test_assumed_where_a_tenant_stands(pipeline):
    """It changes nothing: neither what was set in the request, nor what the caller gave to a span."""
    with pipeline.tracer.start_as_current_span("GET /", kind=SpanKind.SERVER):
        tracium.set_tenant("acme")
        assume_tenant("anonymous")
        tracium.set_tenant(None)
        with pipeline.tracer.start_as_current_span("after"):
            pass
        with tracium.tenant(None), pipeline.tracer.start_as_current_span("nobody's"):
            assume_tenant("anonymous")
    with (
        pipeline.tracer.start_as_current_span("GET /given", kind=SpanKind.SERVER),
        pipeline.tracer.start_as_current_span("given", attributes={"tenant.id": "globex"}),
    ):
        assume_tenant("anonymous")
    assert pipeline.tenants() == {
        "after": "acme",
        "nobody's": None,
        "GET /": "acme",
        "given": "globex",
        "GET /given": "anonymous",
    }


def test_assumed_over_another_default(make_pipeline):
    """The nearer one counts: before the configured default, and the last before one before."""
    pipeline = make_pipeline("everyone")
    with pipeline.tracer.start_as_current_span("GET /", kind=SpanKind.SERVER) as span:
        assert tenant_of(span) == "everyone"
        assume_tenant("anonymous")
        assert tenant_of(span) == "anonymous"
        assume_tenant("guest")
        with pipeline.tracer.start_as_current_span("below"):
            pass
    with pipeline.tracer.start_as_current_span("GET /next", kind=SpanKind.SERVER):
        pass
    assert pipeline.tenants() == {"below": "guest", "GET /": "guest", "GET /next": "everyone"}


@pytest.mark.parametrize(
    ("tenant", "error"),
    [
        (None, tracium.TenantTypeError),
        (5, tracium.TenantTypeError),
        ("", tracium.TenantValueError),
        ("a\n", tracium.TenantValueError),
    ],
)
def test_what_cannot_be_a_tenant_is_not_assumed(tenant, error):
    """Loudly, also outside a request."""
    with pytest.raises(error):
        assume_tenant(tenant)
