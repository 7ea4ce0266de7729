"""Who is let in: every kind of token at every route, and what ends a token."""

from __future__ import annotations

import json
import time
import uuid
from datetime import UTC, datetime, timedelta

import pytest
from google.rpc.status_pb2 import Status
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.util.re import parse_env_headers
from starlette.routing import Mount, Route
from support.otlp_requests import model_call, request
from support.serving import PROTOBUF, Serving

from tracium.server.access.attempts import Attempts
from tracium.server.access.operatorkey import found
from tracium.server.access.permit import Permit
from tracium.server.access.principal import Grant, Kind
from tracium.server.access.route import ANYONE, GuardedMount, GuardedRoute, OpenPaths
from tracium.server.app import create_app
from tracium.server.client import Endpoint, fetch_usage
from tracium.server.location import Directory
from tracium.server.scope import TenantScope
from tracium.server.timerange import TimeRange

KINDS = [kind.value for kind in Kind]
DAY = "from=2026-01-01T00:00:00Z&to=2026-01-02T00:00:00Z"

# Method, path, and the kinds that are answered with something other than 401 and 403; None: anyone.
ROUTES = [
    ("POST", "/v1/traces", {"ingest", "admin"}),
    ("POST", "/v1/logs", {"ingest", "admin"}),
    ("POST", "/v1/metrics", {"ingest", "admin"}),
    ("GET", "/api/v1/usage", {"usage", "read", "admin"}),
    ("GET", "/api/v1/tenants", {"usage", "read", "admin"}),
    ("GET", "/api/v1/traces", {"read", "admin"}),
    ("GET", "/api/v1/errors", {"read", "admin"}),
    ("GET", "/api/v1/openapi.json", set(KINDS)),
    ("GET", "/api/v1/tokens", {"admin"}),
    ("POST", "/api/v1/tokens", {"admin"}),
    ("DELETE", "/api/v1/tokens/{id}", {"admin"}),
    ("GET", "/api/v1/audit", {"admin"}),
    ("GET", "/api/v1/session", set(KINDS)),
    ("POST", "/api/v1/session", None),
    ("DELETE", "/api/v1/session", set(KINDS)),
    ("GET", "/ready", set(KINDS)),
    ("GET", "/health", None),
]


@pytest.fixture(scope="module")
def guarded(tmp_path_factory):
    """A server whose store has a token of each kind."""
    with Serving(tmp_path_factory.mktemp("guarded")) as server:
        server.tokens = {kind: make(server, kind=kind)["secret"] for kind in KINDS}
        yield server


def operator(server):
    return Endpoint(server.url, found(Directory(server.data)).token)


def make(server, **told):
    return operator(server).ask("POST", "/api/v1/tokens", told)


def ask(server, method, path, token=None, body=None, **headers):
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    if token is not None:
        sent["Authorization"] = f"Bearer {token}"
    if body is not None:
        sent["Content-Type"] = "application/json"
        body = json.dumps(body)
    return server.ask(method, path, body, sent)


def test_every_route_says_whom_it_answers(store):
    """A route without a word on that is refused when the application is made, and each one is in the table above."""
    all_routes = create_app(store).routes
    mounts = [route for route in all_routes if isinstance(route, GuardedMount)]
    plain = [route for route in all_routes if not isinstance(route, GuardedMount)]
    routes = {(next(iter(sorted(route.methods - {"HEAD"}))), route.path) for route in plain}
    known = {(method, path) for method, path, _ in ROUTES}
    # What other parts add is guarded by its kind; what is open to anyone is here, and nothing else.
    assert known <= routes
    assert {
        (method, route.path) for route in plain if route.audience is ANYONE for method in route.methods - {"HEAD"}
    } == {("POST", "/api/v1/session"), ("GET", "/health"), ("GET", "/api/v1/health"), ("GET", "/sign-in")}
    assert [mount.path for mount in mounts if mount.audience is ANYONE] == ["/static"]
    for bare in (Route("/x", lambda _: None), Mount("/y", lambda *_: None)):
        with pytest.raises(TypeError, match="does not say whom it answers"):
            OpenPaths([bare])


