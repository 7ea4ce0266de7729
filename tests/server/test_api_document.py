"""Every operation of the OpenAPI document, asked by its own words and against them: each answer is one that it describes."""

from __future__ import annotations

import json
import time
from urllib.parse import quote, urlencode

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from support.otlp_requests import model_call, request, span

from tracium.server.api.openapi import document

DOCUMENT = document()
OPERATIONS = sorted(DOCUMENT["paths"])
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
# What no schema says, but everybody asks.
LIKELY = {"from": ["24h", "2026-01-01"], "to": ["now"], "tz": ["UTC", "Europe/Berlin"], "cursor": ["WzEsMl0"]}


@pytest.fixture(scope="module", autouse=True)
def sent(serving):
    """A trace with a call and an error."""
    root = span("acme")
    call = model_call("acme", tokens=(10, 1), trace_id=root.trace_id, parent=root.span_id, end=time.time_ns())
    failed = span(None, trace_id=root.trace_id, parent=root.span_id, attributes={"error.type": "E"})
    failed.status.code = 2
    assert serving.send(request(root, call, failed).SerializeToString())[0] == 200


def texts_of(name, schema):
    """Texts for a parameter, of which many are what its schema says and some are not."""
    if schema["type"] == "array":
        return st.lists(texts_of(name, schema["items"]).map("".join), max_size=3)
    if "enum" in schema:
        known = st.sampled_from(schema["enum"])
    elif schema["type"] == "integer":
        known = st.integers(schema["minimum"] - 1, schema["maximum"] + 1).map(str)
    elif schema["type"] == "number":
        known = st.floats().map(str)
    elif schema["type"] == "boolean":
        known = st.sampled_from(["true", "false"])
    else:
        known = st.sampled_from(LIKELY.get(name, ["acme", "0" * 16, "0" * 32])) | TEXTS
    return st.lists(st.one_of(known, known, known, TEXTS), min_size=1, max_size=1)


@st.composite
def urls(draw, path):
    """A URL below ``/api/v1``, and whether each of its texts is what the document says."""
    pairs, is_right = [], True
    for parameter in DOCUMENT["paths"][path]["get"].get("parameters", ()):
        if not parameter["required"] and draw(st.booleans()):
            continue
        texts = draw(texts_of(parameter["name"], parameter["schema"]))
        if parameter["in"] == "path":
            # An empty one would be another path.
            texts = [texts[0] or " "]
        is_right &= as_described(parameter["schema"], texts)
        if parameter["in"] == "path":
            path = path.replace(f"{{{parameter['name']}}}", quote(texts[0], safe=""))
        else:
            pairs += [(parameter["name"], text) for text in texts]
    return f"/api/v1{path}{'?' if pairs else ''}{urlencode(pairs)}", is_right


def as_described(schema, texts):
    value = texts if schema["type"] == "array" else texts[0]
    if schema["type"] in {"integer", "number", "boolean"}:
        try:
            value = json.loads(value)
        except ValueError:
            return False
    return Draft202012Validator(schema).is_valid(value)


@pytest.mark.parametrize("path", OPERATIONS)
def test_each_answer_is_described(serving, path):
    """Whatever is asked, status, content type and body are the document's, and what it does not allow is refused."""
    described = DOCUMENT["paths"][path]["get"]["responses"]

    @settings(max_examples=30, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck))
    @given(urls(path))
    def ask(asked):
        url, is_right = asked
        status, headers, body = serving.ask("GET", url)
        assert str(status) in described, (url, body)
        assert headers["Content-Type"] == "application/json"
        schema = described[str(status)]["content"]["application/json"]["schema"]
        Draft202012Validator({**schema, "components": DOCUMENT["components"]}).validate(json.loads(body))
        assert is_right or status == 400, (url, body)

    ask()
