"""What may come in and go out with W3C baggage.

This propagator stands around the one that the user configured. On the way in it begins the request's binding, and a
tenant that nothing proves is dropped: anyone can send `baggage: tenant.id=…`. On the way out it writes no tenant, because
nothing tells it where the carrier goes: what knows that adds it (`outgoing`, `broker`). All other baggage flows as configured.
"""

from __future__ import annotations

from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any, Final, Generic

from opentelemetry.baggage.propagation import W3CBaggagePropagator
from opentelemetry.context import Context, get_current, set_value
from opentelemetry.propagate import get_global_textmap, set_global_textmap
from opentelemetry.propagators.textmap import (
    CarrierT,
    Getter,
    Setter,
    TextMapPropagator,
    default_getter,
    default_setter,
)
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from wrapt import wrap_function_wrapper

from tracium.attributes import TENANT_ID, TENANT_SIGNATURE
from tracium.boundary.judgement import judge
from tracium.boundary.member import HEADER, OURS, others_in
from tracium.tenancy.arrival import arrival_in
from tracium.tenancy.request import Binding
from tracium.tenancy.standing import BAGGAGE, State, begin_request, unknown_span_in, write

if TYPE_CHECKING:
    from collections.abc import Callable
    from collections.abc import Set as AbstractSet

_NOTHING: Final = Context()
_W3C: Final = TraceContextTextMapPropagator()
_OF_MESSAGES: Final = tuple(
    f"opentelemetry.instrumentation.{name}." for name in ("aiokafka", "confluent_kafka", "kafka")
)


class _OthersGetter(Getter[CarrierT], Generic[CarrierT]):
    """Reads headers as `getter` does, and no tenant in those for baggage: it is judged apart."""

    __slots__ = ("_getter",)

    def __init__(self, getter: Getter[CarrierT]) -> None:
        self._getter = getter

    def get(self, carrier: CarrierT, key: str) -> list[str] | None:
        values = self._getter.get(carrier, key)
        if not values or key != HEADER:
            return values
        return [others for value in values if (others := others_in(value))] or None

    def keys(self, carrier: CarrierT) -> list[str]:
        return self._getter.keys(carrier)


class TenantPropagator(TextMapPropagator):
    """Propagates as `inner` does, except for the tenant.

    Attributes:
        inner: The propagator that was configured.
    """

    def __init__(self, inner: TextMapPropagator) -> None:
        self.inner = inner

    def extract(
        self,
        carrier: CarrierT,
        context: Context | None = None,
        getter: Getter[CarrierT] = default_getter,
    ) -> Context:
        """The context of a request that arrives with `carrier`: with the tenant that it proves, and a binding of its own.

        Where the request was seen arriving, it has its binding already, and keeps the tenant that was set in it since.
        """
        around = get_current() if context is None else context
        brought = self.inner.extract(carrier, without_tenant(around), _OthersGetter(getter))
        extracted = without_tenant(brought)
        arrival = arrival_in(around)
        if arrival is not None and arrival.brings(carrier):
            # Whom it is from was settled when it arrived.
            resumed = arrival.resume(carrier, around, extracted)
            return begin_request(extracted, Binding(unknown_span_in(extracted))) if resumed is None else resumed
        binding = Binding(unknown_span_in(extracted))
        tenant = None if _reads_messages(getter) else judge(carrier, getter, lambda: brought, believed=False)
        if tenant is None:
            return begin_request(extracted, binding)
        binding.bind(tenant)
        return write(extracted, State.SET, tenant, binding, None)

    def inject(
        self,
        carrier: CarrierT,
        context: Context | None = None,
        setter: Setter[CarrierT] = default_setter,
    ) -> None:
        """Write everything but the tenant into `carrier`."""
        self.inner.inject(carrier, without_tenant(get_current() if context is None else context), setter)

    @property
    def fields(self) -> AbstractSet[str]:  # type: ignore[override] # some propagators give other kinds of sets
        """The headers that `inject` may set."""
        return self.inner.fields


def _reads_messages(getter: object) -> bool:
    """Whether an instrumentation looks at a message's trace: its tenant counts where the message is processed."""
    return type(getter).__module__.startswith(_OF_MESSAGES)


def install() -> TenantPropagator:
    """Put our propagator around the global one, once."""
    _guard()
    current = get_global_textmap()
    if isinstance(current, TenantPropagator):
        return current
    ours = TenantPropagator(current)
    set_global_textmap(ours)
    return ours


@cache
def _guard() -> None:
    """Let no tenant through OpenTelemetry's own propagator either: an app may call it, or put it into the place of ours."""
    wrap_function_wrapper(W3CBaggagePropagator, "extract", _extract_others)
    wrap_function_wrapper(W3CBaggagePropagator, "inject", _inject_others)


def _extract_others(extract: Callable[..., Context], _propagator: object, args: Any, kwargs: Any) -> Context:
    extracted = extract(*args, **kwargs)
    context = kwargs["context"] if "context" in kwargs else args[1] if len(args) > 1 else None
    before = get_current() if context is None else context
    # What it leaves as it was says what it said.
    return extracted if extracted.get(BAGGAGE) is before.get(BAGGAGE) else without_tenant(extracted)


def _inject_others(inject: Callable[..., None], _propagator: object, args: Any, kwargs: Any) -> None:
    def others(carrier: Any, context: Context | None = None, *more: Any, **named: Any) -> None:
        inject(carrier, without_tenant(get_current() if context is None else context), *more, **named)

    others(*args, **kwargs)


def configured() -> TextMapPropagator:
    """The propagator that the user configured, without ours around it."""
    current = get_global_textmap()
    return current.inner if isinstance(current, TenantPropagator) else current


def trace_of(carrier: Any, getter: Getter[Any]) -> Context:
    """The context that all configured propagators make of `carrier`, as far as the trace is concerned."""
    return (_W3C if says_w3c_alone() else configured()).extract(carrier, _NOTHING, getter)


def says_w3c_alone() -> bool:
    """Whether `traceparent` says what the trace is, and no header of another propagator."""
    return _is_w3c(configured())


@lru_cache(maxsize=4)
def _is_w3c(propagator: TextMapPropagator) -> bool:
    return _W3C.fields <= set(propagator.fields) <= {*_W3C.fields, HEADER}


def without_tenant(context: Context) -> Context:
    """`context` with all of its baggage but the tenant."""
    if not _carries_tenant(context):
        return context
    carried = context[BAGGAGE]
    entries = {key: value for key, value in carried.items() if key not in OURS} if isinstance(carried, dict) else {}
    return set_value(BAGGAGE, entries, context)


def _carries_tenant(context: Context) -> bool:
    carried = context.get(BAGGAGE)
    return isinstance(carried, dict) and (TENANT_ID in carried or TENANT_SIGNATURE in carried)
