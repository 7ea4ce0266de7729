"""What was read from one request: what can be stored, and what had to be left out."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeVar

from tracium.server.refusal import BadBodyError

if TYPE_CHECKING:
    from collections.abc import Callable, MutableSequence

    from tracium.server.access.principal import Principal
    from tracium.server.access.restrict import Rejection
    from tracium.server.batch import Batch, Signal

_KEY_BYTES: Final = 16
_Item = TypeVar("_Item")


@dataclass(frozen=True, slots=True)
class Reading:
    """One request, read and checked."""

    batch: Batch
    # How many spans, log records or points are not in the batch.
    rejected: int = 0
    # Why they are not, or what else the sender should know: sentences, or empty.
    reason: str = ""


class Rejections:
    """Counts what is left out of one request, and keeps the first reason of each kind."""

    def __init__(self) -> None:
        self.count = 0
        self._reasons: list[str] = []

    def add(self, reason: str, count: int = 1) -> None:
        """Leave `count` out for a reason, a full sentence; 0 for what the sender should know though nothing is lost."""
        self.count += count
        if not self._reasons:
            self._reasons.append(reason)

    def leave_out(self, items: MutableSequence[_Item], misfit: Callable[[_Item], str | None]) -> None:
        """Leave in `items` those of which nothing is wrong.

        Args:
            items: of a request; changed in place.
            misfit: says what is wrong with one, a full sentence; None where nothing is.
        """
        kept = []
        for item in items:
            if reason := misfit(item):
                self.add(reason)
            else:
                kept.append(item)
        if len(kept) < len(items):
            # All at once: taking them out one by one moves all that stand behind each.
            del items[:]
            items.extend(kept)

    def settle(self, accepted: int, of_others: Rejection) -> int:
        """Count what is left out for belonging to others, too; answer how many that are.

        Args:
            accepted: how many were sent that can be stored.
            of_others: which of them the sender may not write.

        Raises:
            BadBodyError: nothing of the request can be stored, whoever sends it.
        """
        if self.count and not accepted:
            raise BadBodyError(self.reason)
        if of_others.count:
            self.count += of_others.count
            self._reasons.append(of_others.reason)
        return of_others.count

    @property
    def reason(self) -> str:
        """The reasons, one behind the other."""
        return " ".join(self._reasons)


def request_key(signal: Signal, sender: Principal, body: bytes) -> bytes:
    """What a request is known by: 16 bytes that only the same body from the same sender has.

    Args:
        signal: what it carries.
        sender: who sent it; from another one the same bytes may mean something else.
        body: the uncompressed body.
    """
    digest = hashlib.sha256(f"{signal}\0{sender.id}\0".encode())
    digest.update(body)
    return digest.digest()[:_KEY_BYTES]
