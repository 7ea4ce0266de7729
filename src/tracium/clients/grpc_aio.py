"""gRPC's asynchronous client: the tenant goes along with calls over channels that lead inside, as in `clients.grpc`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from grpc.aio import Metadata  # type: ignore[import-untyped] # it has no types
from wrapt import wrap_function_wrapper

from tracium.clients.metadata import settled

if TYPE_CHECKING:
    from collections.abc import Callable

    Call = Callable[..., None]
    Args = tuple[Any, ...]
    KwArgs = dict[str, Any]

# A call at the moment at which it is made, when all interceptors have had it.
_CALLS: Final = ("UnaryUnaryCall", "UnaryStreamCall", "StreamUnaryCall", "StreamStreamCall")
# The places of metadata and channel among its arguments.
_METADATA: Final = 2
_CHANNEL: Final = 5


def instrument() -> None:
    """Apply OpenTelemetry's instrumentor, unless the app has done so."""
    from opentelemetry.instrumentation.grpc import GrpcAioInstrumentorClient  # noqa: PLC0415 - tenants need it not

    instrumentor: Any = GrpcAioInstrumentorClient()  # type: ignore[no-untyped-call] # contrib's
    if not instrumentor.is_instrumented_by_opentelemetry:
        instrumentor.instrument(skip_dep_check=True)


def _let_go() -> None:
    """Let the tenant go along; also where nothing makes spans, or the app does so itself."""
    for name in _CALLS:
        wrap_function_wrapper("grpc.aio._call", f"{name}.__init__", _make)


def _make(make: Call, _call: object, args: Args, kwargs: KwArgs) -> None:
    given = list(args)
    metadata = given[_METADATA] if len(given) > _METADATA else kwargs.get("metadata")
    channel = given[_CHANNEL] if len(given) > _CHANNEL else kwargs.get("channel")
    right = settled(metadata, getattr(channel, "target", None))
    if right is not metadata:
        right = Metadata(*(right or ()))
    if len(given) > _METADATA:
        given[_METADATA] = right
    else:
        kwargs = {**kwargs, "metadata": right}
    make(*given, **kwargs)


_let_go()
