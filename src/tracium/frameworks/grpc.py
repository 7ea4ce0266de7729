"""gRPC's synchronous server: each call is a request, with the tenant that its metadata proves."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import unquote

import grpc  # type: ignore[import-untyped] # it has no types
from opentelemetry.context import Context, attach
from wrapt import wrap_function_wrapper

from tracium.boundary.judgement import judge
from tracium.boundary.metadata import GETTER
from tracium.boundary.propagation import configured
from tracium.boundary.trust import trust
from tracium.faults import fault
from tracium.tenancy.arrival import Arrival
from tracium.tenancy.attachment import restore
from tracium.tenancy.stepping import step_generator

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from tracium.boundary.metadata import Pairs

    Call = Callable[..., Any]
    Args = tuple[Any, ...]
    KwArgs = dict[str, Any]

# The place of the interceptors among the arguments of what makes servers.
_INTERCEPTORS: Final = 2


def instrument() -> None:
    """Apply OpenTelemetry's instrumentor, unless the app has done so."""
    from opentelemetry.instrumentation.grpc import GrpcInstrumentorServer  # noqa: PLC0415 - tenants need it not

    instrumentor: Any = GrpcInstrumentorServer()  # type: ignore[no-untyped-call] # contrib's
    if not instrumentor.is_instrumented_by_opentelemetry:
        instrumentor.instrument(skip_dep_check=True)
        wrap_function_wrapper("grpc", "server", by_name)


def by_name(make: Call, _module: object, args: Args, kwargs: KwArgs) -> Any:
    """Give interceptors by their name: OpenTelemetry's instrumentor adds its own there, and would give them twice."""
    if len(args) > _INTERCEPTORS:
        names = ("thread_pool", "handlers", "interceptors", "options", "maximum_concurrent_rpcs", "compression", "xds")
        kwargs = {**dict(zip(names, args, strict=False)), **kwargs}
        args = ()
    return make(*args, **kwargs)


class GrpcArrival(Arrival):
    """A call that arrives at a server. What was around the server when it started is not around its calls.

    Args:
        context: gRPC's own context of the call.
    """

    __slots__ = ("_named",)

    def __init__(self, context: Any) -> None:
        pairs: Pairs = tuple((name, value) for name, value in context.invocation_metadata() or ())
        super().__init__(pairs, Context())
        # What OpenTelemetry's instrumentor extracts from: of several values the last.
        self._named: Any = dict(pairs)
        tenant = judge(
            pairs,
            GETTER,
            lambda: configured().extract(self._named, Context()),
            believed=trust().believes(_address_of(context.peer())),
        )
        if tenant is not None:
            self.belong_to(tenant)

    def brings(self, carrier: object) -> bool:
        """Whether `carrier` is this call's metadata, in the form in which it is extracted from."""
        return isinstance(carrier, dict) and carrier == self._named

    def close(self) -> None:
        """Note that the call is done with."""
        super().close()
        self._named = None


def arrive(context: Any) -> GrpcArrival | None:
    """The arrival of a call; None, and a fault is logged, where that fails."""
    try:
        return GrpcArrival(context)
    except Exception as error:  # noqa: BLE001 - the call is answered all the same
        fault("taking in a gRPC call", error)
        return None


def wrapped(handler: Any, one: Call, many: Call) -> Any:
    """A handler of calls around another one.

    Args:
        handler: What the server has for a method; None if it has nothing.
        one: What to call, with the handler's function and the call's arguments, for a single answer.
        many: The same for a stream of answers.
    """
    if handler is None:
        return None
    kind = f"{_word(handler.request_streaming)}_{_word(handler.response_streaming)}"
    function: Any = getattr(handler, kind)
    around = partial(many if handler.response_streaming else one, function)
    for name, value in getattr(function, "__dict__", {}).items():
        # By these gRPC's experiments tell how to call it.
        setattr(around, name, value)
    make: Any = getattr(grpc, f"{kind}_rpc_method_handler")
    return make(around, handler.request_deserializer, handler.response_serializer)


class _Interceptor(grpc.ServerInterceptor):  # type: ignore[misc] # as above
    """Lets calls arrive, around every other interceptor."""

    def intercept_service(self, continuation: Call, details: Any) -> Any:
        """Put an arrival around each call of the method."""
        return wrapped(continuation(details), answer, answers)


def answer(function: Call, request: Any, context: Any) -> Any:
    """Answer one call inside its arrival."""
    arrival = arrive(context)
    token = attach(Context() if arrival is None else arrival.context)
    try:
        return function(request, context)
    finally:
        if arrival is not None:
            arrival.close()
        restore(token)


def answers(function: Call, request: Any, context: Any) -> Generator[Any, None, None]:
    """Answer one call with a stream, each step of which is inside its arrival."""
    arrival = arrive(context)

    def stream() -> Generator[Any, None, None]:
        try:
            yield from function(request, context)
        finally:
            if arrival is not None:
                arrival.close()

    return step_generator(stream, lambda: Context() if arrival is None else arrival.context)()


def _make_server(make: Call, _module: object, args: Args, kwargs: KwArgs) -> Any:
    return make(*with_interceptor(args, _Interceptor()), **kwargs)


def with_interceptor(args: Args, ours: object) -> Args:
    """The arguments of what makes servers, with `ours` before all other interceptors."""
    interceptors = (ours, *(args[_INTERCEPTORS] or ()))
    return (*args[:_INTERCEPTORS], interceptors, *args[_INTERCEPTORS + 1 :])


def _word(streaming: object) -> str:
    return "stream" if streaming else "unary"


def _address_of(peer: str) -> str | None:
    """The address in what gRPC calls a peer: `ipv4:10.0.0.1:5000`, `ipv6:%5B::1%5D:5000`."""
    family, _, address = unquote(peer).partition(":")
    if family not in {"ipv4", "ipv6"}:
        return None
    return address.rpartition(":")[0].removeprefix("[").removesuffix("]")


# Also where `tracium.trace()` does not: calls are kept apart wherever nothing makes spans, or the app does so itself.
wrap_function_wrapper("grpc._server", "create_server", _make_server)
