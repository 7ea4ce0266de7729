"""OTLP log requests: read from a body, checked, and brought into the one form that the store reads."""

from __future__ import annotations

import time
from functools import partial
from itertools import chain
from typing import TYPE_CHECKING, Final

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest

from tracium.server.access.restrict import restrict
from tracium.server.batch import Batch
from tracium.server.composites import Flattener, values_of
from tracium.server.ids import misfit
from tracium.server.parsing import parse
from tracium.server.reading import Reading, Rejections, request_key

if TYPE_CHECKING:
    from collections.abc import Iterator

    from opentelemetry.proto.common.v1.common_pb2 import AnyValue
    from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord, ScopeLogs

    from tracium.server.access.principal import Principal


def read_logs(body: bytes, content_type: str, sender: Principal) -> Reading:
    """Parse and check a request for ``/v1/logs``; records whose ids are none are left out.

    Args:
        body: the uncompressed body.
        content_type: `parsing.PROTOBUF` or `parsing.JSON`.
        sender: who sent it: what belongs to tenants that are not theirs is left out, too.

    Raises:
        BadBodyError: it is no such request, or nothing of it can be stored.
    """
    request = parse(body, content_type, ExportLogsServiceRequest, "resourceLogs.scopeLogs.logRecords")
    rejections = Rejections()
    count = 0
    for resource_logs in request.resource_logs:
        for scope_logs in resource_logs.scope_logs:
            rejections.leave_out(scope_logs.log_records, partial(_misfit, scope_logs.scope.name))
            _observe(scope_logs)
            count += len(scope_logs.log_records)
    count -= rejections.settle(count, restrict(request, sender.scope))
    batch = Batch("logs", _FLATTENER.serialise(request), count, request_key("logs", sender, body))
    return Reading(batch, rejections.count, rejections.reason)


def _observe(scope_logs: ScopeLogs) -> None:
    """Give a record that says no time at all the time at which it came; else it would belong to 1970, and be gone at once.

    https://opentelemetry.io/docs/specs/otel/logs/data-model/#field-observedtimestamp
    """
    for record in scope_logs.log_records:
        if not record.time_unix_nano and not record.observed_time_unix_nano:
            record.observed_time_unix_nano = time.time_ns()


def _misfit(scope: str, record: LogRecord) -> str | None:
    reason = misfit(record.trace_id, record.span_id)
    return reason and f"A log record of {scope!r} {reason}."


def _values(request: ExportLogsServiceRequest) -> Iterator[AnyValue]:
    for resource_logs in request.resource_logs:
        yield from values_of(resource_logs.resource.attributes)
        for scope_logs in resource_logs.scope_logs:
            yield from values_of(scope_logs.scope.attributes)
            yield from values_of(chain.from_iterable(record.attributes for record in scope_logs.log_records))
            yield from (record.body for record in scope_logs.log_records if record.HasField("body"))


_FLATTENER: Final = Flattener(ExportLogsServiceRequest, _values)
