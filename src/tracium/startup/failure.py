"""Why an export failed: heard from the exporter's own log, told with the cure."""

from __future__ import annotations

import enum
import logging
import threading
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

import requests

from tracium.destination import Signal

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tracium.destination import Destination

# The exporters tell their result only as success or failure; the reason is in what they log.
_LOGGERS: Final = (
    "opentelemetry.exporter.otlp.common.http",
    "opentelemetry.exporter.otlp.proto.http._log_exporter",
    "opentelemetry.exporter.otlp.proto.http.metric_exporter",
    "opentelemetry.exporter.otlp.proto.http.trace_exporter",
    "opentelemetry.exporter.otlp.proto.grpc.exporter",
)
_GRPC: Final = {
    "UNAUTHENTICATED": HTTPStatus.UNAUTHORIZED,
    "PERMISSION_DENIED": HTTPStatus.FORBIDDEN,
    "NOT_FOUND": HTTPStatus.NOT_FOUND,
    "UNIMPLEMENTED": HTTPStatus.NOT_FOUND,
    "RESOURCE_EXHAUSTED": HTTPStatus.TOO_MANY_REQUESTS,
    "INVALID_ARGUMENT": HTTPStatus.BAD_REQUEST,
    "INTERNAL": HTTPStatus.INTERNAL_SERVER_ERROR,
}
_REASONS: Final = {status.phrase: status for status in HTTPStatus if status >= HTTPStatus.BAD_REQUEST}


class Cause(enum.Enum):
    """Why telemetry did not arrive."""

    UNREACHABLE = "unreachable"
    KEY = "key"
    NOT_OTLP = "not-otlp"
    OVERLOADED = "overloaded"
    REFUSED = "refused"
    BROKEN = "broken"


@dataclass(frozen=True, slots=True)
class Failure:
    """One failed export.

    Attributes:
        cause: Why.
        reason: What was heard, in the exporter's words.
    """

    cause: Cause
    reason: str

    def told(self, destination: Destination) -> str:
        """The sentence for the operator: what happened, where, and what to do."""
        sentence = _TOLD[self.cause]
        if self.cause is Cause.KEY and destination.api_key is None:
            sentence = _WITHOUT_KEY
        elif self.cause is Cause.NOT_OTLP and destination.signal is not Signal.TRACES:
            sentence = _NOT_TAKEN
        return sentence.format(
            url=destination.signal_url,
            where=destination.source,
            reason=self.reason,
            things=destination.signal.things,
            signal=destination.signal.value,
            variable=destination.signal.name,
        )


_TOLD: Final = {
    Cause.UNREACHABLE: (
        "{url} (from {where}) cannot be reached, so {things} are lost: {reason}. Start an OTLP receiver there "
        "(`tracium serve` is one for this machine), or set TRACIUM_ENDPOINT to where yours is."
    ),
    Cause.KEY: (
        "{url} rejected the API key, so {things} are lost: {reason}. Check api_key= or TRACIUM_API_KEY; a key belongs to one "
        "backend."
    ),
    Cause.NOT_OTLP: (
        "{url} (from {where}) answers, but not to OTLP, so {things} are lost: {reason}. Name the base URL of an OTLP "
        "receiver; for HTTP, /v1/{signal} is added to it."
    ),
    Cause.OVERLOADED: "{url} (from {where}) is overloaded, so {things} are lost: {reason}. Send less or give it more.",
    Cause.REFUSED: (
        "{url} (from {where}) refused the {things}, so they are lost: {reason}. The receiver's own log says what it did not "
        "like."
    ),
    Cause.BROKEN: "{url} (from {where}) failed, so {things} are lost: {reason}. Look at the receiver's own log.",
}
_WITHOUT_KEY: Final = (
    "{url} (from {where}) wants credentials, so {things} are lost: {reason}. Set api_key= or TRACIUM_API_KEY for a tracium "
    "endpoint, OTEL_EXPORTER_OTLP_HEADERS for another one."
)
# Not every receiver of spans takes the other signals.
_NOT_TAKEN: Final = (
    "{url} (from {where}) answers, but takes no {things}, so they are lost: {reason}. Name an OTLP receiver that takes "
    "them (OTEL_EXPORTER_OTLP_{variable}_ENDPOINT), or send none: without {signal}=True, and with OTEL_{variable}_EXPORTER=none."
)


