"""A record of Python's `logging` as a log record of OpenTelemetry's.

https://opentelemetry.io/docs/specs/otel/logs/data-model/
"""

from __future__ import annotations

import logging
import time
import traceback
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from opentelemetry._logs import LogRecord, SeverityNumber
from opentelemetry.instrumentation.log_utils import std_to_otel

from tracium.attributes import (
    CODE_FILE_PATH,
    CODE_FUNCTION_NAME,
    CODE_LINE_NUMBER,
    CODE_STACKTRACE,
    EVENT_NAME,
    EVENT_NAME_DEPRECATED,
    EXCEPTION_MESSAGE,
    EXCEPTION_STACKTRACE,
    EXCEPTION_TYPE,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

# What every record has; whatever else stands in one was given with `extra=`.
_OWN: Final = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
# As OpenTelemetry's own handlers call these levels.
_LEVELS: Final = {"WARNING": "WARN", "CRITICAL": "FATAL"}
_EVENTS: Final = (EVENT_NAME, EVENT_NAME_DEPRECATED)
# How deep a value of `extra` is looked into; it may hold itself.
_DEPTH: Final = 5
# What OTLP can carry as a number.
_LARGEST: Final = 2**63 - 1


def translated(record: logging.LogRecord, left_out: Collection[str] = ()) -> LogRecord:
    """What goes out for `record`; it belongs to the current context.

    The body is the message with its arguments. What was given with `extra=` are attributes, besides the place in the
    code and the exception.

    Args:
        record: As the app logged it; nothing is written into it.
        left_out: Names in it that are nothing the app gave.
    """
    given = {
        name: _value(value)
        for name, value in vars(record).items()
        if name not in _OWN and name not in left_out and name not in _EVENTS and isinstance(name, str) and name
    }
    event = next((vars(record)[name] for name in _EVENTS if name in vars(record)), None)
    return LogRecord(
        timestamp=int(record.created * 1e9),
        observed_timestamp=time.time_ns(),
        severity_text=_text(_LEVELS.get(record.levelname, str(record.levelname))),
        severity_number=_severity(record.levelno),
        body=_text(_told(record.getMessage, record.msg)),
        attributes={**_place(record), **_exception(record), **given},
        event_name=None if event is None else _text(_told(lambda: str(event), "")),
    )


def _severity(level: int) -> SeverityNumber:
    # The mapping begins with DEBUG; what apps define below it is what others call TRACE.
    return SeverityNumber.TRACE if 0 < level < logging.DEBUG else std_to_otel(level)


def _place(record: logging.LogRecord) -> dict[str, Any]:
    place: dict[str, Any] = {}
    # Records that were made from a dict may have none.
    if record.pathname:
        place = {CODE_FILE_PATH: _text(str(record.pathname)), CODE_LINE_NUMBER: record.lineno}
    if record.funcName:
        place[CODE_FUNCTION_NAME] = _text(str(record.funcName))
    if record.stack_info:
        place[CODE_STACKTRACE] = _text(str(record.stack_info))
    return place


def _exception(record: logging.LogRecord) -> dict[str, Any]:
    """https://opentelemetry.io/docs/specs/semconv/exceptions/exceptions-logs/."""
    error = record.exc_info[1] if isinstance(record.exc_info, tuple) else None
    if error is None:
        # A record that went through a queue has only the text.
        return {EXCEPTION_STACKTRACE: _text(record.exc_text)} if record.exc_text else {}
    kind = type(error)
    name = kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"
    return {
        EXCEPTION_TYPE: name,
        EXCEPTION_MESSAGE: _text(_told(lambda: str(error), "")),
        EXCEPTION_STACKTRACE: _text(_told(lambda: "".join(traceback.format_exception(error)), "")),
    }


def _value(value: object, depth: int = 0) -> Any:
    """What OTLP can carry for `value`; one value that it cannot carry would cost the whole batch."""
    if value is None or isinstance(value, bool | float | bytes):
        return value
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, int):
        return value if -_LARGEST <= value <= _LARGEST else str(value)
    if depth < _DEPTH and isinstance(value, list | tuple):
        return [_value(each, depth + 1) for each in value]
    if depth < _DEPTH and isinstance(value, Mapping):
        return _told(lambda: {_key(key): _value(each, depth + 1) for key, each in value.items()}, "")
    return _text(_told(lambda: str(value), ""))


def _key(key: object) -> str:
    return _text(str(key)) or '""'


def _told(tell: Callable[[], Any], otherwise: object) -> Any:
    """What `tell` answers; the app's own objects may fail to describe themselves."""
    try:
        return tell()
    except Exception:  # noqa: BLE001 - it is the app's code, which logging's own handlers complain about
        try:
            return str(otherwise)
        except Exception:  # noqa: BLE001 - as above
            return f"<{type(otherwise).__qualname__}>"


def _text(text: str) -> str:
    """The text without lone surrogates, which OTLP cannot carry: names of files may have some."""
    if text.isascii():
        return text
    return text.encode("utf-8", "backslashreplace").decode("utf-8")
