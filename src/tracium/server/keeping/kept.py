"""What the wall hides of every table: what is past its retention, and what was erased."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Final

from tracium.server.keeping.held import HELD
from tracium.server.keeping.rules import Retention, Rules, utc_now
from tracium.server.keeping.subject import SubjectKey
from tracium.server.keeping.tombstones import Tombstones, is_erased
from tracium.server.location import Server

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tracium.server.store import Store

# How long another server's change may stay unseen. A directory has one process, which sees its own at once.
_SECONDS: Final = 5.0


class Kept:
    """Knows the rules and whether anything was erased; asked with every question, so it answers from memory."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._is_shared = isinstance(store.location, Server)
        self._lock = threading.Lock()
        self._rules = Rules()
        self._erased: Mapping[str, str] = {}
        self._read_at = 0.0
        # While the tables are asked for them, there are no conditions yet.
        self._reading = threading.local()

    def conditions(self) -> dict[str, str]:
        """By table, SQL that holds for the rows that may be seen."""
        if getattr(self._reading, "now", False):
            return {}
        if self._is_shared and time.monotonic() - self._read_at > _SECONDS:
            self.refresh()
        now = utc_now()
        conditions = {table.name: self._rules.keeps(table, now) for table in HELD}
        for name, erased in self._erased.items():
            conditions[name] += f" AND NOT {erased}"
        return conditions

    def refresh(self) -> None:
        """Read the rules and the tombstones again.

        Raises:
            StoreError: the store could not answer.
        """
        self._reading.now = True
        try:
            rules = Retention(self._store).rules()
            erased: dict[str, str] = {}
            if Tombstones(self._store).all():
                key = SubjectKey.of(self._store)
                erased = {table.name: is_erased(key, table) for table in HELD}
        finally:
            self._reading.now = False
        with self._lock:
            self._rules, self._erased, self._read_at = rules, erased, time.monotonic()
