"""The exporter of our spans: any OTLP exporter, with its destination and the resource changeable, and nothing silent."""

from __future__ import annotations

import logging
import netrc  # noqa: F401 - requests imports it with its first request; a child forked in that moment would wait for it for ever
import threading
from typing import TYPE_CHECKING, Any, Final

import requests
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

from tracium.forks import around
from tracium.startup.delivery import Delivery
from tracium.startup.failure import failure_from, listening

if TYPE_CHECKING:
    from collections.abc import Sequence

    from opentelemetry.sdk.resources import Resource

    from tracium.settings import Destination

_SLOW: Final = logging.makeLogRecord({"msg": "it did not answer before the process ended (TRACIUM_FLUSH_TIMEOUT)"})

# Seconds that a fork may wait for an export over gRPC.
_PAUSE: Final = 2.0

_inherited: Final[list[SpanExporter | None]] = []

_NO_HEADERS: Final = {"tracium-sends": "no headers of the environment"}


class TraciumSpanExporter(SpanExporter):
    """Sends spans to a destination and keeps count of what became of them.

    Attributes:
        destination: Where they go now.
        delivery: What became of them.
    """

    def __init__(self, destination: Destination) -> None:
        self._lock = threading.Lock()
        self._closing = threading.Event()
        self._resource: Resource | None = None
        self._underway: tuple[int, list[logging.LogRecord]] | None = None
        self._merged: dict[int, tuple[Resource, Resource]] = {}
        self.destination = destination
        self.delivery = Delivery(destination)
        self._inner: SpanExporter | None = self._make(destination)
        self._sending = threading.Lock()
        self._paused = False
        around(self._pause, self._go_on)

    def redirect(self, destination: Destination) -> None:
        """Send to `destination` from now on."""
        if destination == self.destination:
            return
        made = self._make(destination)
        with self._lock:
            before, self._inner = self._inner, made
            self.destination = destination
            self.delivery = Delivery(destination)
        if before is not None:
            before.shutdown()

    def begin_anew(self) -> None:
        """Share nothing with the parent of a forked process: neither its connections nor its locks nor its counts."""
        # Whatever ends a connection that was inherited ends it for the parent too, so it is kept and never used.
        _inherited.append(self._inner)
        self._lock = threading.Lock()
        self._sending = threading.Lock()
        self._paused = False
        self._closing = threading.Event()
        self._underway = None
        self.delivery = Delivery(self.destination)
        # It is made where it is needed, because not every library can be called while a process is being forked.
        self._inner = None

    def describe(self, resource: Resource) -> None:
        """Add `resource` to that of every span from now on: what `init` learned after the provider was made."""
        with self._lock:
            self._resource = resource
            self._merged.clear()

    def _pause(self) -> None:
        """Let no export be under way while this process is forked: a child could not use gRPC then.

        An export that takes long is not waited for, nor a destination that does not answer: such a child says that it
        cannot send.
        """
        if self.destination.protocol == "grpc" and self.delivery.delivered.failure is None:
            self._paused = self._sending.acquire(timeout=_PAUSE)

    def _go_on(self) -> None:
        if self._paused:
            self._paused = False
            self._sending.release()

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Send `spans`; a failure is counted and said once, with its cause and the cure."""
        with self._lock:
            if self._inner is None:
                self._inner = self._make(self.destination)
            inner, delivery, resource = self._inner, self.delivery, self._resource
        if resource is not None:
            spans = [self._described(span, resource) for span in spans]
        result, error = SpanExportResult.FAILURE, None
        with self._sending, listening() as heard:
            self._underway = (len(spans), heard)
            try:
                result = inner.export(spans)
            except Exception as raised:  # noqa: BLE001 - whatever an exporter raises, the worker thread must live
                error = raised
            finally:
                self._underway = None
        if result is SpanExportResult.SUCCESS:
            delivery.sent(len(spans))
        else:
            delivery.lost(len(spans), failure_from(heard, error))
        return result

    def close_soon(self) -> None:
        """From now on a refused connection is final: the process ends and nobody waits for a retry."""
        self._closing.set()

    def finish(self, timeout: float) -> None:
        """Wait `timeout` seconds at most for what another thread sends, and say what did not arrive."""
        if self._sending.acquire(timeout=timeout):
            self._sending.release()
        self.delivery.close()

    def shutdown(self) -> None:
        """Send no more; what is still on its way is given up."""
        underway = self._underway
        if underway is not None:
            self.delivery.lost(underway[0], failure_from(list(underway[1]) or [_SLOW]))
        if self._inner is not None:
            self._inner.shutdown()
        self.delivery.close()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:  # noqa: ARG002 - the interface's
        """Nothing is kept here."""
        return True

    def _make(self, destination: Destination) -> SpanExporter:
        headers = {} if destination.api_key is None else {"authorization": f"Bearer {destination.api_key}"}
        foreign = destination.foreign_headers - headers.keys()
        endpoint = None if destination.from_otel else destination.traces_url
        if destination.protocol == "grpc":
            from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import (  # noqa: PLC0415 - loads gRPC
                OTLPSpanExporter as GrpcSpanExporter,
            )

            # With headers of its own the exporter leaves those of the environment out.
            own = headers or (_NO_HEADERS if foreign else None)
            return GrpcSpanExporter(endpoint=endpoint, headers=own)
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # noqa: PLC0415 - as above

        return OTLPSpanExporter(endpoint=endpoint, headers=headers or None, session=_Session(self._closing, foreign))

    def _described(self, span: ReadableSpan, resource: Resource) -> ReadableSpan:
        known = self._merged.get(id(span.resource))
        if known is None or known[0] is not span.resource:
            known = (span.resource, span.resource.merge(resource))
            self._merged[id(span.resource)] = known
        return ReadableSpan(
            name=span.name,
            context=span.context,
            parent=span.parent,
            resource=known[1],
            attributes=span._attributes,  # noqa: SLF001 - the object that counts what was dropped
            events=span._events,  # noqa: SLF001
            links=span._links,  # noqa: SLF001
            kind=span.kind,
            status=span.status,
            start_time=span.start_time,
            end_time=span.end_time,
            instrumentation_scope=span.instrumentation_scope,
        )


class _Session(requests.Session):
    """Says what the exporter would pass over in silence.

    The exporter takes a redirect for a success and does not follow it. And it waits and tries again when a connection
    is refused, which is right while the process runs, but not when it ends. Headers of the environment that are for
    another endpoint are left out.
    """

    def __init__(self, closing: threading.Event, foreign: frozenset[str]) -> None:
        super().__init__()
        self._closing = closing
        self._foreign = foreign

    def request(self, *args: Any, **kwargs: Any) -> requests.Response:
        headers = kwargs.get("headers") or {}
        kwargs["headers"] = {name: value for name, value in headers.items() if name.lower() not in self._foreign}
        try:
            response = super().request(*args, **kwargs)
        except requests.exceptions.ConnectionError as error:
            if self._closing.is_set():
                raise requests.exceptions.RequestException(str(error)) from error
            raise
        if response.is_redirect:
            where = response.headers.get("location", "")
            raise requests.exceptions.TooManyRedirects(f"it redirects to {where}", response=response)
        return response
