"""What `Keeper` does, done by the server that has the store open; needs nothing but the standard library."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from tracium.exceptions import StoreError
from tracium.server.keeping.expiry import Expired
from tracium.server.keeping.receipt import Receipt
from tracium.server.keeping.rules import Rule
from tracium.server.keeping.sizes import Sizes
from tracium.server.keeping.snapshot import Snapshot

if TYPE_CHECKING:
    from collections.abc import Callable

    from tracium.server.client import Endpoint
    from tracium.server.keeping.held import Signal
    from tracium.server.keeping.subject import Person

_PATH: Final = "/api/v1/store"
_POLL_SECONDS: Final = 0.2
# Deleting may rewrite much.
_PATIENCE_SECONDS: Final = 3600


class RemoteKeeper:
    """Asks a server; every method raises StoreError where the server refuses or does not answer."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint

    def rules(self) -> tuple[Rule, ...]:
        """Every rule of retention that holds."""
        return tuple(map(Rule.from_json, self._endpoint.ask("GET", f"{_PATH}/retention")["rules"]))

    def set_rule(self, signal: Signal, tenant: str | None, days: int | None) -> None:
        """Keep a signal for some days; None takes the rule back."""
        told = {"signal": signal.value, "tenant": tenant, "days": days}
        self._endpoint.ask("PUT", f"{_PATH}/retention", told)

    def apply(self) -> Expired:
        """Delete now what is past its retention, which is hidden already."""
        answer = self._endpoint.ask("POST", f"{_PATH}/retention/apply", timeout=_PATIENCE_SECONDS)
        return Expired(answer["partitions"], answer["rows"])

    def erase(self, person: Person, progress: Callable[[int, int], None]) -> Receipt:
        """Erase all that belongs to a person; goes on also if nobody waits for it."""
        told = {"tenant": person.tenant, "user": person.user}
        answer = self._endpoint.ask("POST", f"{_PATH}/erasures", told)
        while answer["receipt"] is None and answer["error"] is None:
            progress(answer["done"], answer["total"])
            time.sleep(_POLL_SECONDS)
            answer = self._endpoint.ask("GET", f"{_PATH}/erasures/{answer['id']}")
        if answer["receipt"] is None:
            raise StoreError(answer["error"])
        return Receipt.from_json(answer["receipt"])

    def sizes(self) -> Sizes:
        """How much there is."""
        return Sizes.from_json(self._endpoint.ask("GET", f"{_PATH}/size", timeout=_PATIENCE_SECONDS))

    def snapshot(self) -> Snapshot:
        """Hold this moment fast for a backup."""
        return Snapshot.from_json(self._endpoint.ask("POST", f"{_PATH}/snapshots", timeout=_PATIENCE_SECONDS))

    def drop_snapshot(self, snapshot_id: str) -> None:
        """Let a moment go."""
        self._endpoint.ask("DELETE", f"{_PATH}/snapshots/{snapshot_id}", timeout=_PATIENCE_SECONDS)