class Heard(threading.local):
    """What the exporters log in this thread while one of ours exports."""

    def __init__(self) -> None:
        self.records: list[logging.LogRecord] | None = None


_heard: Final = Heard()


def _hear(record: logging.LogRecord) -> bool:
    if _heard.records is None:
        return True
    _heard.records.append(record)
    return False


def exporting() -> bool:
    """Whether one of our exporters is sending in this thread."""
    return _heard.records is not None


@contextmanager
def listening() -> Iterator[list[logging.LogRecord]]:
    """Keep what the exporters log in this thread out of the log, and collect it."""
    for name in _LOGGERS:
        logger = logging.getLogger(name)
        if _hear not in logger.filters:
            # Before the SDK's own filter, which hides repetitions.
            logger.filters.insert(0, _hear)
    _heard.records = []
    try:
        yield _heard.records
    finally:
        _heard.records = None


def failure_from(records: list[logging.LogRecord], error: BaseException | None = None) -> Failure:
    """Make out of what was heard why an export failed."""
    said = [argument for record in records for argument in _arguments(record)]
    status = next((found for argument in said if (found := _status(argument)) is not None), None)
    reasons = [argument for argument in said if isinstance(argument, BaseException)]
    last = error or (reasons[-1] if reasons else None)
    reason = _innermost(last)
    if isinstance(last, requests.exceptions.TooManyRedirects):
        return Failure(Cause.NOT_OTLP, str(last))
    if status is not None:
        return Failure(_cause(status), f"HTTP {status.value} {status.phrase}" if reason is None else reason)
    return Failure(Cause.UNREACHABLE, reason or (_wording(records[0]) if records else "no reason was given"))


def _wording(record: logging.LogRecord) -> str:
    """What a record says; of gRPC's, the last argument, which is the server's or the channel's own words."""
    arguments = _arguments(record)
    if any(type(argument).__name__ == "StatusCode" for argument in arguments) and isinstance(arguments[-1], str):
        return arguments[-1]
    return record.getMessage().rstrip(".")


def _arguments(record: logging.LogRecord) -> tuple[Any, ...]:
    return record.args if isinstance(record.args, tuple) else ()


def _status(argument: object) -> HTTPStatus | None:
    if isinstance(argument, int) and not isinstance(argument, bool) and argument >= HTTPStatus.BAD_REQUEST:
        try:
            return HTTPStatus(argument)
        except ValueError:
            return HTTPStatus.INTERNAL_SERVER_ERROR
    if isinstance(argument, str):
        return _REASONS.get(argument)
    return _GRPC.get(getattr(argument, "name", ""))


def _cause(status: HTTPStatus) -> Cause:
    match status:
        case HTTPStatus.UNAUTHORIZED | HTTPStatus.FORBIDDEN:
            return Cause.KEY
        case HTTPStatus.NOT_FOUND | HTTPStatus.METHOD_NOT_ALLOWED | HTTPStatus.NOT_IMPLEMENTED:
            return Cause.NOT_OTLP
        case HTTPStatus.TOO_MANY_REQUESTS | HTTPStatus.SERVICE_UNAVAILABLE:
            return Cause.OVERLOADED
        case _ if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            return Cause.BROKEN
        case _:
            return Cause.REFUSED


def _innermost(error: BaseException | None) -> str | None:
    """The end of a chain of errors, which says what happened: `[Errno 111] Connection refused`."""
    if error is None:
        return None
    seen: list[BaseException] = []
    while error is not None and error not in seen:
        seen.append(error)
        error = error.__cause__ or error.__context__ or getattr(error, "reason", None)
        if not isinstance(error, BaseException):
            break
    last = seen[-1]
    return f"{type(last).__name__}: {last}"
