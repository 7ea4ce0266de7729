"""Google's client: one call of the app's may be several requests, all of which are billed.

It calls functions by itself and asks again with what they gave, and it goes on with an answer that is not whole. OpenTelemetry's
instrumentor makes one span for all of it, with the tokens of the last request: it gets those of all.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from opentelemetry.context import attach, get_current, get_value
from opentelemetry.trace import Status, StatusCode, get_current_span
from wrapt import wrap_function_wrapper

from tracium.attributes import ERROR_TYPE
from tracium.faults import contained, fault
from tracium.models.google_usage import Tally

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

    from opentelemetry.context import Context
    from opentelemetry.metrics import MeterProvider

    Call = Callable[..., Any]
    Args = tuple[Any, ...]
    KwArgs = dict[str, Any]

_MODELS: Final = "google.genai.models"
_INSTRUMENTATION: Final = "opentelemetry.instrumentation.google_genai.generate_content"
_TALLY: Final = "_tracium_tally"
"""Attribute of what a call knows of itself, in its context: what its requests have told."""


def instrument(meter_provider: MeterProvider | None = None) -> None:
    """Apply OpenTelemetry's instrumentor, unless the app has done so, and let it tell what all requests of a call used."""
    from opentelemetry.instrumentation.google_genai import GoogleGenAiSdkInstrumentor  # noqa: PLC0415 - tenants need it not

    instrumentor: Any = GoogleGenAiSdkInstrumentor()
    if not instrumentor.is_instrumented_by_opentelemetry:
        instrumentor.instrument(skip_dep_check=True, meter_provider=meter_provider)
    if not _Applied.requests:
        _Applied.requests = True
        _wrap()


class _Applied:
    """Whether the requests are watched already: there is one Google client in a process."""

    requests = False


def _wrap() -> None:
    wrap_function_wrapper(_MODELS, "Models._generate_content", _request)
    wrap_function_wrapper(_MODELS, "Models._generate_content_stream", _stream)
    wrap_function_wrapper(_MODELS, "AsyncModels._generate_content", _async_request)
    wrap_function_wrapper(_MODELS, "AsyncModels._generate_content_stream", _async_stream)
    wrap_function_wrapper(_INSTRUMENTATION, "_apply_response_attributes", _tell)
    for name in ("Models.generate_content", "Models.generate_content_stream", "AsyncModels.generate_content"):
        wrap_function_wrapper(_MODELS, name, _apart)
    wrap_function_wrapper(_MODELS, "AsyncModels.generate_content_stream", _async_apart)


def _known(context: Context | None = None) -> Any:
    """What the call of a context knows of itself; None in no call."""
    from opentelemetry.util.genai.invocation import CLIENT_INFERENCE_CONTEXT_KEY  # noqa: PLC0415 - it is there by now

    return get_value(CLIENT_INFERENCE_CONTEXT_KEY, context)


def _begin() -> Tally | None:
    """A request of the current call begins; give what the call's requests have told."""
    try:
        data = _known()
        if data is None:
            return None
        tally: Tally | None = getattr(data, _TALLY, None)
        if tally is None:
            tally = Tally(data)
            setattr(data, _TALLY, tally)
        tally.begin()
    except Exception as error:  # noqa: BLE001 - the request is sent all the same
        fault("counting the requests of a Google call", error)
        return None
    return tally


def _take(tally: Tally | None, response: Any) -> None:
    if tally is not None:
        with contained("reading the tokens of a Google call"):
            tally.take(response.usage_metadata)


def _request(send: Call, _models: object, args: Args, kwargs: KwArgs) -> Any:
    tally = _begin()
    response = send(*args, **kwargs)
    _take(tally, response)
    return response


async def _async_request(send: Call, _models: object, args: Args, kwargs: KwArgs) -> Any:
    tally = _begin()
    response = await send(*args, **kwargs)
    _take(tally, response)
    return response


def _stream(send: Call, _models: object, args: Args, kwargs: KwArgs) -> Iterator[Any]:
    tally = _begin()
    for chunk in send(*args, **kwargs):
        _take(tally, chunk)
        yield chunk


async def _async_stream(send: Call, _models: object, args: Args, kwargs: KwArgs) -> AsyncIterator[Any]:
    tally = _begin()
    chunks = await send(*args, **kwargs)

    async def taken() -> AsyncIterator[Any]:
        async for chunk in chunks:
            _take(tally, chunk)
            yield chunk

    return taken()


def _tell(apply: Call, _module: object, args: Args, kwargs: KwArgs) -> Any:
    """The instrumentor writes an answer, or a piece of one, onto its call: the tokens are those of all requests."""
    made = apply(*args, **kwargs)
    with contained("summing the tokens of a Google call"):
        _response, _reasons, invocation = args
        tally: Tally | None = getattr(_known(invocation.context), _TALLY, None)
        if tally is not None:
            tally.tell(invocation)
    return made


def _apart(call: Call, _models: object, args: Args, kwargs: KwArgs) -> Any:
    """Begin a call with a configuration of its own: the instrumentor changes the tools in it, again at each call."""
    return call(*args, **_own(kwargs))


async def _async_apart(call: Call, _models: object, args: Args, kwargs: KwArgs) -> Any:
    """The same; and a call that raises before it begins must not go on for ever in the app's context."""
    before = get_current()
    try:
        return await call(*args, **_own(kwargs))
    except BaseException as error:
        with contained("ending a Google call that failed"):
            if _known() is not _known(before):
                _end(error)
                attach(before)
        raise


def _end(error: BaseException) -> None:
    span = get_current_span()
    span.set_status(Status(StatusCode.ERROR, str(error)))
    span.set_attribute(ERROR_TYPE, type(error).__qualname__)
    span.end()


def _own(kwargs: KwArgs) -> KwArgs:
    config = kwargs.get("config")
    copy = getattr(config, "model_copy", None)
    return kwargs if copy is None else {**kwargs, "config": copy()}
