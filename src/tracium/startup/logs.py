"""The logger provider: made with the SDK's own configuration, or the app's; and Python's `logging` into it."""

from __future__ import annotations

import logging
import os
from typing import TYPE_CHECKING, Any, Final

from opentelemetry import _logs
from opentelemetry.sdk import _configuration
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
from wrapt import wrap_function_wrapper

from tracium import notices
from tracium.destination import Signal
from tracium.faults import contained
from tracium.settings import DEFAULT_CONTENT_LIMIT
from tracium.signals import TenantLogRecordProcessor
from tracium.signals.genai import ContentLogRecordProcessor, ContentPolicy
from tracium.signals.log_bridge import LogBridge
from tracium.startup.asked import further, named
from tracium.startup.batches import BoundedBatchLogRecordProcessor
from tracium.startup.exporter import TraciumLogExporter
from tracium.startup.failure import exporting
from tracium.startup.otlp import is_otlp, once

if TYPE_CHECKING:
    from collections.abc import Mapping

    from opentelemetry.sdk._logs import LogRecordProcessor
    from opentelemetry.sdk._logs.export import LogRecordExporter
    from opentelemetry.sdk.resources import Resource

    from tracium.destination import Destination
    from tracium.startup.deadline import Deadline

# The variables of OpenTelemetry's own handlers, for which ours stands.
_SDK_HANDLER: Final = "OTEL_PYTHON_LOGGING_AUTO_INSTRUMENTATION_ENABLED"
_PACKAGE_HANDLER: Final = "OTEL_PYTHON_LOG_AUTO_INSTRUMENTATION"
_LEVEL: Final = "OTEL_PYTHON_LOG_HANDLER_LEVEL"
# Neither "true" nor "false": whoever reads it leaves the handler out, and children know that nobody refused it.
_OURS: Final = "tracium"


class Logs:
    """What tracium put between the process and its log records.

    Attributes:
        tenants: The processor that marks them, also those of providers that the app makes later.
        batches: The processor that exports them; None if others export, or nobody.
        content: The processor that settles what they hold of prompts and answers.
        first: Whether these two come before all that exports, with every provider that there was so far.
        joined: Whether the app had a provider before.
    """

    def __init__(self, destination: Destination, timeout: float, default: str | None = None) -> None:
        """Mark every log record from now on.

        Args:
            destination: Where log records go that we send.
            timeout: Seconds that the end of the process waits for the last ones.
            default: Tenant of records that have none.
        """
        self._destination = destination
        self._timeout = timeout
        self._own: LoggerProvider | None = None
        self._bridge: LogBridge | None = None
        self.tenants = TenantLogRecordProcessor(default)
        self.content = ContentLogRecordProcessor(ContentPolicy.of(None), redact=True, limit=DEFAULT_CONTENT_LIMIT)
        self.first = True
        self.batches: BoundedBatchLogRecordProcessor | None = None
        there = _logs.get_logger_provider()
        self.joined = not _is_unset(there)
        if self.joined:
            self.mark(there)
        _watch(self)

    def make(
        self,
        exporters: Mapping[str, type[LogRecordExporter]],
        resource: Resource | None = None,
        *_args: object,
        exporter_args_map: Mapping[Any, Mapping[str, Any]] | None = None,
        logger_configurator: Any = None,
        **_more: object,
    ) -> None:
        """Make the global logger provider: this is called instead of the SDK's own step `_init_logging`, with its arguments.

        It exports by the exporters that the SDK found in the environment, and instead of a plain OTLP one by ours. Without
        any, or where the app has a provider, it makes none. The SDK's handler and processors are left out: ours are here.

        Args:
            exporters: Classes by their names.
            resource: Of the process.
            exporter_args_map: Arguments of exporters, by class.
            logger_configurator: What OTEL_PYTHON_LOGGER_CONFIGURATOR names.
        """
        if not exporters or not _is_unset(_logs.get_logger_provider()):
            return
        given = exporter_args_map or {}
        more = {} if logger_configurator is None else {"_logger_configurator": logger_configurator}
        # The end of the process is ours: it keeps to the timeout, and comes in children too.
        own = LoggerProvider(resource=resource, shutdown_on_exit=False, **more)
        for kind in once(exporters).values():
            own.add_log_record_processor(self._exporting(kind, given.get(kind, {})))
        self._own = own
        _logs.set_logger_provider(own)

    def start(self, resource: Resource | None = None, *, wanted: bool, elsewhere: bool = False) -> None:
        """Let log records go out, if they shall: those of Python's `logging`, and those that a provider gets.

        Args:
            resource: Of the process, as the tracer provider has it.
            wanted: The option `logs`.
            elsewhere: Whether an endpoint of tracium's or a key was set: then an app's provider that exports elsewhere
                exports here too.
        """
        if not logs_wanted(wanted=wanted):
            if self._bridge is not None:
                # Whoever says logs=False later means what is logged from then on.
                self._bridge.close()
                self._bridge = None
            return
        if self._own is None and _is_unset(_logs.get_logger_provider()):
            names = further(Signal.LOGS, wanted=wanted, protocol=self._destination.of(Signal.LOGS).protocol)
            # Whoever asks for a handler and names no exporter asks for no export.
            names += _configuration._get_exporter_names("logs")  # noqa: SLF001 - a distro's way in
            _, _, found = _configuration._import_exporters([], [], names)  # noqa: SLF001 - as above
            self.make(found, resource)
        if self._own is None:
            self._join(elsewhere=elsewhere)
        if self._bridge is None and (wanted or os.environ.get(_PACKAGE_HANDLER, "").strip().lower() != "false"):
            os.environ[_PACKAGE_HANDLER] = _OURS
            self._bridge = LogBridge(_logs.get_logger_provider(), exporting, _level())
            self._bridge.open()

    def update(self, destination: Destination, timeout: float, default: str | None) -> None:
        """Let what `init` was told later take effect on what is exported from now on."""
        self._destination, self._timeout = destination, timeout
        self.tenants.default = default
        if self.batches is not None:
            self.batches.timeout = timeout
            self.batches.exporter.redirect(destination)

    def describe(self, resource: Resource) -> None:
        """Add `resource` to that of all log records from now on."""
        if self.batches is not None:
            self.batches.exporter.describe(resource)

    def flush(self, timeout_millis: float) -> bool:
        """Send what was logged so far, whoever exports it; tell whether all of it was handed over in that time."""
        flush: Any = getattr(_logs.get_logger_provider(), "force_flush", None)
        return not callable(flush) or flush(int(timeout_millis)) is not False

    def close(self) -> None:
        """Take no more, and let what was logged so far be sent; `shutdown` waits for it."""
        if self._bridge is not None:
            self._bridge.close()
        if self.batches is not None:
            self.batches.close()

    def shutdown(self, deadline: Deadline | None = None) -> None:
        """Send what was logged so far, within the timeout or until the deadline. An app's own provider goes on."""
        self.close()
        if self.batches is not None:
            self.batches.shutdown(deadline)
        if self._own is not None:
            own, self._own = self._own, None
            with contained("ending the export of logs"):
                own.shutdown()

    def drain(self) -> None:
        """The same from a thread that may take no lock that another one holds."""
        if self.batches is not None:
            self.batches.drain()

    def give_up(self) -> None:
        """Count as lost what has not been sent: the process waits no longer."""
        if self.batches is not None:
            self.batches.give_up()

    def _join(self, *, elsewhere: bool) -> None:
        """Export here what the app's own provider gets, if it shall or if nothing else does."""
        provider = _logs.get_logger_provider()
        others = _processors(provider)
        exports = others is None or any(not type(each).__module__.startswith("tracium.") for each in others)
        if self.batches is not None or (exports and not elsewhere):
            return
        add: Any = getattr(provider, "add_log_record_processor", None)
        if callable(add):
            add(self._batch())

    def _exporting(self, kind: type[LogRecordExporter], arguments: Mapping[str, Any]) -> LogRecordProcessor:
        return self._batch() if is_otlp(kind) else BatchLogRecordProcessor(kind(**arguments))

    def _batch(self) -> BoundedBatchLogRecordProcessor:
        self.batches = BoundedBatchLogRecordProcessor(TraciumLogExporter(self._destination), self._timeout)
        return self.batches

    def mark(self, provider: Any) -> None:
        """Let our processor come before those that export."""
        several: Any = getattr(provider, "_multi_log_record_processor", None)
        present = _processors(provider)
        if present is not None and any(isinstance(each, TenantLogRecordProcessor) for each in present):
            return
        if present is not None and type(several).__name__ == "SynchronousMultiLogRecordProcessor":
            with several._lock:  # noqa: SLF001 - the SDK has no way to put one first
                several._log_record_processors = (self.tenants, self.content, *several._log_record_processors)  # noqa: SLF001
            return
        add: Any = getattr(provider, "add_log_record_processor", None)
        if callable(add):
            add(self.tenants)
            add(self.content)
        if not callable(add) or present != ():
            self.first = False
            _say_unmarked(provider)