def test_what_is_open_below_a_path():
    """A mount that anyone may see opens what is below it, and nothing beside it."""
    paths = OpenPaths(
        [
            GuardedMount("/static", lambda *_: None, ANYONE),
            GuardedRoute("GET", "/pages/{name}", lambda _: None, ANYONE),
            GuardedRoute("GET", "/closed", lambda _: None, frozenset()),
        ]
    )
    assert paths.has("GET", "/static/app.js")
    assert paths.has("GET", "/pages/traces")
    assert not paths.has("POST", "/pages/traces")
    assert not any(paths.has("GET", path) for path in ("/static", "/statics", "/closed", "/pages/traces/1", "/"))


@pytest.mark.parametrize("kind", [*KINDS, None])
@pytest.mark.parametrize(("method", "path", "kinds"), ROUTES)
def test_each_kind_at_each_route(guarded, kind, method, path, kinds):
    """A kind is answered, forbidden, or without a token unauthorised; the answer says which kind it takes."""
    token = guarded.tokens.get(kind)
    status, headers, answer = ask(guarded, method, path.format(id="none"), token)
    if kinds is None or kind in kinds:
        assert status not in {401, 403}
    elif kind is None:
        assert (status, headers["www-authenticate"]) == (401, 'Bearer realm="tracium"')
    else:
        assert status == 403
        assert f"kind {kind} is not for this".encode() in answer


@pytest.mark.parametrize("path", ["/", "/api/v1/none", "/v1/none", "/health/", "/%2e%2e/health", "//health"])
def test_what_is_no_route_tells_nothing_either(guarded, path):
    """Without a token, what there is not looks like what there is."""
    assert ask(guarded, "GET", path)[0] == 401
    assert ask(guarded, "GET", path, guarded.tokens["admin"])[0] in {404, 307}


def wrong(token):
    prefix, kind, token_id, secret = token.split("_")
    turned = secret[:-1] + ("0" if secret[-1] != "0" else "1")
    return [
        "",
        "x",
        secret,
        f"{prefix}_{kind}_{token_id}_",
        f"{prefix}_{kind}_{token_id}_{turned}",
        f"{prefix}_admin_{token_id}_{secret}",
        f"{prefix}_{kind}_000000000000_{secret}",
        f"{token}x",
        token.upper(),
        "\xff" * 40,
    ]


def test_wrong_tokens(guarded):
    """Whichever part is wrong, the answer is the same."""
    answers = {
        (status, headers["www-authenticate"], body)
        for status, headers, body in (
            ask(guarded, "GET", "/api/v1/session", token) for token in wrong(guarded.tokens["usage"])
        )
    }
    ((status, challenge, body),) = answers
    assert (status, challenge) == (401, 'Bearer realm="tracium", error="invalid_token"')
    assert b"not valid here, or no longer" in body
    assert ask(guarded, "GET", "/api/v1/session", Authorization="Basic eDp5")[0] == 401


def test_an_exporter_is_told_in_its_own_words(guarded):
    """OTLP's answer to a missing token is a status of google.rpc."""
    status, headers, answer = guarded.send(b"", PROTOBUF)
    told = Status.FromString(answer)
    assert (status, headers["content-type"], told.code) == (401, PROTOBUF, 16)
    assert "Authorization: Bearer TOKEN" in told.message


def test_too_many_wrong_tokens(tmp_path):
    """After some, 429 says when to come back; a right token from the same address is never kept waiting."""
    with Serving(tmp_path / "d", "--require-token") as server:
        statuses = [ask(server, "GET", "/ready", "wrong") for _ in range(30)]
        assert {status for status, _, _ in statuses[:20]} == {401}
        assert {status for status, _, _ in statuses[20:]} == {429}
        assert statuses[-1][1]["retry-after"] == "60"
        assert operator(server).ask("GET", "/ready") == {"status": "ready"}


