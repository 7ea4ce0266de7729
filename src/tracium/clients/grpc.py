"""gRPC's synchronous client: the tenant goes along with calls over channels that lead inside.

It is written where a call leaves for its channel, below every interceptor: that catches channels that were made before,
and those whose function was imported by name.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from opentelemetry.context import get_current
from wrapt import register_post_import_hook, wrap_function_wrapper

from tracium.clients.metadata import settled
from tracium.tenancy.stepping import step_generator

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType

    Call = Callable[..., Any]
    Args = tuple[Any, ...]
    KwArgs = dict[str, Any]

# What makes calls, and by which of its methods.
_CALLABLES: Final = {
    "_UnaryUnaryMultiCallable": ("__call__", "with_call", "future"),
    "_UnaryStreamMultiCallable": ("__call__",),
    "_SingleThreadedUnaryStreamMultiCallable": ("__call__",),
    "_StreamUnaryMultiCallable": ("__call__", "with_call", "future"),
    "_StreamStreamMultiCallable": ("__call__",),
}
# The place of the metadata among their arguments.
_METADATA: Final = 2


def instrument() -> None:
    """Apply OpenTelemetry's instrumentor, unless the app has done so."""
    from opentelemetry.instrumentation.grpc import GrpcInstrumentorClient  # noqa: PLC0415 - tenants need it not

    instrumentor: Any = GrpcInstrumentorClient()  # type: ignore[no-untyped-call] # contrib's
    if not instrumentor.is_instrumented_by_opentelemetry:
        instrumentor.instrument(skip_dep_check=True)


def _let_go() -> None:
    """Let the tenant go along; also where nothing makes spans, or the app does so itself."""
    for name, methods in _CALLABLES.items():
        for method in methods:
            wrap_function_wrapper("grpc._channel", f"{name}.{method}", _call)
    register_post_import_hook(_patch_interceptor, "opentelemetry.instrumentation.grpc._client")


def _patch_interceptor(module: ModuleType) -> None:
    wrap_function_wrapper(module, "OpenTelemetryClientInterceptor._intercept_server_stream", _server_stream)


def _call(call: Call, callable_: Any, args: Args, kwargs: KwArgs) -> Any:
    target = getattr(callable_, "_target", None)
    if len(args) > _METADATA:
        args = (*args[:_METADATA], settled(args[_METADATA], target), *args[_METADATA + 1 :])
    else:
        kwargs = {**kwargs, "metadata": settled(kwargs.get("metadata"), target)}
    return call(*args, **kwargs)


def _server_stream(stream: Call, _interceptor: object, args: Args, kwargs: KwArgs) -> Any:
    """Answers to one call, which OpenTelemetry makes in a generator.

    It makes the call where the first answer is asked for, for whoever asks, and its span would be around what the caller
    does between two answers.
    """
    context = get_current()
    return step_generator(stream, lambda: context)(*args, **kwargs)


_let_go()
