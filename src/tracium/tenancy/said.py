"""What was said in a context about the user or the session, and which tenant it goes with."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tracium.tenancy.request import Binding
    from tracium.tenancy.standing import State

Marks = tuple[tuple[str, str], ...]
"""Attributes and their values."""

NOBODYS: Final = ""
"""The home of a user or session that was set where no tenant held on purpose; no tenant has this id."""


class Said:
    """What was said last in a context about the user or the session.

    Attributes:
        state: What was said.
        value: The id that was set, or None.
        home: The tenant that it is a user or session of, `NOBODYS`, or None as long as that is open: then it becomes that
            of the tenant which is set next.
        afterwards: Whether the request around was over when the block was opened in which it was said.
    """

    __slots__ = ("afterwards", "home", "state", "value")

    def __init__(self, state: State, value: str | None, home: str | None, *, afterwards: bool) -> None:
        self.state = state
        self.value = value
        self.home = home
        self.afterwards = afterwards

    def goes_with(self, tenant: str | None, binding: Binding | None) -> bool:
        """Whether it holds for work of `tenant` in the request `binding`: a user of one tenant is not another's."""
        home = self.home
        if home is None:
            home = None if binding is None else binding.tenant
            return home is None or home == tenant
        return home == (NOBODYS if tenant is None else tenant)

    def moved(self, before: str | None, tenant: str | None, binding: Binding | None) -> Said:
        """The same where `tenant` holds from now on instead of `before`; an open home is open no more.

        Args:
            before: The tenant that held until now, or None.
            tenant: The one that holds from now on, or None.
            binding: The request in which that happens.
        """
        home = self.home
        if home is None:
            home = before or (None if binding is None else binding.tenant)
        if not home and before is None:
            home = tenant or home
        return self if home == self.home else type(self)(self.state, self.value, home, afterwards=self.afterwards)

    def in_another_request(self) -> Said:
        """The same where it is said anew in another request, which was not over when the block was opened."""
        return type(self)(self.state, self.value, self.home, afterwards=False) if self.afterwards else self


def marks_of(people: Mapping[str, Said], tenant: str | None) -> Marks:
    """What telemetry of `tenant` gets of `people`, which are keyed by their attributes."""
    return tuple(
        (attribute, said.value) for attribute, said in people.items() if said.value is not None and said.home == tenant
    )
