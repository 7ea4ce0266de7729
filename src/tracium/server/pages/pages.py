"""Which pages there are, and whom each answers."""

from __future__ import annotations

from typing import Final

from tracium.server.access.route import ADMIN, NUMBERS, TRACES
from tracium.server.pages import compare, errors, overview, session, settings, tenant, tenants, trace, traces, usage
from tracium.server.pages.site import PageRoute

PAGES: Final = (
    PageRoute("/overview", overview.overview_page, NUMBERS, rows="overview"),
    PageRoute("/tenants", tenants.tenants_page, NUMBERS, tenants.OWN, rows="tenants"),
    PageRoute("/tenant", tenant.tenant_page, NUMBERS, rows="models"),
    PageRoute("/compare", compare.compare_page, NUMBERS, rows="compare"),
    PageRoute("/traces", traces.traces_page, TRACES, traces.OWN, rows="traces"),
    PageRoute("/traces/{trace_id}", trace.trace_page, TRACES, trace.OWN),
    PageRoute("/traces/{trace_id}/columns", trace.columns, TRACES, trace.OWN),
    PageRoute("/traces/{trace_id}/span", trace.named_span_page, TRACES, trace.NAMED),
    PageRoute("/traces/{trace_id}/spans/{span_id}", trace.span_page, TRACES, trace.OWN),
    PageRoute("/errors", errors.errors_page, TRACES, rows="errors"),
    PageRoute("/session", session.session_page, TRACES, session.OWN),
    PageRoute("/usage", usage.usage_page, NUMBERS, usage.OWN, rows="usage"),
    PageRoute("/settings", settings.settings_page, ADMIN, settings.OWN),
)
