"""What an operator can have done about what is kept; each deed is in the audit log before it is done."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tracium.server.access.audit import Audit
from tracium.server.keeping.erasure import Eraser
from tracium.server.keeping.expiry import Expiry
from tracium.server.keeping.rules import Retention
from tracium.server.keeping.sizes import measure
from tracium.server.keeping.snapshot import Snapshots
from tracium.server.keeping.subject import SubjectKey

if TYPE_CHECKING:
    from collections.abc import Callable

    from tracium.server.access.principal import Principal
    from tracium.server.keeping.expiry import Expired
    from tracium.server.keeping.held import Signal
    from tracium.server.keeping.receipt import Receipt
    from tracium.server.keeping.rules import Rule
    from tracium.server.keeping.sizes import Sizes
    from tracium.server.keeping.snapshot import Snapshot
    from tracium.server.keeping.subject import Person
    from tracium.server.store import Store


class Keeper:
    """Acts on a store that is open.

    Args:
        store: the open store.
        principal: in whose name.
        address: where the request came from; '' for a command that works on the store itself.
    """

    def __init__(self, store: Store, principal: Principal, address: str = "") -> None:
        self._store = store
        self._audit = Audit(store)
        self._principal = principal
        self._address = address

    def rules(self) -> tuple[Rule, ...]:
        """Every rule of retention that holds.

        Raises:
            StoreError: the store could not answer.
        """
        return Retention(self._store).rules().listed()

    def set_rule(self, signal: Signal, tenant: str | None, days: int | None) -> None:
        """Keep a signal for some days; None takes the rule back.

        Raises:
            ValueError: the number is none that can be kept.
            StoreError: it could not be written.
        """
        self._note("retention.set", signal, f"days={days} tenant={tenant or '(all)'}")
        Retention(self._store).set(signal, tenant, days)

    def apply(self) -> Expired:
        """Delete now what is past its retention, which is hidden already.

        Raises:
            StoreError: something could not be deleted.
        """
        self._note("retention.apply")
        return Expiry(self._store).apply()

    def erase(self, person: Person, progress: Callable[[int, int], None]) -> Receipt:
        """Erase all that belongs to a person.

        Raises:
            StoreError: it could not be begun, or not be finished yet.
        """
        # The audit log stays for ever: it names the erasure, not the person.
        kind = "user" if person.user else "tenant"
        self._note("store.delete", kind, f"subject={SubjectKey.of(self._store).of_store(self._store, person):016x}")
        receipt = Eraser(self._store).erase(person, progress)
        rows = " ".join(f"{table}={count}" for table, count in receipt.rows.items() if count)
        self._note("store.deleted", receipt.id, rows)
        return receipt

    def sizes(self) -> Sizes:
        """How much there is.

        Raises:
            StoreError: the store could not answer.
        """
        return measure(self._store)

    def snapshot(self) -> Snapshot:
        """Hold this moment fast for a backup.

        Raises:
            StoreError: the store is a server, or the disk did not take it.
        """
        self._note("store.backup")
        return Snapshots(self._store).make()

    def drop_snapshot(self, snapshot_id: str) -> None:
        """Let a moment go.

        Raises:
            StoreError: the store is a server, or the id is none.
        """
        Snapshots(self._store).drop(snapshot_id)

    def _note(self, action: str, target: str = "", detail: str = "") -> None:
        self._audit.note(self._principal, action, target, detail=detail, address=self._address)
