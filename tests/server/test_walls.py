"""Every route of the application, asked with a tenant's tokens: nobody else's data is in any answer, nor decides one."""

from __future__ import annotations

import json
import os
import time
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import product
from urllib.parse import quote, urlencode

import pytest
from starlette.testclient import TestClient
from support.batches import read_traces
from support.otlp_requests import fill, model_call, request, span
from support.otlp_signals import log_request, metric, metric_request, record
from support.serving import Serving

from tracium.server.access.permit import Permit
from tracium.server.access.route import GuardedMount
from tracium.server.access.tokens import Tokens
from tracium.server.api.endpoints import ENDPOINTS
from tracium.server.app import create_app
from tracium.server.pages.pages import PAGES
from tracium.server.pages.view import SHARED
from tracium.server.queries import TENANT_ORDERS, Bucket, Field, Status, cursor

HOUR_NS = 3600 * 10**9
GRANTS = ("cost", "content", "attributes", "stacktraces")
HTML = {"Accept": "text/html"}


@dataclass(frozen=True)
class Names:
    """Everything by which one party can be known."""

    tenant: str | None
    word: str
    trace: bytes
    span: bytes

    @classmethod
    def of(cls, tenant, word):
        return cls(tenant, word, os.urandom(16), os.urandom(8))


RUN = uuid.uuid4().hex[:12]
CANARY = f"canary{RUN}"
US = Names.of("acme", "ours")
# A name that begins with ours and has other letters case-folded to ours.
THEM = Names.of(f"acme2{CANARY}", CANARY)
NOBODY = Names.of(None, f"{CANARY}none")
UNKNOWN = Names.of(f"acme2unkn{RUN}", f"unkn{RUN}")
MIXED = os.urandom(16)

# Where in a path something is named, and what there can be; a route that has other parts fails the test.
PLACES = {
    "/api/v1/tenants/{id:whole}/usage": lambda who: {"id": who.tenant},
    "/api/v1/traces/{id}": lambda who: {"id": who.trace.hex()},
    "/api/v1/traces/{id}/spans/{span_id}": lambda who: {"id": who.trace.hex(), "span_id": who.span.hex()},
    "/api/v1/sessions/{id:whole}": lambda who: {"id": who.word},
    "/api/v1/tokens/{id}": lambda who: {"id": who.word},
    "/api/v1/store/erasures/{id}": lambda _: {"id": "1"},
    "/api/v1/store/snapshots/{id}": lambda _: {"id": "1"},
    "/traces/{trace_id}": lambda who: {"trace_id": who.trace.hex()},
    "/traces/{trace_id}/columns": lambda who: {"trace_id": who.trace.hex()},
    "/traces/{trace_id}/span": lambda who: {"trace_id": who.trace.hex()},
    "/traces/{trace_id}/spans/{span_id}": lambda who: {"trace_id": who.trace.hex(), "span_id": who.span.hex()},
}
# What a query can say, by parameter; one that is not here fails the test.
SAYS = {
    **dict.fromkeys(("from", "to", "tz", "range", "storage", "next"), ()),
    "tenant": (US.tenant, THEM.tenant, UNKNOWN.tenant, f"{THEM.tenant}:*", "*"),
    "none": ("true",),
    "search": ("ac", CANARY),
    "text": (CANARY, "ours"),
    **dict.fromkeys(
        ("environment", "service", "model", "agent", "user", "session", "operation", "error_type"), ("ours", CANARY)
    ),
    "sort": TENANT_ORDERS,
    "order": ("asc",),
    "cursor": (cursor.write("tokens", 10**6, THEM.tenant), cursor.write(str(time.time_ns()), THEM.trace.hex())),
    "compare": ("false",),
    "bucket": tuple(Bucket),
    "status": tuple(Status),
    "minimum_ms": ("1",),
    "live": ("true",),
    "columns": ("true",),
    "field": tuple(Field),
    "limit": ("1",),
    "span": (US.span.hex(), THEM.span.hex()),
    "name": ("ours", CANARY),
    "id": (US.span.hex()[:4], THEM.span.hex()[:4]),
}  # fmt: skip


