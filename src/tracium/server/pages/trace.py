"""The page of one trace, and of one of its spans."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from starlette.responses import JSONResponse

from tracium.server.pages.columns import columns_of
from tracium.server.pages.spantree import nested
from tracium.server.queries.trace import SpanDetail, Trace, named_span, span, trace
from tracium.server.queries.visibility import is_content

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.responses import Response

    from tracium.server.pages.page import Page
    from tracium.server.store import Store

OWN: Final = frozenset({"span"})
NAMED: Final = frozenset({"name", "id"})
# So many spans are in the table for whoever has no script.
_TABLE_ROWS: Final = 100
# In which order what was said is read.
_SAID: Final = {
    "gen_ai.system_instructions": "Instructions",
    "gen_ai.input.messages": "Input",
    "gen_ai.prompt": "Input",
    "input.value": "Input",
    "gen_ai.tool.call.arguments": "Arguments",
    "gen_ai.output.messages": "Output",
    "gen_ai.completion": "Output",
    "output.value": "Output",
    "gen_ai.tool.call.result": "Result",
}


def trace_page(page: Page, store: Store) -> Response:
    """``GET /traces/{trace_id}``."""
    found = _trace(page, store)
    wanted = page.view.get("span") or _first_look(found)
    shown = span(store, page.principal, found.trace_id, wanted, page.question.tenants) if wanted else None
    parts = _parts(page, store, found.trace_id, shown) if shown else {}
    return page.render(
        "trace.html",
        title=f"Trace {found.trace_id[:8]}",
        trace=found,
        trace_id=found.trace_id,
        rows=nested(found.rows)[:_TABLE_ROWS],
        span=shown,
        **parts,
        csv=f"/api/v1/traces/{found.trace_id}.csv",
        json=f"/api/v1/traces/{found.trace_id}.json",
    )


def span_page(page: Page, store: Store) -> Response:
    """``GET /traces/{trace_id}/spans/{span_id}``."""
    ids = page.request.path_params
    return _shown(page, store, ids["trace_id"], ids["span_id"])


def named_span_page(page: Page, store: Store) -> Response:
    """``GET /traces/{trace_id}/span?name=…&id=…``: the span of a name whose id begins so, as the columns tell it."""
    trace_id = page.request.path_params["trace_id"]
    known = page.view.get("name") or "", page.view.get("id") or ""
    found = named_span(store, page.principal, trace_id, known, page.question.tenants)
    if found is None:
        raise LookupError("this span is not here any more, or there are more of its kind now. Load the page again.")
    return _shown(page, store, trace_id, found)


def columns(page: Page, store: Store) -> Response:
    """``GET /traces/{trace_id}/columns``: what the waterfall is drawn from."""
    told = columns_of(nested(_trace(page, store).rows), page.view.get("span"))
    return JSONResponse(told, headers={"Cache-Control": "no-store"})


def _shown(page: Page, store: Store, trace_id: str, span_id: str) -> Response:
    shown = span(store, page.principal, trace_id, span_id, page.question.tenants)
    if shown is None:
        raise LookupError(f"there is no span {span_id!r} here.")
    parts = _parts(page, store, trace_id, shown)
    return page.render("span.html", title=shown.name, trace_id=trace_id, span=shown, **parts)


def _trace(page: Page, store: Store) -> Trace:
    trace_id = page.request.path_params["trace_id"]
    found = trace(store, page.principal, trace_id, page.question.tenants, details=False)
    if found is None:
        raise LookupError(f"there is no trace {trace_id!r} here.")
    return found


def _first_look(found: Trace) -> str:
    """The span to begin with: the first error that is deepest, or the first span."""
    errors = [row for row in found.rows if row.status == "Error"]
    return (errors[-1] if errors else nested(found.rows)[0][1]).span_id


def _parts(page: Page, store: Store, trace_id: str, shown: SpanDetail) -> dict[str, Any]:
    """What was said, apart from what else is known; that it is read is noted first."""
    if shown.has_content:
        page.note_reading(store, f"{trace_id}/{shown.span_id}")
    said = [(title, shown.attributes[key]) for key, title in _SAID.items() if key in shown.attributes]
    rest = {key: value for key, value in sorted(shown.attributes.items()) if key not in _SAID}
    return {"said": said, "attributes": _ordered(rest)}


def _ordered(attributes: Mapping[str, str]) -> list[tuple[str, str]]:
    """What is short before what is said at length."""
    return sorted(attributes.items(), key=lambda item: (is_content(item[0]), item[0]))