def test_attempts_are_counted_in_bounded_memory():
    """Windows end, an IPv6 network counts as one, and a flood of addresses costs no memory."""
    now = 0.0
    attempts = Attempts(lambda: now)
    assert [attempts.another(f"2001:db8::{index:x}") for index in range(25)] == [False] * 20 + [True] * 5
    now = 60.0
    assert not attempts.another("2001:db8::1")
    for index in range(20_000):
        attempts.another(f"10.{index >> 16}.{index >> 8 & 255}.{index & 255}")
    assert len(attempts._windows) == 10_000


def test_a_server_without_tokens_is_open_until_there_is_one(tmp_path):
    """The first token closes it at once, and its end does not open it again."""
    with Serving(tmp_path / "d") as server:
        assert ask(server, "GET", "/ready")[0] == 200
        assert ask(server, "GET", "/ready", "whatever")[0] == 200
        made = ask(server, "POST", "/api/v1/tokens", body={"kind": "read"})
        assert made[0] == 201
        token = json.loads(made[2])
        assert ask(server, "GET", "/ready")[0] == 401
        assert ask(server, "GET", "/ready", token["secret"])[0] == 200
        operator(server).ask("DELETE", f"/api/v1/tokens/{token['token']['id']}")
        assert ask(server, "GET", "/ready", token["secret"])[0] == 401
        assert ask(server, "GET", "/ready")[0] == 401


def test_tokens_outlive_the_server(tmp_path):
    """A token that was made before holds after a restart; the operator's key of before does not."""
    with Serving(tmp_path / "d") as server:
        secret = make(server, kind="usage")["secret"]
        before = found(Directory(server.data)).token
        assert server.end() == 0
    assert found(Directory(tmp_path / "d")) is None
    with Serving(tmp_path / "d") as server:
        assert ask(server, "GET", "/ready", secret)[0] == 200
        assert ask(server, "GET", "/ready", before)[0] == 401


def test_the_operators_key_is_the_owners_alone(guarded):
    """Nobody else on the machine can read it, and an older file's permissions do not survive."""
    file = Directory(guarded.data).operator_key
    assert file.stat().st_mode & 0o777 == 0o600


def test_expiry(guarded):
    """A token is refused from the moment on that it was made for."""
    expires = datetime.now(UTC) + timedelta(seconds=2)
    secret = make(guarded, kind="read", expires=expires.isoformat())["secret"]
    assert ask(guarded, "GET", "/api/v1/session", secret)[0] == 200
    time.sleep(max((expires - datetime.now(UTC)).total_seconds(), 0) + 0.01)
    assert ask(guarded, "GET", "/api/v1/session", secret)[0] == 401


def test_revocation(guarded):
    """After the answer to the revocation no request is let in; a second one changes nothing."""
    made = make(guarded, kind="read", name="for Bob")
    path = f"/api/v1/tokens/{made['token']['id']}"
    assert ask(guarded, "GET", "/api/v1/session", made["secret"])[0] == 200
    revoked = operator(guarded).ask("DELETE", path)
    assert ask(guarded, "GET", "/api/v1/session", made["secret"])[0] == 401
    assert operator(guarded).ask("DELETE", path) == revoked
    assert revoked["name"] == "for Bob"
    assert ask(guarded, "DELETE", "/api/v1/tokens/none", guarded.tokens["admin"])[0] == 404


def test_the_secret_is_shown_once(guarded):
    """No list and no file of the store has it."""
    made = make(guarded, kind="read", tenants=["acme", "org_1:*"], grants=["cost"])
    listed = operator(guarded).ask("GET", "/api/v1/tokens")
    assert made["token"] in listed["tokens"]
    secret = made["secret"].rpartition("_")[2]
    assert len(bytes.fromhex(secret)) == 32
    assert secret not in json.dumps(listed)
    assert not any(
        secret.encode() in file.read_bytes() for file in Directory(guarded.data).path.rglob("*") if file.is_file()
    )


