"""Every question to the store: the only package that writes SQL which reads spans and numbers.

Each function takes the store, who asks (a `Principal`, whose scope is the wall around everything it sees and whose grants
decide about money and content), and a `Question`: when, whose, where. Each answers with a frozen dataclass that has `rows`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tracium.server.queries.bucket import Bucket
from tracium.server.queries.compare import Comparison, TenantCourse, compare, courses
from tracium.server.queries.cursor import CursorError
from tracium.server.queries.errors import ErrorGroup, ErrorsReport, errors
from tracium.server.queries.facets import Facet, Facets, Field, facets
from tracium.server.queries.models import (
    ModelsReport,
    ModelUsage,
    Unpriced,
    UnpricedReport,
    UsageExport,
    UsageLine,
    models,
    unpriced,
    usage_export,
)
from tracium.server.queries.question import Question
from tracium.server.queries.series import ModelUsageAt, Overview, Point, UsageOverTime, overview, usage_over_time
from tracium.server.queries.session import Session, Turn, session
from tracium.server.queries.tenantfilter import TenantFilter
from tracium.server.queries.tenants import TENANT_ORDERS, TenantOrder, TenantRow, TenantsReport, tenants, usage_report
from tracium.server.queries.trace import SpanDetail, SpanEvent, SpanLink, SpanRow, Trace, span, trace
from tracium.server.queries.tracefilter import Status, TraceFilter
from tracium.server.queries.traces import TraceRow, TracesReport, traces
from tracium.server.scope import TenantScope

if TYPE_CHECKING:
    from tracium.server.store import Store

__all__ = [
    "TENANT_ORDERS",
    "Bucket",
    "Comparison",
    "CursorError",
    "ErrorGroup",
    "ErrorsReport",
    "Facet",
    "Facets",
    "Field",
    "ModelUsage",
    "ModelUsageAt",
    "ModelsReport",
    "Overview",
    "Point",
    "Question",
    "Session",
    "SpanDetail",
    "SpanEvent",
    "SpanLink",
    "SpanRow",
    "Status",
    "TenantCourse",
    "TenantFilter",
    "TenantOrder",
    "TenantRow",
    "TenantsReport",
    "Trace",
    "TraceFilter",
    "TraceRow",
    "TracesReport",
    "Turn",
    "Unpriced",
    "UnpricedReport",
    "UsageExport",
    "UsageLine",
    "UsageOverTime",
    "compare",
    "courses",
    "errors",
    "facets",
    "models",
    "overview",
    "ready",
    "session",
    "span",
    "tenants",
    "trace",
    "traces",
    "unpriced",
    "usage_export",
    "usage_over_time",
    "usage_report",
]


def ready(store: Store) -> None:
    """Ask the store for a sign of life, which is nobody's data.

    Raises:
        StoreError: the store could not answer.
    """
    store.rows(TenantScope.all(), "SELECT 1 AS one")
