"""Whose a measurement is, and how many tenants a process's metrics may tell apart."""

from __future__ import annotations

import logging
import threading
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from opentelemetry.context import get_current

from tracium import notices
from tracium.attributes import TENANT_ID, TENANT_OVERFLOW
from tracium.faults import fault
from tracium.forks import in_children
from tracium.signals.spans import plainly_said
from tracium.tenancy.block import here
from tracium.tenancy.identity import is_tenant
from tracium.tenancy.standing import binding_in, recorded_tenant

if TYPE_CHECKING:
    from collections.abc import Callable

    from opentelemetry.context import Context
    from opentelemetry.util.types import Attributes


class MetricTenants:
    """Gives each measurement its tenant, as long as there is room for one more.

    Each tenant costs a process one point for every combination of the other attributes, kept until the process ends. So
    there is a limit; what tenants beyond it do is summed in a point of no tenant that says so.

    Attributes:
        default: The tenant of measurements that have none, or None.
        aliases: Names besides `tenant.id` under which the tenant is written; what a caller gave under one stands.
        limit: How many tenants are told apart.
        names: Patterns of the instruments whose measurements get their tenant.
    """

    __slots__ = ("__weakref__", "_known", "_lock", "_watch", "aliases", "default", "limit", "names")

    def __init__(self, limit: int, default: str | None = None, names: tuple[str, ...] = ()) -> None:
        self.names = names
        self.default = default
        self.aliases: tuple[str, ...] = ()
        self.limit = limit
        self._known: set[str] = set()
        self._watch: tuple[int, Callable[[], object]] | None = None
        self._lock = threading.Lock()
        in_children(self._renew_lock)

    def _renew_lock(self) -> None:
        self._lock = threading.Lock()

    @property
    def count(self) -> int:
        """How many tenants have metrics so far."""
        return len(self._known)

    def watch(self, count: int, tell: Callable[[], object]) -> None:
        """Call `tell` once when there are more than `count` tenants."""
        self._watch = (count, tell)

    def onto(self, attributes: Attributes, context: Context | None) -> Attributes:
        """The attributes of a measurement, with its tenant; this runs inside the customer's request.

        What the caller gave is never changed: neither its object nor a tenant in it.

        Args:
            attributes: What the caller gave.
            context: What the caller gave; None is the current one.
        """
        try:
            if attributes:
                if not isinstance(attributes, Mapping) or TENANT_OVERFLOW in attributes:
                    return attributes
                if TENANT_ID in attributes:
                    return self._given(attributes)
            standing = plainly_said(get_current() if context is None else context)
            tenant = self._tenant(context) if standing is None else standing.tenant
            if tenant is None:
                return attributes
            if tenant in self._known or self._admits(tenant):
                marked: dict[str, Any] = {**attributes, TENANT_ID: tenant} if attributes else {TENANT_ID: tenant}
                if self.aliases:
                    marked = {**dict.fromkeys(self.aliases, tenant), **marked}
            else:
                marked = {**(attributes or {}), TENANT_OVERFLOW: True}
        except Exception as error:  # noqa: BLE001 - recording never breaks the app
            fault("marking a measurement", error)
            return attributes
        return marked

    def _given(self, attributes: Mapping[str, Any]) -> Attributes:
        """A tenant that the caller gave counts as any other one does; what can be none is the caller's to know."""
        tenant = attributes[TENANT_ID]
        if not is_tenant(tenant):
            return attributes
        if tenant in self._known or self._admits(tenant):
            return {**dict.fromkeys(self.aliases, tenant), **attributes} if self.aliases else attributes
        others = {name: value for name, value in attributes.items() if name != TENANT_ID}
        return {**others, TENANT_OVERFLOW: True}

    def _tenant(self, context: Context | None) -> str | None:
        """The whole rule, for everything that a context may say."""
        where = here() if context is None or context is get_current() else context
        tenant, _ = recorded_tenant(where, binding_in(where), self.default)
        return tenant

    def _admits(self, tenant: str) -> bool:
        """Take a tenant that is new, if there is room."""
        if len(self._known) >= self.limit:
            # The usual case from then on, so without the lock. A set never shrinks.
            self._say_full()
            return False
        tell: Callable[[], object] | None = None
        with self._lock:
            admitted = tenant in self._known or len(self._known) < self.limit
            if admitted:
                self._known.add(tenant)
            if self._watch is not None and len(self._known) > self._watch[0]:
                tell, self._watch = self._watch[1], None
        if tell is not None:
            tell()
        if not admitted:
            self._say_full()
        return admitted

    def _say_full(self) -> None:
        notices.say(
            "metrics:tenants",
            logging.WARNING,
            f"Metrics tell {self.limit} tenants apart in this process, and more have come: what those do goes to a point "
            f"of each metric that has no {TENANT_ID} and says {TENANT_OVERFLOW}=true. Raise TRACIUM_METRIC_TENANTS if the "
            "process has the memory for it. Spans and logs have every tenant.",
        )


def check_limit(tenants: Any) -> int:
    """`tenants`, as a number of tenants that metrics may tell apart.

    Raises:
        TypeError: It is no whole number.
        ValueError: It is not positive.
    """
    if isinstance(tenants, bool) or not isinstance(tenants, int):
        raise TypeError(f"tenants is {tenants!r}, but it must be a whole number of tenants, such as 1000.")
    if tenants < 1:
        raise ValueError(f"tenants is {tenants!r}, but metrics must be able to tell at least 1 tenant apart.")
    return tenants
