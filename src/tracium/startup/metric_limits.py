"""The SDK's limit of points for each instrument: raised where the provider is ours, said where it is the app's.

SDKs before 1.45.2 have none. Points beyond the limit go to one that has no attributes at all, and so no tenant:
https://opentelemetry.io/docs/specs/otel/metrics/sdk/#cardinality-limits
"""

from __future__ import annotations

import inspect
import logging
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any, Final

from opentelemetry import metrics
from opentelemetry.sdk.metrics.view import View

from tracium import notices
from tracium.signals.metrics import TenantMeterProvider

if TYPE_CHECKING:
    from collections.abc import Sequence

_LIMIT: Final = "aggregation_cardinality_limit"

# Points of one instrument that a tenant may need: eight models, input and output, two kinds of operation. A point takes
# about 2 KB of memory.
POINTS_PER_TENANT: Final = 32


class TenantView(View):
    """A view that changes nothing but the limit of points, and only of instruments that get the tenant.

    One view for all names: an instrument that two views match is exported twice. On an SDK that matches views in another
    way it holds for every instrument.
    """

    def __init__(self, provider: TenantMeterProvider, limit: int) -> None:
        """Keep `limit` points of each instrument that `provider` covers."""
        options: dict[str, Any] = {_LIMIT: limit}
        super().__init__(instrument_name="*", **options)
        self._covers = provider.covers

    def _match(self, instrument: Any) -> bool:
        return self._covers(instrument.name) and super()._match(instrument)


def raised_limits(provider: TenantMeterProvider) -> list[View]:
    """The views that raise the limit, where the SDK has one."""
    return [TenantView(provider, _needed(provider))] if _has_limit() else []


def watch_limit(provider: TenantMeterProvider) -> None:
    """Say it when the app's own provider may not keep the tenants apart, as soon as there are so many."""
    tenants = provider.tenants

    def look() -> None:
        there = metrics.get_meter_provider()
        if is_unset(there):
            # What is recorded until the app sets one is lost anyway.
            tenants.watch(tenants.count, look)
            return
        limit = _limit_of(there, provider.names)
        if limit is not None and limit < _needed(provider):
            tenants.watch(max(limit // POINTS_PER_TENANT, 1), lambda: _say_low(provider, there, limit))

    if _has_limit():
        tenants.watch(0, look)


def is_unset(provider: metrics.MeterProvider) -> bool:
    """Whether it is only the API's own, which passes on to the one that is set later."""
    kind = type(provider)
    return kind.__module__.startswith("opentelemetry.metrics") and kind.__name__ == "_ProxyMeterProvider"


def _needed(provider: TenantMeterProvider) -> int:
    return provider.tenants.limit * POINTS_PER_TENANT


def _has_limit() -> bool:
    return _LIMIT in inspect.signature(View).parameters


def _limit_of(provider: Any, names: Sequence[str]) -> int | None:
    """How many points of the named instruments a provider of the SDK's keeps apart; None if that is not known."""
    if isinstance(provider, TenantMeterProvider):
        provider = provider.provider
    views = getattr(getattr(provider, "_sdk_config", None), "views", ())
    limits = [limit for limit in (_limit_by(view, names) for view in views) if limit is not None]
    if not limits:
        for reader in getattr(provider, "_metric_readers", ()):
            limits.extend(getattr(reader, "_instrument_class_cardinality_limit", {}).values())
    return min(limits, default=None)


def _limit_by(view: Any, names: Sequence[str]) -> int | None:
    limit: int | None = getattr(view, f"_{_LIMIT}", None)
    pattern = getattr(view, "_instrument_name", None) or ""
    return limit if any(fnmatchcase(name, pattern.lower()) for name in names) else None


def _say_low(provider: TenantMeterProvider, there: metrics.MeterProvider, limit: int) -> None:
    own = there.provider if isinstance(there, TenantMeterProvider) else there
    notices.say(
        "metrics:limit",
        logging.WARNING,
        f"The app's own meter provider, {type(own).__module__}.{type(own).__qualname__}, keeps {limit} points of an "
        f"instrument apart, and {provider.tenants.count} tenants have metrics now: what is more goes to the point "
        "otel.metric.overflow=true, without a tenant. tracium cannot raise the limit of a provider that is not its own. "
        f"Give that one View(instrument_name={provider.names[0]!r}, {_LIMIT}={_needed(provider)}).",
    )
