"""The questions over HTTP: what they take, in which forms they answer, and that the document says so."""

from __future__ import annotations

import csv
import io
import json
import re
import time
import uuid
from urllib.parse import quote, urlencode

import pytest
from openapi_spec_validator import validate
from support.otlp_requests import fill, model_call, request, span

from tracium.server.api.openapi import document
from tracium.server.app import create_app


@pytest.fixture(scope="module")
def tenant():
    return f"tenant-{uuid.uuid4()}"


@pytest.fixture(scope="module")
def sent(serving, tenant):
    """A trace of two spans."""
    root = span(tenant)
    call = model_call(tenant, tokens=(1000, 100), trace_id=root.trace_id, parent=root.span_id, end=time.time_ns())
    for key, value in {
        "gen_ai.provider.name": "openai",
        "gen_ai.response.model": "gpt-4o-mini-2024-07-18",
        "gen_ai.input.messages": "x" * 5000,
        "session.id": "a/b c",
    }.items():
        fill(call.attributes.add(key=key).value, value)
    assert serving.send(request(root, call).SerializeToString())[0] == 200
    return root, call


def get(serving, path, pairs=(), **headers):
    query = f"?{urlencode(pairs)}" if pairs else ""
    status, answered, body = serving.ask("GET", f"/api/v1{path}{query}", None, headers)
    return status, answered, body.decode()


def told(serving, path, *pairs):
    status, _, body = get(serving, path, pairs)
    assert status == 200, body
    return json.loads(body)


def test_the_document_is_valid_and_has_every_route(store):
    """OpenAPI's own validator takes it, and what it says is what there is."""
    made = document()
    validate(made)
    described = {f"/api/v1{path}" for path in made["paths"]}
    ours = {
        re.sub(r":whole\}", "}", route.path)
        for route in create_app(store).routes
        if getattr(route.endpoint if hasattr(route, "endpoint") else None, "__module__", "")
        == "tracium.server.api.routes"
    }
    plain = {path for path in ours if path.startswith("/api/v1") and not path.endswith((".csv", ".json"))}
    assert plain | {"/api/v1/openapi.json"} == described
    assert {f"{path}.csv" for path in plain} - {"/api/v1/health.csv", "/api/v1/ready.csv"} <= ours


@pytest.mark.parametrize(
    "path",
    [
        "/tenants",
        "/overview",
        "/models",
        "/usage",
        "/unpriced",
        "/traces",
        "/errors",
        "/facets",
        "/compare?tenant=a&tenant=b",
    ],
)
def test_json_and_csv_have_the_same_rows(serving, sent, path):
    """By the path's ending and by the Accept header, under the fields that the document names."""
    path, _, query = path.partition("?")
    as_json = json.loads(get(serving, f"{path}.json?{query}")[2])
    status, headers, text = get(serving, f"{path}.csv?{query}")
    assert status == 200
    assert headers["Content-Type"].startswith("text/csv")
    lines = list(csv.DictReader(io.StringIO(text)))
    assert len(lines) == len(as_json["rows"])
    if lines:
        assert list(lines[0]) == list(as_json["rows"][0])
    assert get(serving, f"{path}?{query}", Accept="text/csv")[1]["Content-Type"].startswith("text/csv")


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("/tenants?colour=red", "there is no parameter 'colour' here: it knows compare, cursor, environment, from"),
        ("/tenants?from=yesterday", "from='yesterday' is neither a time in ISO 8601"),
        ("/tenants?from=2026-01-02&to=2026-01-01", "make no range"),
        ("/tenants?from=24h&from=1h", "from is given 2 times"),
        ("/tenants?tz=Mars/Olympus", "is no time zone"),
        ("/tenants?tz=../etc/passwd", "is no time zone"),
        ("/tenants?tenant=", "is no tenant"),
        ("/tenants?limit=0", "is no whole number from 1 to 10000"),
        ("/tenants?limit=000000000199999", "is no whole number from 1 to 10000"),
        (f"/tenants?limit={'1' * 5000}", "limit has more than 4096 characters"),
        (f"/tenants?{'tenant=a&' * 101}", "tenant is given 101 times: give it at most 100 times"),
        ("/traces?minimum_ms=1_0", "is no number of milliseconds"),
        ("/audit?limit=1&limit=2", "limit is given 2 times"),
        ("/audit?colour=red", "there is no parameter 'colour' here: it knows from, limit"),
        ("/audit?from=2026-01-01", "from='2026-01-01' is no time in ISO 8601 with a zone"),
        ("/tenants?sort=name", "is not one of tokens, tenant"),
        ("/tenants?cursor=abc", "is none of this list"),
        ("/tenants?cursor=W10", "is none of this list"),
        ("/traces?cursor=WyJ4IiwieCJd", "is none of this list"),
        ("/traces?minimum_ms=-1", "is no number of milliseconds"),
        ("/traces?minimum_ms=nan", "is no number of milliseconds"),
        ("/traces?status=bad", "is not one of error, ok"),
        ("/traces/xyz", "is no id: it has 32 hexadecimal digits"),
        ("/compare?tenant=a", "give from 2 to 6 different ones"),
        ("/tenants/a/usage?bucket=week", "is not one of 15m, hour, day, month"),
    ],
)
def test_what_is_wrong_is_a_sentence(serving, path, reason):
    """With the name, the value and what is allowed."""
    status, _, body = get(serving, path)
    assert status == 400
    assert reason in json.loads(body)["error"]


