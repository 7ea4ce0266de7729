"""The tenant onto metrics: a meter provider around any other, whose instruments add it when they record.

OpenTelemetry has no processor for measurements, so this is where a measurement can get its tenant: between who records
it and the SDK, through the API alone.
"""

from __future__ import annotations

import logging
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any, Final, TypeVar

from opentelemetry.metrics import Meter, MeterProvider

from tracium import notices
from tracium.attributes import TENANT_ID
from tracium.signals.instruments import (
    TenantCounter,
    TenantGauge,
    TenantHistogram,
    TenantInstrument,
    TenantUpDownCounter,
    TokenHistogram,
)
from tracium.signals.metric_tenants import MetricTenants, check_limit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from opentelemetry.metrics import (
        CallbackT,
        Counter,
        Histogram,
        ObservableCounter,
        ObservableGauge,
        ObservableUpDownCounter,
        UpDownCounter,
    )
    from opentelemetry.metrics import _Gauge as Gauge
    from opentelemetry.util.types import Attributes

DEFAULT_NAMES: Final = ("gen_ai.*",)
"""The instruments that get the tenant unless others are listed: https://opentelemetry.io/docs/specs/semconv/gen-ai/gen-ai-metrics/"""

DEFAULT_TENANTS: Final = 1000
"""How many tenants the metrics of a process tell apart unless another number is given."""

# https://opentelemetry.io/docs/specs/semconv/gen-ai/gen-ai-metrics/#metric-gen_aiclienttokenusage
_TOKENS: Final = "gen_ai.client.token.usage"
_Instrument = TypeVar("_Instrument")


class TenantMeterProvider(MeterProvider):
    """A meter provider around another one: the instruments that are listed add `tenant.id` to what they record.

    A measurement's tenant is, in this order: the `tenant.id` that its caller gave it, the tenant in its context (the one
    that was passed to `add`, `record` or `set`, else the current one), the tenant of its request, the default, none.

    Only synchronous instruments can have it. An observable one is read when metrics are collected, in no request; its
    callback can give `tenant.id` itself.

    Everything else is the other provider's: `force_flush`, `shutdown`, and what it has of its own.

    Args:
        provider: Any meter provider.
        names: Names of instruments, with `*` and `?` as in file names; letters' case does not count.
        tenants: How many tenants are told apart. What further ones do goes to one point of each metric that has no
            tenant and says `tracium.tenant.overflow=true`.
        default: The tenant of measurements that have none, or None.

    Raises:
        TypeError: An argument of another kind.
        ValueError: A name that is empty, or no room for a tenant.
    """

    def __init__(
        self,
        provider: MeterProvider,
        names: Iterable[str] = DEFAULT_NAMES,
        tenants: int = DEFAULT_TENANTS,
        default: str | None = None,
    ) -> None:
        if not callable(getattr(provider, "get_meter", None)):
            raise TypeError(
                f"provider is {provider!r}, but it must be a meter provider, such as opentelemetry.metrics.get_meter_provider()."
            )
        self._provider = provider
        self.tenants: Final = MetricTenants(check_limit(tenants), default, _checked(names))

    @property
    def names(self) -> tuple[str, ...]:
        """Patterns of the instruments that get the tenant; set later they hold for instruments that are made from then on."""
        return self.tenants.names

    @names.setter
    def names(self, names: Iterable[str]) -> None:
        self.tenants.names = _checked(names)

    @property
    def default(self) -> str | None:
        """The tenant of measurements that have none; it can be set later."""
        return self.tenants.default

    @default.setter
    def default(self, tenant: str | None) -> None:
        self.tenants.default = tenant

    @property
    def aliases(self) -> tuple[str, ...]:
        """Names besides `tenant.id` under which the tenant is written; they can be set later."""
        return self.tenants.aliases

    @aliases.setter
    def aliases(self, names: tuple[str, ...]) -> None:
        self.tenants.aliases = names

    @property
    def provider(self) -> MeterProvider:
        """The other provider."""
        return self._provider

    def around(self, provider: MeterProvider) -> TenantMeterProvider:
        """Another one like this around `provider`; both count the same tenants."""
        other = TenantMeterProvider(provider, self.names, self.tenants.limit)
        other.tenants = self.tenants  # type: ignore[misc] # final for everybody else
        return other

    def covers(self, name: object) -> bool:
        """Whether synchronous instruments of this name get the tenant."""
        if not isinstance(name, str):
            # What to say to that is the other meter's.
            return False
        lowered = name.strip().lower()
        return any(fnmatchcase(lowered, pattern) for pattern in self.names)

    def get_meter(
        self,
        name: str,
        version: str | None = None,
        schema_url: str | None = None,
        attributes: Attributes = None,
    ) -> Meter:
        """A meter of the other provider, whose instruments get the tenant."""
        # Providers that are older than the attributes of meters do not take them.
        more: dict[str, Any] = {} if attributes is None else {"attributes": attributes}
        return TenantMeter(self._provider.get_meter(name, version, schema_url, **more), self)

    def __getattr__(self, name: str) -> Any:
        """What the other provider has beyond the API, such as `force_flush` and `shutdown`."""
        if name == "_provider":
            raise AttributeError(name)
        return getattr(self._provider, name)