@pytest.mark.parametrize(
    ("told", "reason"),
    [
        ({}, "'' is no kind of a token: choose from ingest, usage, read, admin"),
        ({"kind": "root"}, "'root' is no kind"),
        ({"kind": "admin", "tenants": ["a"]}, "an admin token rules over every tenant"),
        ({"kind": "read", "grants": ["cost"]}, "sees everything of its kind"),
        ({"kind": "read", "tenants": ["a"], "grants": ["all"]}, "'all' is no grant"),
        ({"kind": "usage", "tenants": ["a"], "grants": ["content"]}, "kind usage cannot be granted content"),
        ({"kind": "ingest", "tenants": ["a"], "grants": ["cost"]}, "kind ingest cannot be granted cost"),
        ({"kind": "read", "tenants": [""]}, "at least one character"),
        ({"kind": "read", "tenants": "acme"}, "tenants has to be a list of text"),
        ({"kind": "read", "name": "x" * 256}, "name has to be text of at most 255 characters"),
        ({"kind": "read", "expires": "tomorrow"}, "'tomorrow' is no time in ISO 8601"),
        ({"kind": "read", "expires": "2036-01-01T00:00:00"}, "with a zone"),
        ({"kind": "read", "expires": "0001-01-01T00:00:00+14:00"}, "is no time"),
        ({"kind": "read", "expires": "2020-01-01T00:00:00Z"}, "would never have held"),
    ],
)
def test_tokens_that_make_no_sense(guarded, told, reason):
    """What does not go together is refused with what is wrong."""
    status, _, answer = ask(guarded, "POST", "/api/v1/tokens", guarded.tokens["admin"], told)
    assert (status, reason in json.loads(answer)["error"]) == (400, True)


@pytest.mark.parametrize(
    ("body", "content_type", "status"),
    [("{", "application/json", 400), ("[]", "application/json", 400), ("[" * 60_000, "application/json", 400),
     ("x" * 70_000, "application/json", 413), ('{"kind": "read"}', "text/plain", 400)],
)  # fmt: skip
def test_bodies_that_are_none(guarded, body, content_type, status):
    """A body is a small JSON object that says so."""
    headers = {"Authorization": f"Bearer {guarded.tokens['admin']}", "Content-Type": content_type}
    assert guarded.ask("POST", "/api/v1/tokens", body, headers)[0] == status


def last_hour():
    now = datetime.now(UTC)
    return TimeRange(now - timedelta(hours=1), now + timedelta(hours=1))


def test_a_token_reads_its_tenants_only(guarded):
    """Everything is what it may see, another's name is that of nobody, and a pattern is at colons."""
    ours, theirs = f"o-{uuid.uuid4()}", f"t-{uuid.uuid4()}"
    sent = request(*(model_call(name, tokens=(1, 1)) for name in (ours, f"{ours}:a", f"{ours}x", theirs, None)))
    headers = {"Authorization": f"Bearer {guarded.tokens['ingest']}"}
    assert guarded.send(sent.SerializeToString(), **headers)[0] == 200
    token = make(guarded, kind="usage", tenants=[ours, f"{ours}:*"])["secret"]
    reader = Endpoint(guarded.url, token)
    everything = fetch_usage(reader, TenantScope.all(), last_hour())
    assert {row.tenant for row in everything.tenants} == {ours, f"{ours}:a"}
    assert [row.tenant for row in fetch_usage(reader, TenantScope.of(f"{ours}:a"), last_hour()).tenants] == [
        f"{ours}:a"
    ]
    for name in (theirs, f"{ours}x", "nobody"):
        assert fetch_usage(reader, TenantScope.of(name), last_hour()).tenants == ()


