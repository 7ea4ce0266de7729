"""Every endpoint that reads: one table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tracium.server import queries
from tracium.server.access.principal import Grant, Kind
from tracium.server.access.route import NUMBERS, TRACES
from tracium.server.api import parameters as p
from tracium.server.api.endpoint import Asked, Endpoint
from tracium.server.api.question import bucket, compared, question, trace_filter
from tracium.server.api.range import RANGE
from tracium.server.api.spanreport import SpanReport
from tracium.server.queries import Bucket, Field, TenantFilter
from tracium.server.usage import TenantUsage

if TYPE_CHECKING:
    from tracium.server.api.endpoint import Report

_WHERE: Final = (*RANGE, p.ENVIRONMENT, p.SERVICE)


def _tenants(asked: Asked) -> Report:
    values = asked.values
    return queries.tenants(
        asked.store,
        asked.asker,
        question(values),
        search=values[p.SEARCH],
        sort=values[p.SORT],
        ascending=values[p.ORDER] is p.Direction.ASCENDING,
        limit=values[p.PAGE],
        after=values[p.CURSOR],
        compare=values[p.COMPARE],
    )


def _tenant_usage(asked: Asked) -> Report:
    tenant = asked.values[p.TENANT_ID]
    about = question(asked.values, TenantFilter.only(tenant))
    width = bucket(asked.values, about) or Bucket.DAY
    return queries.usage_over_time(asked.store, asked.asker, about, tenant, width)


def _compare(asked: Asked) -> Report:
    about = question(asked.values, TenantFilter())
    tenants = compared(asked.values)
    width = bucket(asked.values, about, len(tenants))
    return queries.compare(asked.store, asked.asker, about, tenants, bucket=width)


def _overview(asked: Asked) -> Report:
    values, about = asked.values, question(asked.values)
    width = bucket(values, about)
    return queries.overview(asked.store, asked.asker, about, bucket=width, compare=values[p.COMPARE])


def _models(asked: Asked) -> Report:
    return queries.models(asked.store, asked.asker, question(asked.values))


def _usage(asked: Asked) -> Report:
    return queries.usage_export(asked.store, asked.asker, question(asked.values))


def _unpriced(asked: Asked) -> Report:
    return queries.unpriced(asked.store, asked.asker, question(asked.values))


def _traces(asked: Asked) -> Report:
    values = asked.values
    # Who may not see attributes learns nothing of them by searching.
    sees_all = all(map(asked.asker.may, (Grant.ATTRIBUTES, Grant.CONTENT, Grant.STACKTRACES)))
    return queries.traces(
        asked.store,
        asked.asker,
        question(values),
        trace_filter(values, with_attributes=sees_all),
        limit=values[p.TRACES],
        after=values[p.CURSOR],
        live=values[p.LIVE],
    )


def _trace(asked: Asked) -> Report | None:
    values = asked.values
    tenants = TenantFilter.of(*values[p.TENANT], with_none=values[p.NONE])
    return queries.trace(asked.store, asked.asker, values[p.TRACE_ID], tenants, details=not values[p.COLUMNS])


def _span(asked: Asked) -> Report | None:
    values = asked.values
    tenants = TenantFilter.of(*values[p.TENANT], with_none=values[p.NONE])
    found = queries.span(asked.store, asked.asker, values[p.TRACE_ID], values[p.SPAN_ID], tenants)
    return None if found is None else SpanReport(rows=(found,))


def _session(asked: Asked) -> Report:
    return queries.session(asked.store, asked.asker, question(asked.values), asked.values[p.SESSION_ID])


def _errors(asked: Asked) -> Report:
    return queries.errors(asked.store, asked.asker, question(asked.values), limit=asked.values[p.GROUPS])


def _facets(asked: Asked) -> Report:
    values = asked.values
    return queries.facets(
        asked.store,
        asked.asker,
        question(values),
        _fields(asked),
        search=values[p.SEARCH],
        limit=values[p.VALUES],
    )


def _fields(asked: Asked) -> tuple[Field, ...]:
    # Names of agents and users are read out of spans, which a token for numbers does not see.
    return tuple(
        field for field in asked.values[p.FIELD] if asked.asker.kind is not Kind.USAGE or not field.is_in_spans
    )


ENDPOINTS: Final = (
    Endpoint(
        "/tenants",
        "tenants",
        "What each tenant did, and what has changed since the period before.",
        (*p.ASKED, p.SEARCH, p.SORT, p.ORDER, p.PAGE, p.CURSOR, p.COMPARE),
        NUMBERS,
        _tenants,
        queries.TenantsReport,
        queries.TenantRow,
    ),
    Endpoint(
        "/tenants/{id:whole}/usage",
        "tenant_usage",
        "A tenant's model calls over time, by model and operation.",
        (p.TENANT_ID, *_WHERE, p.BUCKET),
        NUMBERS,
        _tenant_usage,
        queries.UsageOverTime,
        queries.ModelUsageAt,
    ),
    Endpoint(
        "/compare",
        "compare",
        "Tenants beside each other, and beside all that may be seen.",
        (*_WHERE, p.COMPARED, p.BUCKET),
        NUMBERS,
        _compare,
        queries.Comparison,
        TenantUsage,
    ),
    Endpoint(
        "/overview",
        "overview",
        "The totals of a range, and their course.",
        (*p.ASKED, p.BUCKET, p.COMPARE),
        NUMBERS,
        _overview,
        queries.Overview,
        queries.Point,
    ),
    Endpoint(
        "/models",
        "models",
        "What was called of each model.",
        p.ASKED,
        NUMBERS,
        _models,
        queries.ModelsReport,
        queries.ModelUsage,
    ),
    Endpoint(
        "/usage",
        "usage",
        "What each tenant used of each model in each month; the sums are those of the tenants.",
        p.ASKED,
        NUMBERS,
        _usage,
        queries.UsageExport,
        queries.UsageLine,
    ),
    Endpoint(
        "/unpriced",
        "unpriced",
        "Model calls without a price, and why; nothing for who may not see money.",
        p.ASKED,
        NUMBERS,
        _unpriced,
        queries.UnpricedReport,
        queries.Unpriced,
    ),
    Endpoint(
        "/traces",
        "traces",
        "Traces with a span that is all that is asked for at once, the newest first.",
        (*p.ASKED, *p.FILTER, p.TRACES, p.CURSOR, p.LIVE),
        TRACES,
        _traces,
        queries.TracesReport,
        queries.TraceRow,
    ),
    Endpoint(
        "/traces/{id}",
        "trace",
        "One trace; texts of more than 2,000 characters are cut, and `cut` has their length.",
        (p.TRACE_ID, p.TENANT, p.NONE, p.COLUMNS),
        TRACES,
        _trace,
        queries.Trace,
        queries.SpanDetail,
        p.TRACE_ID,
    ),
    Endpoint(
        "/traces/{id}/spans/{span_id}",
        "span",
        "One span, with every text whole.",
        (p.TRACE_ID, p.SPAN_ID, p.TENANT, p.NONE),
        TRACES,
        _span,
        SpanReport,
        queries.SpanDetail,
        p.TRACE_ID,
    ),
    Endpoint(
        "/sessions/{id:whole}",
        "session",
        "What was said in a session.",
        (p.SESSION_ID, *p.ASKED),
        TRACES,
        _session,
        queries.Session,
        queries.Turn,
        p.SESSION_ID,
    ),
    Endpoint(
        "/errors",
        "errors",
        "Errors, those that are alike together.",
        (*p.ASKED, p.GROUPS),
        TRACES,
        _errors,
        queries.ErrorsReport,
        queries.ErrorGroup,
    ),
    Endpoint(
        "/facets",
        "facets",
        "What there is to choose from, for lists and completions; agents and users are those of the range's last day, "
        "of its last hour where no tenant is named.",
        (*p.ASKED, p.FIELD, p.SEARCH, p.VALUES),
        NUMBERS,
        _facets,
        queries.Facets,
        queries.Facet,
    ),
)
