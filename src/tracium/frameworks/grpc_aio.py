"""gRPC's asynchronous server: each call is a request, with the tenant that its metadata proves."""

from __future__ import annotations

from functools import partial
from inspect import isasyncgenfunction, iscoroutinefunction, isfunction, ismethod
from typing import TYPE_CHECKING, Any

from grpc import aio  # type: ignore[import-untyped] # it has no types
from opentelemetry.context import Context, attach
from wrapt import register_post_import_hook, wrap_function_wrapper

from tracium.frameworks.grpc import answer, answers, arrive, with_interceptor, wrapped
from tracium.tenancy.attachment import restore
from tracium.tenancy.stepping import step_async_generator

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable
    from types import ModuleType

    Call = Callable[..., Any]
    Args = tuple[Any, ...]
    KwArgs = dict[str, Any]


def instrument() -> None:
    """Apply OpenTelemetry's instrumentor, unless the app has done so."""
    from opentelemetry.instrumentation.grpc import GrpcAioInstrumentorServer  # noqa: PLC0415 - tenants need it not

    instrumentor: Any = GrpcAioInstrumentorServer()  # type: ignore[no-untyped-call] # contrib's
    if not instrumentor.is_instrumented_by_opentelemetry:
        instrumentor.instrument(skip_dep_check=True)


def _patch_interceptor(module: ModuleType) -> None:
    wrap_function_wrapper(module, "OpenTelemetryAioServerInterceptor._intercept_aio_server_stream", _intercept_stream)
    wrap_function_wrapper(module, "OpenTelemetryAioServerInterceptor._intercept_aio_server_unary", _intercept_unary)


def _intercept_stream(intercept: Call, interceptor: Any, args: Args, kwargs: KwArgs) -> Any:
    """A handler that writes its answers itself gives none to iterate over, which OpenTelemetry's takes for granted."""
    if args and iscoroutinefunction(args[0]):
        return interceptor._intercept_aio_server_unary(*args, **kwargs)  # noqa: SLF001 - its other half
    if args and _is_plain(args[0]):
        return partial(interceptor._intercept_server_stream, *args)  # noqa: SLF001 - as above
    return intercept(*args, **kwargs)


def _intercept_unary(intercept: Call, interceptor: Any, args: Args, kwargs: KwArgs) -> Any:
    """A handler that is no coroutine runs in a thread, and OpenTelemetry's would await its answer."""
    if not args or not _is_plain(args[0]):
        return intercept(*args, **kwargs)
    function, details = args

    def answer_with_span(request: Any, context: Any) -> Any:
        with interceptor._set_remote_context(context), interceptor._start_span(details, context):  # noqa: SLF001 - as above
            return function(request, context)

    return answer_with_span


def _is_plain(function: object) -> bool:
    return (isfunction(function) or ismethod(function)) and not (
        iscoroutinefunction(function) or isasyncgenfunction(function)
    )


class _Interceptor(aio.ServerInterceptor):  # type: ignore[misc] # as above
    """Lets calls arrive, around every other interceptor."""

    async def intercept_service(self, continuation: Call, details: Any) -> Any:
        """Put an arrival around each call of the method, of the kind that the handler's function is."""
        handler = await continuation(details)
        if handler is None:
            return None
        function = _function_of(handler)
        if isasyncgenfunction(function):
            return wrapped(handler, _answer, _answers)
        if iscoroutinefunction(function):
            # Also with a stream of answers: it writes them itself.
            return wrapped(handler, _answer, _answer)
        return wrapped(handler, answer, answers)


def _function_of(handler: Any) -> Any:
    kinds = (handler.unary_unary, handler.unary_stream, handler.stream_unary, handler.stream_stream)
    return next(function for function in kinds if function is not None)


async def _answer(function: Call, request: Any, context: Any) -> Any:
    arrival = arrive(context)
    token = attach(Context() if arrival is None else arrival.context)
    try:
        return await function(request, context)
    finally:
        if arrival is not None:
            arrival.close()
        restore(token)


async def _answers(function: Call, request: Any, context: Any) -> AsyncGenerator[Any, None]:
    arrival = arrive(context)
    steps = step_async_generator(function, lambda: Context() if arrival is None else arrival.context)
    try:
        async for each in steps(request, context):
            yield each
    finally:
        if arrival is not None:
            arrival.close()


def _make_server(make: Call, _server: object, args: Args, kwargs: KwArgs) -> None:
    make(*with_interceptor(args, _Interceptor()), **kwargs)


# Also where `tracium.trace()` does not: calls are kept apart wherever nothing makes spans, or the app does so itself.
wrap_function_wrapper("grpc.aio._server", "Server.__init__", _make_server)
register_post_import_hook(_patch_interceptor, "opentelemetry.instrumentation.grpc._aio_server")
