"""To test that the spans of an app belong to the right tenants: a pipeline in memory, and a look at the app's own.

`memory_pipeline` is apart from everything: the real SDK with tracium's own processors, the global providers untouched.
`captured_spans` sees what the app's own, global pipeline makes after `tracium.trace()`, web frameworks' spans too. With
pytest, put `pytest_plugins = ["tracium.testing"]` into `conftest.py` and ask for the fixture `tracium_pipeline` or
`tracium_spans`.
"""

from __future__ import annotations

import importlib.util
from contextlib import contextmanager
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from opentelemetry import trace
from opentelemetry.context import Context, attach, get_current
from opentelemetry.sdk.trace import SpanLimits, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from tracium import faults
from tracium.attributes import TENANT_ID
from tracium.signals import ids, tenant_span_processor
from tracium.signals.genai import GenAISpanProcessor

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from opentelemetry.sdk.trace import ReadableSpan
    from opentelemetry.sdk.trace.sampling import Sampler
    from opentelemetry.trace import Tracer

    from tracium.signals import TenantSpanProcessor

__all__ = [
    "MemoryPipeline",
    "Spans",
    "assert_one_tenant_per_trace",
    "assert_tenant",
    "captured_spans",
    "memory_pipeline",
    "tenant_of",
]


class Spans:
    """Spans that have ended."""

    def __init__(self) -> None:
        self._memory = InMemorySpanExporter()

    @property
    def spans(self) -> tuple[ReadableSpan, ...]:
        """The spans, in the order in which they ended."""
        return self._memory.get_finished_spans()

    def tenants(self) -> dict[str, str | None]:
        """The tenant of each span by its name; a name that stands for several spans has the last one's."""
        return {span.name: tenant_of(span) for span in self.spans}

    def clear(self) -> None:
        """Forget the spans."""
        self._memory.clear()


class MemoryPipeline(Spans):
    """A tracer provider that marks spans as tracium does and keeps them.

    Attributes:
        provider: Of the SDK; give it to instrumentations (`tracer_provider=`) or make it global yourself.
        tracer: One of its tracers.
    """

    def __init__(
        self,
        default_tenant: str | None = None,
        *,
        processor: TenantSpanProcessor | None = None,
        sampler: Sampler | None = None,
        span_limits: SpanLimits | None = None,
    ) -> None:
        """Make one.

        Args:
            default_tenant: Tenant of spans that have none, as for `tracium.init`.
            processor: What marks the spans, instead of the one that suits the installed SDK.
            sampler: Of the SDK; every span is kept unless given.
            span_limits: Of the SDK.
        """
        super().__init__()
        self.provider = TracerProvider(sampler=sampler, span_limits=span_limits, shutdown_on_exit=False)
        self.provider.add_span_processor(tenant_span_processor(default_tenant) if processor is None else processor)
        ids.install(self.provider)
        self.provider.add_span_processor(GenAISpanProcessor())
        self.provider.add_span_processor(SimpleSpanProcessor(self._memory))
        self.tracer: Tracer = self.provider.get_tracer("tracium.testing")


@contextmanager
def memory_pipeline(default_tenant: str | None = None) -> Iterator[MemoryPipeline]:
    """A pipeline for one test, which begins without a tenant and leaves none behind.

    Inside, a fault of tracium's is raised where it happens instead of being logged.

    Args:
        default_tenant: Tenant of spans that have none.
    """
    before = get_current()
    attach(Context())
    pipeline = MemoryPipeline(default_tenant)
    try:
        with faults.raising():
            yield pipeline
    finally:
        pipeline.provider.shutdown()
        # By value and not by token: a test runner may end a test in another context than it began it in.
        attach(before)


@contextmanager
def captured_spans() -> Iterator[Spans]:
    """What the app's own pipeline makes as long as the block runs, for an app that calls `tracium.trace()`.

    Set `OTEL_TRACES_EXPORTER=none` in tests, so that nothing is sent. Spans that are not sampled are not seen.

    Raises:
        RuntimeError: The app has no tracer provider of the OpenTelemetry SDK: nothing has called `tracium.trace()` yet.
    """
    captured = Spans()
    sinks = _tap(trace.get_tracer_provider()).sinks
    sinks.append(captured._memory)  # noqa: SLF001 - it is ours
    try:
        yield captured
    finally:
        sinks.remove(captured._memory)  # noqa: SLF001


class _Tap(SpanProcessor):
    """Stays on a provider, which gives no processor back, and passes on what ends to whoever looks."""

    def __init__(self) -> None:
        self.sinks: list[InMemorySpanExporter] = []

    def on_end(self, span: ReadableSpan) -> None:
        for sink in tuple(self.sinks):
            sink.export((span,))


_taps: WeakKeyDictionary[trace.TracerProvider, _Tap] = WeakKeyDictionary()


def _tap(provider: trace.TracerProvider) -> _Tap:
    if provider not in _taps:
        if not isinstance(provider, TracerProvider):
            kind = f"{type(provider).__module__}.{type(provider).__qualname__}"
            raise RuntimeError(
                f"The global tracer provider is {kind}, whose spans cannot be seen. Call tracium.trace() before, with "
                "OTEL_TRACES_EXPORTER=none so that nothing is sent."
            )
        _taps[provider] = _Tap()
        provider.add_span_processor(_taps[provider])
    return _taps[provider]


def tenant_of(span: ReadableSpan) -> str | None:
    """The tenant of an ended span, or None."""
    tenant = (span.attributes or {}).get(TENANT_ID)
    # An empty value takes a tenant away where attributes cannot be removed.
    return tenant if isinstance(tenant, str) and tenant else None


def assert_tenant(span: ReadableSpan, tenant: str | None) -> None:
    """Fail unless `span` belongs to `tenant`; None: unless it belongs to nobody."""
    found = tenant_of(span)
    if found != tenant:
        raise AssertionError(f"The span {span.name!r} belongs to the tenant {found!r}, not to {tenant!r}.")


def assert_one_tenant_per_trace(spans: Iterable[ReadableSpan]) -> None:
    """Fail if spans of one trace belong to different tenants; spans without a tenant do not count."""
    first: dict[int, ReadableSpan] = {}
    for span in spans:
        if span.context is None or tenant_of(span) is None:
            continue
        other = first.setdefault(span.context.trace_id, span)
        if tenant_of(other) != tenant_of(span):
            raise AssertionError(
                f"The trace {span.context.trace_id:032x} has two tenants: the span {other.name!r} belongs to "
                f"{tenant_of(other)!r} and {span.name!r} to {tenant_of(span)!r}."
            )


if importlib.util.find_spec("pytest") is not None:
    import pytest

    @pytest.fixture
    def tracium_spans() -> Iterator[Spans]:
        """What the app's own pipeline makes in the test that asks for it."""
        with captured_spans() as spans:
            yield spans

    @pytest.fixture
    def tracium_pipeline() -> Iterator[MemoryPipeline]:
        """A pipeline for the test that asks for it."""
        with memory_pipeline() as pipeline:
            yield pipeline
