"""What runs in this process, and what is wrong with it."""

from __future__ import annotations

import logging
import os
from dataclasses import asdict, dataclass
from typing import Any

from opentelemetry import trace
from opentelemetry.propagate import get_global_textmap
from opentelemetry.propagators.composite import CompositePropagator

from tracium import notices
from tracium.boundary.propagation import TenantPropagator
from tracium.destination import Signal
from tracium.startup.libraries import installed_version
from tracium.startup.runtime import runtime


@dataclass(frozen=True, slots=True)
class DestinationReport:
    """Where one signal goes.

    Attributes:
        url: The URL that it is sent to.
        protocol: `http/protobuf` or `grpc`.
        source: Which setting named it.
        sends_key: Whether the API key travels with it.
        sent: Spans, log records or exports of metrics that were acknowledged.
        lost: Those that were given up.
        failure: Why the last attempt failed, or None.
    """

    url: str
    protocol: str
    source: str
    sends_key: bool
    sent: int
    lost: int
    failure: str | None


@dataclass(frozen=True, slots=True)
class LibraryReport:
    """One library, or one part of the standard library, and its instrumentation.

    Attributes:
        name: Its name.
        version: The installed version, or None.
        instrumentor: The distribution that instruments it, or None.
        state: `instrumented`, `waits for its import`, `makes its spans itself`, `disabled`, `not instrumented`,
            `failed` or `no instrumentation`.
        detail: Why, and what to do.
        wrong: Whether something has to be done.
    """

    name: str
    version: str | None
    instrumentor: str | None
    state: str
    detail: str
    wrong: bool


@dataclass(frozen=True, slots=True)
class Report:
    """What `tracium.report()` tells.

    Attributes:
        version: Of tracium.
        pid: Of the process.
        state: `running`, `disabled` (OTEL_SDK_DISABLED) or `not started`.
        destination: Where spans go, or None if tracium does not send them.
        logs: Where log records go, or None if tracium does not send them.
        metrics: Where metrics go, or None if tracium does not send them.
        key_set: Whether an API key is configured.
        provider: The class of the tracer provider.
        joined: Whether the app had it before tracium came.
        processors: The classes of its span processors, in order; empty if it does not tell.
        propagators: The propagators, outermost first.
        libraries: Every instrumentor found and every known library that has none.
        problems: What is wrong, each a sentence with its cure.
    """

    version: str
    pid: int
    state: str
    destination: DestinationReport | None
    logs: DestinationReport | None
    metrics: DestinationReport | None
    key_set: bool
    provider: str
    joined: bool
    processors: tuple[str, ...]
    propagators: tuple[str, ...]
    libraries: tuple[LibraryReport, ...]
    problems: tuple[str, ...]

    @property
    def healthy(self) -> bool:
        """Whether nothing is wrong."""
        return not self.problems

    def as_dict(self) -> dict[str, Any]:
        """The same as plain values, for JSON."""
        return asdict(self)


def make_report() -> Report:
    """Look at this process as it is now."""
    settings, pipeline = runtime.settings, runtime.pipeline
    provider = trace.get_tracer_provider()
    libraries = _libraries()
    return Report(
        version=installed_version("tracium") or "unknown",
        pid=os.getpid(),
        state="not started" if settings is None else "disabled" if settings.disabled else "running",
        destination=_destination(Signal.TRACES),
        logs=_destination(Signal.LOGS),
        metrics=_destination(Signal.METRICS),
        key_set=settings is not None and settings.api_key is not None,
        provider=_class(provider),
        joined=pipeline is not None and pipeline.joined,
        processors=_processors(provider),
        propagators=_propagators(),
        libraries=libraries,
        problems=_problems(libraries),
    )


def _destination(signal: Signal) -> DestinationReport | None:
    exporter = None if runtime.pipeline is None else runtime.pipeline.exporter_of(signal)
    if exporter is None:
        return None
    delivered = exporter.delivery.delivered
    destination = exporter.destination
    return DestinationReport(
        url=destination.signal_url,
        protocol=destination.protocol,
        source=destination.source,
        sends_key=destination.api_key is not None,
        sent=delivered.sent,
        lost=delivered.lost,
        failure=delivered.failure,
    )


def _libraries() -> tuple[LibraryReport, ...]:
    if runtime.instrumentation is None:
        return ()
    return tuple(
        LibraryReport(
            name=found.name,
            version=found.version,
            instrumentor=found.instrumentor,
            state=found.state.value,
            detail=found.detail,
            wrong=found.wrong,
        )
        for found in runtime.instrumentation.libraries()
    )


def _problems(libraries: tuple[LibraryReport, ...]) -> tuple[str, ...]:
    said = [notice for notice in notices.notices() if notice.level >= logging.WARNING]
    told = tuple(notice.text if notice.count == 1 else f"{notice.text} ({notice.count} times)" for notice in said)
    keys = {notice.key for notice in said}
    silent = tuple(
        f"{library.name} {library.version or ''}: {library.state}. {library.detail}"
        for library in libraries
        if library.wrong and f"instrumentation:{library.name}" not in keys
    )
    return told + silent


def _processors(provider: object) -> tuple[str, ...]:
    active = getattr(provider, "_active_span_processor", None)
    return tuple(_class(processor) for processor in getattr(active, "_span_processors", ()))


def _propagators() -> tuple[str, ...]:
    def names(propagator: object) -> tuple[str, ...]:
        if isinstance(propagator, TenantPropagator):
            return (_class(propagator), *names(propagator.inner))
        if isinstance(propagator, CompositePropagator):
            parts = getattr(propagator, "_propagators", ())
            return tuple(name for part in parts for name in names(part)) or ("none",)
        return (_class(propagator),)

    return names(get_global_textmap())


def _class(thing: object) -> str:
    return f"{type(thing).__module__}.{type(thing).__qualname__}"
