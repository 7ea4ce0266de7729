"""How many bytes of requests the process holds at once."""

from __future__ import annotations

from typing import Self

from tracium.server.refusal import OverloadedError


class Budget:
    """Bytes that are being read or wait to be written, up to a limit.

    Used from the event loop only.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._taken = 0

    def share(self) -> Share:
        """One request's part, empty at first; a context manager that gives back what it took."""
        return Share(self)

    def take(self, amount: int) -> None:
        """Take `amount` bytes.

        Raises:
            OverloadedError: there are not as many left.
        """
        if self._taken + amount > self._limit:
            raise OverloadedError(
                f"{self._taken} bytes wait to be written and {self._limit} is the limit. Send the batch again later."
            )
        self._taken += amount

    def give(self, amount: int) -> None:
        """Give `amount` bytes back."""
        self._taken -= amount


class Share:
    """What one request holds of a budget."""

    def __init__(self, budget: Budget) -> None:
        self._budget = budget
        self._held = 0

    def grow_to(self, amount: int) -> None:
        """Hold at least `amount` bytes.

        Raises:
            OverloadedError: the budget does not have them.
        """
        if amount > self._held:
            self._budget.take(amount - self._held)
            self._held = amount

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._budget.give(self._held)
        self._held = 0