class TenantMeter(Meter):
    """A meter around another one, which makes the instruments."""

    def __init__(self, inner: Meter, provider: TenantMeterProvider) -> None:
        super().__init__(inner.name, inner.version, inner.schema_url)
        self._inner = inner
        self._covers = provider.covers
        self._tenants = provider.tenants

    def create_counter(self, name: str, unit: str = "", description: str = "") -> Counter:
        """A counter, with the tenant if its name is listed."""
        return self._around(TenantCounter, self._inner.create_counter(name, unit, description), name)

    def create_up_down_counter(self, name: str, unit: str = "", description: str = "") -> UpDownCounter:
        """An up-down counter, with the tenant if its name is listed."""
        return self._around(TenantUpDownCounter, self._inner.create_up_down_counter(name, unit, description), name)

    def create_histogram(
        self,
        name: str,
        unit: str = "",
        description: str = "",
        *,
        explicit_bucket_boundaries_advisory: Sequence[float] | None = None,
    ) -> Histogram:
        """A histogram, with the tenant if its name is listed."""
        made = self._inner.create_histogram(
            name, unit, description, explicit_bucket_boundaries_advisory=explicit_bucket_boundaries_advisory
        )
        return self._around(TokenHistogram if name == _TOKENS else TenantHistogram, made, name)

    def create_gauge(self, name: str, unit: str = "", description: str = "") -> Gauge:
        """A gauge, with the tenant if its name is listed."""
        return self._around(TenantGauge, self._inner.create_gauge(name, unit, description), name)

    def create_observable_counter(
        self, name: str, callbacks: Sequence[CallbackT] | None = None, unit: str = "", description: str = ""
    ) -> ObservableCounter:
        """The other meter's own."""
        self._say_if_listed(name)
        return self._inner.create_observable_counter(name, callbacks, unit, description)

    def create_observable_gauge(
        self, name: str, callbacks: Sequence[CallbackT] | None = None, unit: str = "", description: str = ""
    ) -> ObservableGauge:
        """The other meter's own."""
        self._say_if_listed(name)
        return self._inner.create_observable_gauge(name, callbacks, unit, description)

    def create_observable_up_down_counter(
        self, name: str, callbacks: Sequence[CallbackT] | None = None, unit: str = "", description: str = ""
    ) -> ObservableUpDownCounter:
        """The other meter's own."""
        self._say_if_listed(name)
        return self._inner.create_observable_up_down_counter(name, callbacks, unit, description)

    def __getattr__(self, name: str) -> Any:
        """What the other meter has beyond the API."""
        if name == "_inner":
            raise AttributeError(name)
        return getattr(self._inner, name)

    def _around(self, make: Callable[[Any, MetricTenants], Any], made: _Instrument, name: str) -> _Instrument:
        """`made`, with the tenant if its name is listed and nothing adds it yet."""
        if isinstance(made, TenantInstrument) or not self._covers(name):
            return made
        around: _Instrument = make(made, self._tenants)
        return around

    def _say_if_listed(self, name: str) -> None:
        if self._covers(name):
            notices.say(
                f"metrics:observable:{name}",
                logging.INFO,
                f"The instrument {name} is listed to have {TENANT_ID}, but it is observable: it is read when metrics are "
                f'collected, in no tenant\'s request. Let its callback give it: Observation(value, {{"{TENANT_ID}": …}}).',
            )


def _checked(names: Iterable[str]) -> tuple[str, ...]:
    if isinstance(names, str | bytes):
        raise TypeError(f"names is {names!r}, but it must be a sequence of names of instruments, such as ({names!r},).")
    try:
        given = tuple(names)
    except TypeError:
        raise TypeError(
            f"names is {names!r}, but it must be a sequence of names of instruments, such as {DEFAULT_NAMES!r}."
        ) from None
    for name in given:
        if not isinstance(name, str):
            raise TypeError(
                f"names has {name!r}, but a name of an instrument is a string, such as {DEFAULT_NAMES[0]!r}."
            )
        if not name.strip():
            raise ValueError(
                "names has an empty name. Leave it out, or give an empty sequence for no instrument at all."
            )
    return tuple(name.strip().lower() for name in given)
