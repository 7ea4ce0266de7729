"""Python's `logging` into OpenTelemetry's logs.

There is no handler of ours. One on the root logger would be taken away by the next `dictConfig`, would make `basicConfig`
do nothing, and would keep warnings of an app without handlers from standard error. So every record is looked at where
`logging` hands it to the handlers: those that reach the root logger's handlers go out, whether or not it has any.
"""

from __future__ import annotations

import functools
import logging
import threading
from typing import TYPE_CHECKING, Any, Final

from opentelemetry.context import Context, attach, detach, get_current
from opentelemetry.instrumentation.utils import is_instrumentation_enabled

from tracium import notices
from tracium.faults import fault
from tracium.signals.log_origin import note_origins, origin_of, unexported
from tracium.signals.log_translation import translated

if TYPE_CHECKING:
    from collections.abc import Callable

    from opentelemetry._logs import Logger, LoggerProvider

_NOWHERE: Final = Context()
# They tell about exports, and an export about each of them would never end.
_PIPELINE: Final = ("opentelemetry.exporter.", "opentelemetry.sdk.")
# What exporters send by. Where instrumentation is suppressed these talk of an export.
_TRANSPORTS: Final = frozenset({"charset_normalizer", "grpc", "h2", "httpcore", "httpx", "requests", "urllib3"})
# OpenTelemetry's own handlers: the one that became a package, and the SDK's.
_THEIRS: Final = frozenset({"opentelemetry.instrumentation.logging.handler", "opentelemetry.sdk._logs._internal"})


class LogBridge:
    """Emits records of `logging` as long as it is open; there is one open in a process.

    Args:
        provider: Where records go, each under the name of its logger.
        kept_out: Tells of the current thread that what it logs must not go out.
        level: Records below it stay here.
    """

    def __init__(self, provider: LoggerProvider, kept_out: Callable[[], bool], level: int = logging.NOTSET) -> None:
        self._provider = provider
        self._kept_out = kept_out
        self._level = level
        # Asking the provider takes a lock, which a signal handler that logs must not wait for.
        self._loggers: dict[str, Logger] = {}

    def open(self) -> None:
        """Let records go out."""
        global _open  # noqa: PLW0603 - one bridge for the process
        note_origins()
        _patch()
        _open = self

    def close(self) -> None:
        """Let no more go out."""
        global _open  # noqa: PLW0603 - as above
        if _open is self:
            _open = None

    def take(self, logger: logging.Logger, record: logging.LogRecord) -> None:
        """Emit a record that `logger` has let through, in the context that it was made in, if it shall go out."""
        if record.levelno < self._level or _emitting.now or not _reaches_root(logger) or self._concerns_export(record):
            return
        origin = origin_of(record)
        if origin is None:
            self._emit(record, _NOWHERE, frozenset())
        elif origin.context is not None and not origin.exported and not origin.unexported:
            # A record of another process was sent there.
            origin.exported = True
            self._emit(record, origin.context, origin.named)

    def _concerns_export(self, record: logging.LogRecord) -> bool:
        if record.name.startswith(_PIPELINE) or self._kept_out():
            return True
        return record.name.partition(".")[0] in _TRANSPORTS and not is_instrumentation_enabled()

    def _emit(self, record: logging.LogRecord, context: Context, left_out: frozenset[str]) -> None:
        # Another context cannot simply be named: OpenTelemetry takes the current one for one that is empty.
        token = None if context is get_current() else attach(context)
        _emitting.now = True
        try:
            logger = self._loggers.get(record.name)
            if logger is None:
                logger = self._loggers[record.name] = self._provider.get_logger(record.name)
            logger.emit(translated(record, left_out))
        finally:
            _emitting.now = False
            if token is not None:
                detach(token)


class _Emitting(threading.local):
    # What is logged meanwhile, by the SDK or by what an app's own objects run when they are read, stays here.
    now = False


_emitting: Final = _Emitting()
_lock: Final = threading.Lock()
_open: LogBridge | None = None
_patched = False


def _patch() -> None:
    global _patched  # noqa: PLW0603 - one patch for the process
    with _lock:
        if _patched:
            return
        _patched = True
        original = logging.Logger.callHandlers
        logging.Logger.callHandlers = _with_bridge(original)  # type: ignore[method-assign] # every record passes here


def _with_bridge(original: Any) -> Any:
    @functools.wraps(original)
    def call_handlers(self: logging.Logger, record: logging.LogRecord) -> None:
        try:
            original(self, record)
        finally:
            # After the app's handlers: their filters may have taken secrets out.
            bridge = _open
            if bridge is not None:
                _take(bridge, self, record)

    return call_handlers


def _take(bridge: LogBridge, logger: logging.Logger, record: logging.LogRecord) -> None:
    try:
        if not _is_taken():
            bridge.take(logger, record)
    except Exception as error:  # noqa: BLE001 - recording never breaks the app
        with unexported():
            fault("exporting what was logged", error)


def _reaches_root(logger: logging.Logger) -> bool:
    walk = logger
    while walk.propagate and walk.parent is not None:
        walk = walk.parent
    return walk is logging.root


def _is_taken() -> bool:
    """Whether the app has a handler of OpenTelemetry's on the root logger, and records would go out twice."""
    for handler in logging.root.handlers:
        kind: Any = type(handler)
        if _is_theirs(kind):
            _say_taken(kind)
            return True
    return False


@functools.lru_cache(maxsize=16)
def _say_taken(kind: type) -> None:
    notices.say(
        "logs:handler",
        logging.INFO,
        f"Python's logging goes out by the handler {kind.__module__}.{kind.__qualname__} that the app has put onto the root "
        "logger. Take it away to have tracium do it.",
    )


@functools.lru_cache(maxsize=256)
def _is_theirs(kind: type) -> bool:
    return any(base.__module__ in _THEIRS for base in kind.__mro__)
