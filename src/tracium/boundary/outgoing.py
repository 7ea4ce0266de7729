"""A request on its way out: the tenant goes along to hosts inside, and to no others.

The propagator never writes the tenant, because nothing tells it where its carrier goes. It is written here, last of all, by
what stands around the place where a client library sends one request to one host, also after a redirect; and it is taken
out of what goes elsewhere, whoever wrote it there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from opentelemetry.instrumentation.utils import is_instrumentation_enabled
from opentelemetry.propagators.textmap import Getter, default_getter
from opentelemetry.trace import get_current_span

from tracium.boundary.member import HEADER, add_tenant, without_ours
from tracium.boundary.propagation import says_w3c_alone, trace_of
from tracium.boundary.trust import is_inside as is_host_inside
from tracium.boundary.trust import trust
from tracium.faults import fault
from tracium.tenancy.block import here
from tracium.tenancy.standing import current_tenant

if TYPE_CHECKING:
    from collections.abc import Iterable, MutableMapping

    from opentelemetry.context import Context

# Headers that only the clients of model vendors and clouds send. What stands between us and them may pass everything on.
_OF_VENDORS: Final = frozenset(
    {
        "amz-sdk-invocation-id",
        "anthropic-version",
        "x-fern-sdk-name",
        "x-goog-api-client",
        "x-goog-api-key",
        "x-stainless-lang",
    }
)
# How clients of models name themselves that send none of these.
_AGENTS_OF_VENDORS: Final = ("litellm/", "mistral-client-python/")


def settle(headers: MutableMapping[str, str], host: str | None) -> None:
    """Make the headers of a request right for the host that it goes to, just before it is sent.

    Args:
        headers: Of this one request, with the trace if it shall go along; they are changed.
        host: As the client library has it, without a port; None where it cannot be told, which is outside.
    """
    try:
        given = _all(headers)
        value = baggage_for(host, given, headers, headers)
        if given:
            _remove(headers)
        if value:
            headers[HEADER] = value
    except Exception as error:  # noqa: BLE001 - the request is sent all the same, but never with a tenant that we could not judge
        _remove(headers)
        fault("writing the tenant into a request's headers", error)


def baggage_for(
    host: str | None,
    given: Iterable[str],
    names: Iterable[str],
    carrier: Any,
    getter: Getter[Any] = default_getter,
) -> str:
    """The `baggage` header for a request to `host`; empty for none.

    Args:
        host: Where it goes.
        given: The `baggage` headers that it has now.
        names: The names of all its headers.
        carrier: What the request's trace is read from: the signature is for that one.
        getter: How to read it.
    """
    others = without_ours(",".join(given)) if given else ""
    if not is_inside(host, names) or _is_vendors(getter.get(carrier, "user-agent")) or not is_instrumentation_enabled():
        return others
    context = here()
    tenant = current_tenant(context)
    if tenant is None:
        return others
    keyring = trust().keyring
    signature = None
    if keyring.keys:
        signature = keyring.sign(tenant, _trace_id(context, carrier, getter))
    return add_tenant(tenant, others, signature)


def is_inside(host: str | None, names: Iterable[str]) -> bool:
    """Whether the tenant may go along with a request.

    Args:
        host: Where it goes, without a port.
        names: The names of all its headers.
    """
    return is_host_inside(host) and _OF_VENDORS.isdisjoint([name.lower() for name in names])


def _trace_id(context: Context, carrier: Any, getter: Getter[Any]) -> int:
    """The trace that a carrier brings to who receives it: that of the current span, where it says so itself."""
    span = get_current_span(context).get_span_context()
    sent = getter.get(carrier, "traceparent")
    here_sent = f"00-{span.trace_id:032x}-{span.span_id:016x}-{span.trace_flags:02x}"
    if sent and sent[0] == here_sent and says_w3c_alone():
        return span.trace_id
    return get_current_span(trace_of(carrier, getter)).get_span_context().trace_id


def _is_vendors(agents: Iterable[Any] | None) -> bool:
    return any(str(agent).lower().startswith(_AGENTS_OF_VENDORS) for agent in agents or ())


def _remove(headers: MutableMapping[str, str]) -> None:
    """Take the header out, in whatever case its name is written: plain dicts tell them apart."""
    for name in [name for name in headers if name.lower() == HEADER]:
        headers.pop(name, None)


def _all(headers: Any) -> list[str]:
    """Every `baggage` header: some kinds of headers give only the first one."""
    for each in ("getall", "get_list", "getlist"):
        every = getattr(headers, each, None)
        if every is not None:
            return [value for value in (every(HEADER, ()) if each == "getall" else every(HEADER)) if value]
    found = [value for name, value in headers.items() if name.lower() == HEADER]
    return [value.decode("latin-1") if isinstance(value, bytes) else str(value) for value in found]