def stem(path):
    """A path without the ending that chooses the form."""
    return path.removesuffix(".csv").removesuffix(".json")


@pytest.fixture(scope="module")
def routes(store):
    """Every route that there is, from the application itself."""
    return create_app(store).routes


def filled(path, who):
    values = PLACES[stem(path)](who) if "{" in path else {}
    for name, value in values.items():
        for part in (f"{{{name}}}", f"{{{name}:whole}}"):
            path = path.replace(part, quote(value, safe=""))
    assert "{" not in path, f"{path} has a part that PLACES does not know"
    return path


def parameters_of(path):
    """What a GET route can be asked, from the tables that the routes are made of."""
    for endpoint in ENDPOINTS:
        if stem(path) == f"/api/v1{endpoint.path}":
            return [one.name for one in endpoint.parameters if not one.in_path]
    for page in PAGES:
        if path in {page.path, f"{page.path}.csv", f"{page.path}.json"}:
            return sorted({*SHARED, *page.own})
    return []


def queries_of(path, *, all_of_them):
    """Query strings that name others, one parameter at a time."""
    known = parameters_of(path)
    base = [("from", BEGIN), ("to", END)] if "from" in known else []
    if path.startswith("/api/v1/compare"):
        base += [("tenant", US.tenant), ("tenant", THEM.tenant)]
    elif path == "/session":
        yield [*base, ("session", CANARY)]
        base = [*base, ("session", "ours")]
    yield base
    if path.startswith("/compare"):
        yield [*base, ("tenant", US.tenant), ("tenant", THEM.tenant)]
    if not all_of_them or stem(path) != path:
        return
    for name in known:
        # A page asks what its rows in the API ask.
        values = SAYS[name] if path.startswith("/api") else [one for one in SAYS[name] if one in {CANARY, THEM.tenant}]
        for value in values:
            yield [*base, (name, value)]


END_AT = datetime.now(UTC).replace(minute=7, second=0, microsecond=0) - timedelta(hours=1)
# What a page that comes in pieces says in the place of those that are missing yet.
COMING = b'<p class="coming" role="status">Asking the store \xe2\x80\xa6</p>'
BEGIN, END = ((END_AT - timedelta(hours=hours)).isoformat().replace("+00:00", "Z") for hours in (3, 0))
AT = int(END_AT.timestamp()) * 10**9 - HOUR_NS


def told(who, end, **options):
    """A span with a party's word in every field that takes one."""
    values = {"session.id": who.word, "user.id": who.word, "gen_ai.agent.name": who.word, "error.type": who.word}
    values |= {"gen_ai.request.model": who.word, "gen_ai.provider.name": who.word, "note": who.word, who.word: "x"}
    values |= {"gen_ai.input.messages": who.word, "server.address": who.word, "exception.stacktrace": who.word}
    one = model_call(who.tenant, tokens=(1000, 500), end=end, **{"name": who.word, **options})
    for key, value in values.items():
        fill(one.attributes.add(key=key).value, value)
    one.status.code, one.status.message = 2, f"{who.word} failed\n{who.word}"
    event = one.events.add(name=who.word, time_unix_nano=end)
    event.attributes.add(key=who.word).value.string_value = who.word
    one.links.add(trace_id=who.trace, span_id=who.span).attributes.add(key=who.word).value.string_value = who.word
    return one