def test_what_is_not_there(serving):
    """A trace and a span that nobody has are 404; a tenant and a session that nobody has are empty."""
    assert get(serving, f"/traces/{'0' * 32}")[0] == 404
    assert get(serving, f"/traces/{'0' * 32}/spans/{'0' * 16}")[0] == 404
    assert told(serving, "/tenants/nobody/usage")["rows"] == []
    assert told(serving, "/sessions/nobody")["rows"] == []


@pytest.mark.parametrize(
    ("method", "path", "expected"),
    [
        ("GET", "/api/v1/colours", (404, None)),
        ("DELETE", "/api/v1/tokens", (405, "GET, HEAD, POST")),
        ("PUT", "/api/v1/tenants.csv", (405, "GET, HEAD")),
        ("DELETE", "/api/v1/store/snapshots/..", (404, None)),
    ],
)
def test_what_nobody_answers(serving, method, path, expected):
    """A path that is none, and one that is not for the method, are an error like all others."""
    status, headers, body = serving.ask(method, path)
    assert ((status, headers["Allow"]), headers["Content-Type"]) == (expected, "application/json")
    assert path.rpartition("/")[2] in json.loads(body)["error"]


def test_otlp_by_another_method(serving):
    """Exporters are told in their own form."""
    status, headers, body = serving.ask("GET", "/v1/traces", None, {"Content-Type": "application/json"})
    assert (status, headers["Allow"]) == (405, "POST")
    assert json.loads(body) == {"code": 12, "message": "/v1/traces is not for GET, but for POST."}


@pytest.mark.parametrize("name", ["a\nb", "a\n", "\r\n", "a/../b", "%2e", "ü\0"])
def test_a_tenant_of_any_name(serving, name):
    """Each has a path, and it is the tenant's alone."""
    unique = f"{uuid.uuid4()}{name}"
    assert serving.send(request(model_call(unique, tokens=(7, 0))).SerializeToString())[0] == 200
    path = quote(unique, safe="")
    assert told(serving, f"/tenants/{path}/usage")["rows"][0]["input_tokens"] == 7
    assert told(serving, f"/sessions/{path}")["session_id"] == unique


def test_a_tenant(serving, sent, tenant):
    """Its numbers are the same wherever they stand, and money is a string of digits."""
    asked = [("tenant", tenant)]
    (row,) = told(serving, "/tenants", *asked)["rows"]
    assert (row["tenant"], row["traces"], row["model_calls"], row["input_tokens"]) == (tenant, 1, 1, 1000)
    assert (row["cost"], row["unpriced_calls"], row["before"]["model_calls"]) == ("0.00021", 0, 0)
    assert told(serving, "/overview", *asked)["totals"]["cost"] == row["cost"]
    assert [one["cost"] for one in told(serving, "/usage", *asked)["rows"]] == [row["cost"]]
    assert [one["cost"] for one in told(serving, "/models", *asked)["rows"]] == [row["cost"]]
    assert [one["cost"] for one in told(serving, f"/tenants/{quote(tenant, safe='')}/usage")["rows"]] == [row["cost"]]
    compared = told(serving, "/compare", *asked, ("tenant", "nobody"))
    assert [one["traces"] for one in compared["rows"]] == [1, 0]


def test_a_trace(serving, sent, tenant):
    """Long texts are cut and their length told, the span has them whole, and a waterfall gets columns."""
    root, call = sent
    path = f"/traces/{root.trace_id.hex()}"
    trace = told(serving, path)
    first, second = trace["rows"] if trace["rows"][0]["name"] == "GET /" else trace["rows"][::-1]
    assert (trace["cost"], trace["model_calls"], trace["has_root"], first["has_parent"]) == ("0.00021", 1, True, False)
    assert len(second["attributes"]["gen_ai.input.messages"]) == 2000
    assert second["cut"] == {"gen_ai.input.messages": 5000}
    (whole,) = told(serving, f"{path}/spans/{call.span_id.hex()}")["rows"]
    assert len(whole["attributes"]["gen_ai.input.messages"]) == 5000
    columns = told(serving, path, ("columns", "true"))["columns"]
    assert sorted(columns["span_id"]) == sorted([root.span_id.hex(), call.span_id.hex()])
    assert "attributes" not in columns


def test_a_session_whose_id_has_a_slash(serving, sent, tenant):
    """Ids are percent-encoded, and what was said is there."""
    (turn,) = told(serving, f"/sessions/{quote('a/b c', safe='')}", ("tenant", tenant))["rows"]
    assert turn["content"]["gen_ai.input.messages"] == "x" * 5000


def test_reading_content_is_noted(serving, sent):
    """Before it is answered, under the trace's id; a waterfall has none to note."""
    trace_id = sent[0].trace_id.hex()
    noted = lambda: [one for one in told(serving, "/audit")["entries"] if one["target"] == trace_id]  # noqa: E731
    before = len(noted())
    told(serving, f"/traces/{trace_id}", ("columns", "true"))
    assert len(noted()) == before
    told(serving, f"/traces/{trace_id}")
    assert len(noted()) == before + 1


def test_cells_that_a_spreadsheet_would_run(serving):
    """A tenant's name that begins like a formula is text in CSV, and itself in JSON."""
    name = f"=cmd|{uuid.uuid4()}"
    serving.send(request(span(name)).SerializeToString())
    text = get(serving, "/tenants.csv", [("tenant", name)])[2]
    assert next(csv.DictReader(io.StringIO(text)))["tenant"] == f"'{name}"
    assert told(serving, "/tenants", ("tenant", name))["rows"][0]["tenant"] == name
