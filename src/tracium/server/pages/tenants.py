"""The page of all tenants: who did, cost and suffered most."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, cast

from tracium.server.queries.tenants import TENANT_ORDERS, TenantOrder, tenants

if TYPE_CHECKING:
    from starlette.responses import Response

    from tracium.server.pages.page import Page
    from tracium.server.queries.tenants import TenantsReport
    from tracium.server.store import Store

OWN: Final = frozenset({"search", "sort", "order", "cursor"})
_ROWS: Final = 50


def tenants_page(page: Page, store: Store) -> Response:
    """``GET /tenants``."""
    view = page.view
    sort, order = view.get("sort") or "tokens", view.get("order") or "desc"
    if sort not in TENANT_ORDERS:
        raise ValueError(f"sort={sort!r} is no column of this table: choose from {', '.join(TENANT_ORDERS)}")
    if order not in {"asc", "desc"}:
        raise ValueError(f"order={order!r} is neither asc nor desc")
    own = {"search": view.get("search"), "sort": sort, "order": order}

    def report() -> TenantsReport:
        return tenants(
            store,
            page.principal,
            page.question,
            search=view.get("search"),
            sort=cast("TenantOrder", sort),
            ascending=order == "asc",
            limit=_ROWS,
            after=view.get("cursor"),
            compare=view.compare,
        )

    return page.answer(
        "tenants.html",
        store,
        {"report": report},
        title="Tenants",
        sort=sort,
        order=order,
        csv=page.export("tenants.csv", **own),
        json=page.export("tenants.json", **own),
    )
