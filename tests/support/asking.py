"""Every question there is, asked at once."""

from __future__ import annotations

import json

from tracium.server import queries
from tracium.server.plain import plain
from tracium.server.queries import Bucket, Field, Question, TenantFilter, TraceFilter


def every_answer(store, asker, time_range, *, trace_ids=(), span_ids=(), sessions=(), tenants=(), texts=()):
    """The answers of all questions about a range, in JSON's types, by name; ids, tenants and texts are looked for, too."""
    everybody = Question(time_range)
    found = {
        "tenants": queries.tenants(store, asker, everybody, search="-"),
        "overview": queries.overview(store, asker, everybody),
        "compare": queries.compare(store, asker, everybody, tenants or ("x", "y")),
        "models": queries.models(store, asker, everybody),
        "usage": queries.usage_export(store, asker, everybody),
        "unpriced": queries.unpriced(store, asker, everybody),
        "traces": queries.traces(store, asker, everybody),
        "errors": queries.errors(store, asker, everybody),
        "facets": queries.facets(store, asker, everybody, list(Field)),
    }
    for name in tenants:
        one = Question(time_range, TenantFilter.only(name))
        found[f"usage of {name!r}"] = queries.usage_over_time(store, asker, one, name, Bucket.HOUR)
        found[f"traces of {name!r}"] = queries.traces(store, asker, one)
        found[f"tenants {name!r}"] = queries.tenants(store, asker, one)
    for text in texts:
        wanted = TraceFilter(text=text, with_attributes=True)
        found[f"text {text!r}"] = queries.traces(store, asker, everybody, wanted)
        found[f"search {text!r}"] = queries.facets(store, asker, everybody, list(Field), search=text)
    for trace_id in trace_ids:
        found[f"trace {trace_id}"] = queries.trace(store, asker, trace_id, TenantFilter())
        found[f"waterfall {trace_id}"] = queries.trace(store, asker, trace_id, TenantFilter(), details=False)
        for span_id in span_ids:
            found[f"span {trace_id} {span_id}"] = queries.span(store, asker, trace_id, span_id, TenantFilter())
    for session in sessions:
        found[f"session {session!r}"] = queries.session(store, asker, everybody, session)
    return {name: plain(answer) for name, answer in found.items()}


def text_of(answers):
    """All answers as one text, in which a secret can be looked for; what was asked for is not in it."""
    return json.dumps(list(answers.values()), ensure_ascii=False)
