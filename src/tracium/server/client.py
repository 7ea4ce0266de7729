"""Ask a server that runs; needs nothing but the standard library."""

from __future__ import annotations

import http.client
import json
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode, urlsplit

from tracium.exceptions import StoreError
from tracium.server.usage import UsageReport

if TYPE_CHECKING:
    from tracium.server.scope import TenantScope
    from tracium.server.timerange import TimeRange


def fetch_usage(url: str, scope: TenantScope, time_range: TimeRange, *, timeout: float = 60) -> UsageReport:
    """The usage that the `tracium serve` at `url` reports.

    Args:
        url: where it answers, such as ``http://127.0.0.1:4318``.
        scope: whose usage.
        time_range: when.
        timeout: seconds until an answer must come.

    Raises:
        StoreError: it does not answer, or not with usage.
    """
    path = f"/api/v1/usage?{urlencode([*_scope(scope), *_range(time_range)])}"
    try:
        return UsageReport.from_json(_get(url, path, timeout))
    except (KeyError, TypeError, ValueError) as error:
        raise StoreError(f"{url} answers, but not with usage: is it a `tracium serve` of this release?") from error


def _scope(scope: TenantScope) -> list[tuple[str, str]]:
    if scope.tenants is None:
        return [("scope", "all")]
    return [("tenant", tenant) for tenant in scope.tenants]


def _range(time_range: TimeRange) -> list[tuple[str, str]]:
    return [("from", time_range.start.isoformat()), ("to", time_range.end.isoformat())]


def _get(url: str, path: str, timeout: float) -> dict[str, Any]:
    connection = _connection(url, timeout)
    try:
        connection.request("GET", urlsplit(url).path.rstrip("/") + path)
        response = connection.getresponse()
        body = response.read()
    except (OSError, http.client.HTTPException) as error:
        raise StoreError(f"no `tracium serve` answers at {url}: {error}. Start it, or correct --url.") from error
    finally:
        connection.close()
    if response.status != http.client.OK:
        raise StoreError(f"{url} answered {response.status}: {_reason(body)}")
    answer: dict[str, Any] = json.loads(body)
    return answer


def _connection(url: str, timeout: float) -> http.client.HTTPConnection:
    parts = urlsplit(url)
    if parts.hostname and parts.scheme == "http":
        return http.client.HTTPConnection(parts.hostname, parts.port, timeout=timeout)
    if parts.hostname and parts.scheme == "https":
        return http.client.HTTPSConnection(parts.hostname, parts.port, timeout=timeout)
    raise StoreError(f"{url!r} is no URL of a server. Write it like http://127.0.0.1:4318")


def _reason(body: bytes) -> str:
    try:
        return str(json.loads(body)["error"])
    except (ValueError, KeyError, TypeError):
        return body.decode(errors="replace").strip()
