"""Requests as the server reads them, ready to be stored."""

from __future__ import annotations

from dataclasses import replace

from tracium.server import logs, metrics, otlp
from tracium.server.access.principal import Principal
from tracium.server.parsing import PROTOBUF

OPERATOR = Principal.operator()


def read_traces(body, content_type=PROTOBUF, sender="operator"):
    """What of a request for /v1/traces can be stored."""
    return otlp.read_traces(body, content_type, replace(OPERATOR, id=sender)).batch


def read_logs(body, content_type=PROTOBUF, sender="operator"):
    """What of a request for /v1/logs can be stored."""
    return logs.read_logs(body, content_type, replace(OPERATOR, id=sender)).batch


def read_metrics(body, content_type=PROTOBUF, sender="operator"):
    """What of a request for /v1/metrics can be stored."""
    return metrics.read_metrics(body, content_type, replace(OPERATOR, id=sender)).batch