def spans_of(who):
    """A trace of a party's own, and its part of the mixed one."""
    yield told(who, AT, trace_id=who.trace, span_id=who.span, parent=b"", kind=2)
    yield told(who, AT + HOUR_NS // 2, trace_id=who.trace, parent=who.span)
    yield told(who, AT + 7, trace_id=MIXED, parent=US.span)
    yield span(who.tenant, end=AT + 9, trace_id=MIXED, name=who.word, kind=1, attributes={"session.id": "ours"})
    yield told(who, AT - 5 * HOUR_NS, parent=who.span)


def plant(server, who):
    """Send everything of a party, as an administrator."""
    sent = request(*spans_of(who), service=who.word)
    place = sent.resource_spans[0].resource.attributes
    for key in ("deployment.environment.name", who.word):
        fill(place.add(key=key).value, who.word)
    values = {"session.id": who.word, who.word: who.word}
    logs = log_request(record(who.tenant, body=who.word, values=values, time_unix_nano=AT))
    metrics = metric_request(metric(who.word, "gauge", tenant=who.tenant, values=values, time_unix_nano=AT, as_int=1))
    for path, message in (("/v1/traces", sent), ("/v1/logs", logs), ("/v1/metrics", metrics)):
        status, _, body = server.send(message.SerializeToString(), path=path, authorization=f"Bearer {server.admin}")
        assert (status, body) == (200, b"")


def administer(server):
    """Everything that an administrator does in another tenant's name, so that their name is everywhere."""
    prices = f'[[price]]\nprovider = "{CANARY}"\nmodel = "{CANARY}"\ninput = 1.0\noutput = 2.0\n'
    for method, path, body in (
        ("POST", "/api/v1/tokens", {"kind": "read", "tenants": [THEM.tenant], "name": CANARY}),
        ("PUT", "/api/v1/prices", {"name": CANARY, "toml": prices}),
        *(
            ("PUT", "/api/v1/store/retention", {"signal": signal, "tenant": THEM.tenant, "days": 20})
            for signal in ("spans", "rollups")
        ),
        ("POST", "/api/v1/store/erasures", {"tenant": THEM.tenant, "user": f"{CANARY}gone"}),
    ):
        headers = {"Content-Type": "application/json", "Authorization": f"Bearer {server.admin}"}
        status, _, answer = server.ask(method, path, json.dumps(body), headers)
        assert status in {200, 201}, answer


def make(server, headers, **permit):
    status, _, body = server.ask(
        "POST", "/api/v1/tokens", json.dumps(permit), {"Content-Type": "application/json", **headers}
    )
    assert status == 201, body
    return json.loads(body)["secret"]


@pytest.fixture(scope="module")
def guarded(tmp_path_factory):
    """A server with our data only, and a token of ours of every kind with each grant, one with all, and one by pattern."""
    with Serving(tmp_path_factory.mktemp("walls")) as server:
        server.admin = make(server, {}, kind="admin")
        as_admin = {"Authorization": f"Bearer {server.admin}"}
        permits = [{"kind": "ingest"}, {"kind": "usage"}, {"kind": "usage", "grants": ["cost"]}, {"kind": "read"}]
        permits += [{"kind": "read", "grants": [grant]} for grant in GRANTS]
        permits += [{"kind": "read", "grants": list(GRANTS)}]
        server.ours = [make(server, as_admin, tenants=[US.tenant], **permit) for permit in permits]
        server.ours.append(make(server, as_admin, kind="read", tenants=[US.tenant, f"{US.tenant}:*"]))
        plant(server, US)
        yield server


def asked_of(routes, *, all_of_them):
    """Method and target of everything that is asked; not of all: of the API as JSON only, without queries."""
    for route in routes:
        if not all_of_them and not route.path.startswith(("/api", "/v1")):
            continue
        if not all_of_them and stem(route.path) != route.path:
            continue
        if isinstance(route, GuardedMount):
            yield "GET", f"{route.path}/none/{THEM.tenant}"
            continue
        for method in sorted(route.methods - {"HEAD"}):
            for who in (US, THEM) if "{" in route.path else (US,):
                for pairs in queries_of(route.path, all_of_them=all_of_them and method == "GET" and who is US):
                    target = filled(route.path, who)
                    yield method, f"{target}?{urlencode(pairs)}" if pairs else target
    for path in (f"/api/v1/traces/{MIXED.hex()}", f"/traces/{MIXED.hex()}", f"/traces/{MIXED.hex()}/columns"):
        yield "GET", path


def answers(server, routes, token, *, all_of_them):
    """Status, headers and body of everything, by what was asked."""
    found = {}
    for method, target in asked_of(routes, all_of_them=all_of_them):
        headers = {"Authorization": f"Bearer {token}", **({} if target.startswith(("/api", "/v1")) else HTML)}
        status, told_headers, body = server.ask(method, target, None, headers)
        # Neither the clock nor the moment at which a cookie ends is about anybody.
        timed = {"date", "set-cookie"} if method == "DELETE" else {"date"}
        # Nor is whether it took so long that it came in pieces.
        left_out = timed | {"content-length", "transfer-encoding", "x-accel-buffering"}
        kept = sorted((name.lower(), value) for name, value in told_headers.items() if name.lower() not in left_out)
        found[method, target] = status, kept, body.replace(COMING, b"")
    return found


@pytest.mark.timeout(600)
def test_nobody_else_is_in_any_answer(guarded, routes):
    """Every answer to our tokens is the same whether others have data or not, and has nothing of theirs in it."""
    widest = guarded.ours[-2]
    alone = {token: answers(guarded, routes, token, all_of_them=token == widest) for token in guarded.ours}
    plant(guarded, THEM)
    plant(guarded, NOBODY)
    administer(guarded)
    for token, before in alone.items():
        after = answers(guarded, routes, token, all_of_them=token == widest)
        for asked, answer in after.items():
            assert answer == before[asked], asked
            assert answer[0] < 500, (asked, answer)
            brought = CANARY in asked[1] or any(one.hex() in asked[1] for one in (THEM.trace, NOBODY.trace))
            text = repr(answer)
            theirs = (CANARY, THEM.trace.hex(), THEM.span.hex(), NOBODY.trace.hex(), NOBODY.span.hex())
            assert brought or not any(one in text for one in theirs), asked
    # There was something to be seen.
    seen = alone[widest]["GET", f"/api/v1/traces/{MIXED.hex()}"]
    assert seen[0] == 200
    assert len(json.loads(seen[2])["rows"]) == 2


def test_what_is_anothers_does_not_exist(guarded, routes):
    """What names another tenant's trace, span or session is answered as what names none, in status, headers and words."""
    for route, token in product(routes, guarded.ours):
        if isinstance(route, GuardedMount) or "{" not in route.path or "GET" not in route.methods:
            continue
        found = []
        for who in (THEM, UNKNOWN):
            headers = {"Authorization": f"Bearer {token}", **({} if route.path.startswith("/api") else HTML)}
            status, told_headers, body = guarded.ask("GET", filled(route.path, who), None, headers)
            text = body.decode()
            for name in filter(None, (who.tenant, who.word, who.trace.hex(), who.span.hex())):
                text = text.replace(name, "NAME")
            found.append((status, told_headers.get("content-type"), _without_moments(text)))
        assert found[0] == found[1], route.path


def _without_moments(text):
    """An answer without the range that it is about, where that goes on with the clock."""
    try:
        value = json.loads(text)
    except ValueError:
        return text
    return {key: one for key, one in value.items() if key not in {"from", "to"}} if isinstance(value, dict) else value


def test_anothers_id_is_looked_for_as_often(store, routes, monkeypatch):
    """An id that is another tenant's takes exactly the questions to the store that an unknown one takes."""
    app = create_app(store)
    asked = []
    rows = store.rows
    monkeypatch.setattr(store, "rows", lambda *arguments: asked.append(arguments[1].split()) or rows(*arguments))
    sent = request(*spans_of(THEM), *spans_of(US), service="x")
    store.commit([read_traces(sent.SerializeToString())])
    secret, token = Tokens(store).make(Permit.of("read", [US.tenant], GRANTS))
    try:
        client = TestClient(app, base_url="http://localhost", headers={"Authorization": f"Bearer {secret}"})
        client.get("/api/v1/session")
        for route in routes:
            if isinstance(route, GuardedMount) or "{" not in route.path or "GET" not in route.methods:
                continue
            counts = []
            # The first question looks for the prices of what nobody asked about before.
            for who in (UNKNOWN, THEM, UNKNOWN):
                asked.clear()
                client.get(filled(route.path, who), follow_redirects=False)
                counts.append(len([one for one in asked if "tracium_tokens" not in one]))
            assert counts[1] == counts[2], route.path
    finally:
        Tokens(store).revoke(token.id)