_watching: Final[list[Logs]] = []


def _watch(logs: Logs) -> None:
    """Let `logs`, and nobody before it, mark the records of every provider that is made from now on."""
    if not _watching:
        wrap_function_wrapper("opentelemetry.sdk._logs", "LoggerProvider.__init__", _made)
    _watching[:] = [logs]


def _made(make: Any, provider: Any, args: Any, kwargs: Any) -> None:
    """Mark the records of a provider that somebody makes, before what it exports by comes to it."""
    make(*args, **kwargs)
    with contained("marking the records of a logger provider"):
        _watching[0].mark(provider)


def logs_wanted(*, wanted: bool) -> bool:
    """Whether log records shall be exported: by the option `logs`, or by OTEL_LOGS_EXPORTER or a variable of handlers."""
    asked = os.environ.get(_SDK_HANDLER, "").strip().lower() == "true"
    return wanted or asked or bool(named(Signal.LOGS))


def _level() -> int:
    """The level from which records go out: the one that OpenTelemetry's own handler would have."""
    name = os.environ.get(_LEVEL, "").strip()
    level = logging.getLevelNamesMapping().get(name.upper(), None if name else logging.NOTSET)
    if level is not None:
        return level
    notices.say(
        "logs:level",
        logging.WARNING,
        f"{_LEVEL} is {name!r}, but it must be the name of a level, such as WARNING. All levels go out.",
    )
    return logging.NOTSET


def _is_unset(provider: _logs.LoggerProvider) -> bool:
    """Whether it is only the API's own, which passes on to the one that is set later."""
    kind = type(provider)
    return kind.__module__.startswith("opentelemetry._logs") and kind.__name__ == "ProxyLoggerProvider"


def _processors(provider: object) -> tuple[object, ...] | None:
    """The processors of a provider; None if it cannot be looked into."""
    several = getattr(provider, "_multi_log_record_processor", None)
    present = getattr(several, "_log_record_processors", None)
    return present if isinstance(present, tuple) else None


def _say_unmarked(provider: object) -> None:
    kind = f"{type(provider).__module__}.{type(provider).__qualname__}"
    notices.say(
        "logs:provider",
        logging.WARNING,
        f"The logger provider {kind} lets no processor come before those that export, so log records may go out without "
        "tenant.id. Put tracium.signals.TenantLogRecordProcessor onto it first, or use the SDK's with its own kind of "
        "processors.",
    )
