"""One request for each tenant, for what can tell tenants apart only by a header."""

from __future__ import annotations

import string
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from tracium.attributes import TENANT_ID

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from opentelemetry.sdk.metrics.export import Metric, MetricsData, ScopeMetrics

TENANT_HEADER: Final = "x-tenant-id"
"""The header, over HTTP, and the metadata, over gRPC, that name a request's tenant."""

# A header can hold these, https://www.rfc-editor.org/rfc/rfc9110#name-field-values; without % the rest can be told apart.
_AS_THEY_ARE: Final = (string.ascii_letters + string.digits + string.punctuation).replace("%", "")

_current: ContextVar[Mapping[str, str]] = ContextVar("tracium-export-headers", default={})  # noqa: B039 - never changed


@dataclass(frozen=True, slots=True)
class Part:
    """What belongs to one tenant.

    Attributes:
        tenant: Whose it is; None for what belongs to nobody.
        data: What the exporter takes.
        count: How many spans, log records or points there are in it.
    """

    tenant: str | None
    data: Any
    count: int

    @property
    def headers(self) -> dict[str, str]:
        """What its request says of its tenant."""
        return {} if self.tenant is None else {TENANT_HEADER: header_value(self.tenant)}


def header_value(tenant: str) -> str:
    """The tenant as a header can hold it: what is no printable ASCII, spaces and `%` are percent-encoded UTF-8."""
    return quote(tenant, safe=_AS_THEY_ARE)


def split(things: Iterable[Any], attributes: Callable[[Any], Mapping[str, object] | None]) -> list[Part]:
    """Spans or log records by tenant, in the order in which the tenants come first."""
    by_tenant: dict[str | None, list[Any]] = {}
    for thing in things:
        by_tenant.setdefault(_tenant(attributes(thing)), []).append(thing)
    return [Part(tenant, part, len(part)) for tenant, part in by_tenant.items()]


def split_metrics(data: MetricsData) -> list[Part]:
    """Metrics by the tenants of their points."""
    tenants: dict[str | None, int] = {}
    for point in _points(data):
        tenant = _tenant(point.attributes)
        tenants[tenant] = tenants.get(tenant, 0) + 1
    return [Part(tenant, _of_tenant(data, tenant), count) for tenant, count in tenants.items()]


@contextmanager
def sent_with(headers: Mapping[str, str], exporter: Any) -> Iterator[None]:
    """Send what is exported within the block with these headers; one block at a time for one exporter."""
    if not headers:
        yield
        return
    # Over gRPC the exporter passes these on with each call; over HTTP the session asks for them.
    metadata = getattr(exporter, "_headers", None)
    token = _current.set(headers)
    try:
        if isinstance(metadata, tuple):
            exporter._headers = (*metadata, *headers.items())  # noqa: SLF001 - there is no public way for one call
        yield
    finally:
        if isinstance(metadata, tuple):
            exporter._headers = metadata  # noqa: SLF001
        _current.reset(token)


def current_headers() -> Mapping[str, str]:
    """Those of the request that is being sent."""
    return _current.get()


def _tenant(attributes: Mapping[str, object] | None) -> str | None:
    tenant = (attributes or {}).get(TENANT_ID)
    return tenant if isinstance(tenant, str) and tenant else None


def _points(data: MetricsData) -> Iterator[Any]:
    for resource_metrics in data.resource_metrics:
        for scope_metrics in resource_metrics.scope_metrics:
            for metric in scope_metrics.metrics:
                yield from metric.data.data_points


def _of_tenant(data: MetricsData, tenant: str | None) -> MetricsData:
    resources = [
        replace(one, scope_metrics=scopes)
        for one in data.resource_metrics
        if (scopes := _scopes_of(one.scope_metrics, tenant))
    ]
    return replace(data, resource_metrics=resources)


def _scopes_of(scopes: Sequence[ScopeMetrics], tenant: str | None) -> list[ScopeMetrics]:
    return [replace(one, metrics=metrics) for one in scopes if (metrics := _metrics_of(one.metrics, tenant))]


def _metrics_of(metrics: Sequence[Metric], tenant: str | None) -> list[Metric]:
    found = []
    for metric in metrics:
        points: Any = [point for point in metric.data.data_points if _tenant(point.attributes) == tenant]
        if points:
            found.append(replace(metric, data=replace(metric.data, data_points=points)))
    return found
