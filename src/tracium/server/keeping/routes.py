"""Where the endpoints of `keeping` are, and whom they answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tracium.server.access.route import ADMIN, GuardedRoute
from tracium.server.keeping.api import KeepingApi

if TYPE_CHECKING:
    from tracium.server.store import Store


def keeping_routes(store: Store) -> list[GuardedRoute]:
    """What is kept how long, what is deleted, how much there is."""
    keeping = KeepingApi(store)
    return [
        GuardedRoute("GET", "/api/v1/store/retention", keeping.retention, ADMIN),
        GuardedRoute("PUT", "/api/v1/store/retention", keeping.set_retention, ADMIN),
        GuardedRoute("POST", "/api/v1/store/retention/apply", keeping.apply_retention, ADMIN),
        GuardedRoute("POST", "/api/v1/store/erasures", keeping.erase, ADMIN),
        GuardedRoute("GET", "/api/v1/store/erasures/{id}", keeping.erasing, ADMIN),
        GuardedRoute("GET", "/api/v1/store/size", keeping.size, ADMIN),
        GuardedRoute("POST", "/api/v1/store/snapshots", keeping.snapshot, ADMIN),
        GuardedRoute("DELETE", "/api/v1/store/snapshots/{id}", keeping.drop_snapshot, ADMIN),
    ]