def test_a_token_writes_its_tenants_only(guarded):
    """Another's span is refused as partial success, one without a tenant gets the token's, and the sender learns no more."""
    ours, theirs = f"o-{uuid.uuid4()}", f"t-{uuid.uuid4()}"
    sent = request(*(model_call(name, tokens=(1, 1)) for name in (ours, theirs, None))).SerializeToString()
    secret = make(guarded, kind="ingest", tenants=[ours])["secret"]
    status, _, answer = guarded.send(sent, Authorization=f"Bearer {secret}")
    told = ExportTraceServiceResponse.FromString(answer).partial_success
    assert (status, told.rejected_spans) == (200, 1)
    assert "1 of the items carry a tenant.id that is none of the token's" in told.error_message
    assert theirs not in told.error_message
    rows = {
        row.tenant: row.model_calls for row in fetch_usage(operator(guarded), TenantScope.all(), last_hour()).tenants
    }
    assert (rows[ours], rows.get(theirs)) == (2, None)
    # The same bytes from whoever may write them are another request.
    unbound = {"Authorization": f"Bearer {guarded.tokens['ingest']}"}
    assert guarded.send(sent, **unbound)[0] == 200
    rows = {
        row.tenant: row.model_calls for row in fetch_usage(operator(guarded), TenantScope.all(), last_hour()).tenants
    }
    assert rows[theirs] == 1


def test_an_app_that_sends_a_token(guarded):
    """The exporter of OpenTelemetry sends what OTEL_EXPORTER_OTLP_HEADERS says."""
    tenant = f"o-{uuid.uuid4()}"
    secret = make(guarded, kind="ingest", tenants=[tenant])["secret"]
    provider = TracerProvider(shutdown_on_exit=False)
    headers = parse_env_headers(f"authorization=Bearer%20{secret}", liberal=True)
    exporter = OTLPSpanExporter(f"{guarded.url}/v1/traces", headers=headers)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    with provider.get_tracer("tests").start_as_current_span("GET /"):
        pass
    provider.shutdown()
    assert [row.traces for row in fetch_usage(operator(guarded), TenantScope.of(tenant), last_hour()).tenants] == [1]


@pytest.mark.parametrize(
    ("permit", "shown"),
    [
        (Permit(Kind.READ), set(Grant)),
        (Permit(Kind.READ, ("a",)), set()),
        (Permit(Kind.READ, ("a",), frozenset({Grant.CONTENT})), {Grant.CONTENT}),
        (Permit(Kind.USAGE), {Grant.COST}),
        (Permit(Kind.USAGE, ("a",)), set()),
        (Permit(Kind.INGEST), set()),
        (Permit(Kind.ADMIN), set(Grant)),
    ],
)
def test_what_a_token_shows(permit, shown):
    """A tenant's token shows what was granted, another one what its kind is for."""
    assert permit.shown == shown


def test_the_audit_log(guarded):
    """Who made and revoked which token, and from where; the newest first, and nothing in the API takes it away."""
    made = make(guarded, kind="read", tenants=["acme"], grants=["content"], name="audited")
    operator(guarded).ask("DELETE", f"/api/v1/tokens/{made['token']['id']}")
    entries = operator(guarded).ask("GET", "/api/v1/audit?limit=2")["entries"]
    assert [
        (entry["principal"], entry["action"], entry["target"], entry["detail"], entry["address"]) for entry in entries
    ] == [
        ("operator", "token.revoke", made["token"]["id"], "", "127.0.0.1"),
        ("operator", "token.create", "audited", "kind=read tenants=acme grants=content", "127.0.0.1"),
    ]
    assert operator(guarded).ask("GET", "/api/v1/audit?from=2100-01-01T00:00:00Z") == {"entries": []}
    assert ask(guarded, "DELETE", "/api/v1/audit", guarded.tokens["admin"])[0] == 405
    for query in ("limit=0", "limit=x", "limit=99999999", "from=x"):
        assert ask(guarded, "GET", f"/api/v1/audit?{query}", guarded.tokens["admin"])[0] == 400
