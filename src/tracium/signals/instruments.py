"""Instruments that add the tenant to what they record, each around one of another provider's."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from opentelemetry.context import get_current
from opentelemetry.metrics import Counter, Histogram, UpDownCounter
from opentelemetry.metrics import _Gauge as Gauge

from tracium.signals.genai.call import is_told_inside
from tracium.tenancy.standing import SPAN

if TYPE_CHECKING:
    from opentelemetry.context import Context
    from opentelemetry.util.types import Attributes

    from tracium.signals.metric_tenants import MetricTenants


class TenantInstrument:
    """Around an instrument: what is recorded gets its tenant, everything else is the instrument's own."""

    def __init__(self, inner: Any, tenants: MetricTenants) -> None:
        self._inner = inner
        self._onto = tenants.onto

    def __getattr__(self, name: str) -> Any:
        """What the SDK's instruments have beyond the API's, such as `name`."""
        if name == "_inner":
            raise AttributeError(name)
        return getattr(self._inner, name)


class TenantCounter(TenantInstrument, Counter):
    """A counter whose sums are told apart by tenant."""

    def add(self, amount: float, attributes: Attributes = None, context: Context | None = None) -> None:
        """Add `amount` for the tenant of `context`."""
        self._inner.add(amount, self._onto(attributes, context), context)


class TenantUpDownCounter(TenantInstrument, UpDownCounter):
    """An up-down counter whose sums are told apart by tenant."""

    def add(self, amount: float, attributes: Attributes = None, context: Context | None = None) -> None:
        """Add `amount` for the tenant of `context`."""
        self._inner.add(amount, self._onto(attributes, context), context)


class TenantHistogram(TenantInstrument, Histogram):
    """A histogram whose distributions are told apart by tenant."""

    def record(self, amount: float, attributes: Attributes = None, context: Context | None = None) -> None:
        """Record `amount` for the tenant of `context`."""
        self._inner.record(amount, self._onto(attributes, context), context)


class TokenHistogram(TenantHistogram):
    """The histogram of the tokens of model calls: what two instrumentations record of one call counts once."""

    def record(self, amount: float, attributes: Attributes = None, context: Context | None = None) -> None:
        """Record `amount` for the tenant of `context`, unless a call inside this one has told its usage."""
        if not is_told_inside((get_current() if context is None else context).get(SPAN)):
            super().record(amount, attributes, context)


class TenantGauge(TenantInstrument, Gauge):
    """A gauge whose last values are told apart by tenant."""

    def set(self, amount: float, attributes: Attributes = None, context: Context | None = None) -> None:
        """Set `amount` for the tenant of `context`."""
        self._inner.set(amount, self._onto(attributes, context), context)
