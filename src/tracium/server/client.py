"""Ask a server that runs; needs nothing but the standard library."""

from __future__ import annotations

import http.client
import json
import ssl
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlencode, urlsplit

from tracium.exceptions import StoreError
from tracium.server.usage import TenantUsage, UsageReport

if TYPE_CHECKING:
    from tracium.server.scope import TenantScope
    from tracium.server.timerange import TimeRange

# Tenants that are asked for at a time.
_PAGE: Final = "10000"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A `tracium serve`, and how to be let in there."""

    # Such as http://127.0.0.1:4318.
    url: str
    token: str | None = field(default=None, repr=False)
    # Its certificate in PEM, which is then the only one that is trusted; None: as the machine trusts.
    certificate: str | None = field(default=None, repr=False)

    def ask(self, method: str, path: str, told: object = None, *, timeout: float = 60) -> dict[str, Any]:
        """Send a request of the API, and answer what it answers.

        Args:
            method: such as ``GET``.
            path: from the slash on, with a query.
            told: what to send along as JSON; None for nothing.
            timeout: seconds until an answer must come.

        Raises:
            StoreError: it does not answer, or with an error.
        """
        headers = {} if self.token is None else {"Authorization": f"Bearer {self.token}"}
        if told is not None:
            headers["Content-Type"] = "application/json"
        body = None if told is None else json.dumps(told).encode()
        return _answer(self, method, path, body, headers, timeout)


def fetch_usage(
    server: str | Endpoint, scope: TenantScope, time_range: TimeRange, *, timeout: float = 60
) -> UsageReport:
    """The usage that a `tracium serve` reports.

    Args:
        server: where it answers, such as ``http://127.0.0.1:4318``, and how to be let in there.
        scope: whose usage.
        time_range: when.
        timeout: seconds until an answer must come.

    Raises:
        StoreError: it does not answer, or not with usage.
    """
    endpoint = Endpoint(server) if isinstance(server, str) else server
    asked = [("from", time_range.start.isoformat()), ("to", time_range.end.isoformat()), ("compare", "false")]
    asked += [("tenant", tenant) for tenant in scope.tenants or ()] + [("limit", _PAGE)]
    tenants: list[TenantUsage] = []
    cursor: list[tuple[str, str]] = []
    try:
        while True:
            answer = endpoint.ask("GET", f"/api/v1/tenants?{urlencode(asked + cursor)}", timeout=timeout)
            tenants += map(TenantUsage.from_json, answer["rows"])
            if answer["next"] is None:
                return UsageReport(time_range, tuple(tenants))
            cursor = [("cursor", answer["next"])]
    except (AttributeError, KeyError, TypeError, ValueError, ArithmeticError) as error:
        raise StoreError(
            f"{endpoint.url} answers, but not with usage: is it a `tracium serve` of this release?"
        ) from error


def _answer(  # noqa: PLR0913, PLR0917 - of one request
    endpoint: Endpoint, method: str, path: str, body: bytes | None, headers: dict[str, str], timeout: float
) -> dict[str, Any]:
    url = endpoint.url
    connection = _connection(endpoint, timeout)
    try:
        connection.request(method, urlsplit(url).path.rstrip("/") + path, body, headers)
        response = connection.getresponse()
        answered = response.read()
    except (OSError, ValueError, http.client.HTTPException) as error:
        raise StoreError(f"no `tracium serve` answers at {url}: {error}. Start it, or correct --url.") from error
    finally:
        connection.close()
    if response.status not in {http.client.OK, http.client.CREATED}:
        raise StoreError(f"{url} answered {response.status}: {_reason(answered)}")
    try:
        answer: dict[str, Any] = json.loads(answered)
    except ValueError as error:
        raise StoreError(f"{url} answers, but not in JSON: is it a `tracium serve` of this release?") from error
    return answer


def _connection(endpoint: Endpoint, timeout: float) -> http.client.HTTPConnection:
    parts = urlsplit(endpoint.url)
    if parts.hostname and parts.scheme == "http":
        return http.client.HTTPConnection(parts.hostname, parts.port, timeout=timeout)
    if parts.hostname and parts.scheme == "https":
        context = _trusting(endpoint.certificate)
        return http.client.HTTPSConnection(parts.hostname, parts.port, timeout=timeout, context=context)
    raise StoreError(f"{endpoint.url!r} is no URL of a server. Write it like http://127.0.0.1:4318")


def _trusting(certificate: str | None) -> ssl.SSLContext:
    """What the machine trusts; or this one certificate, whatever name it was made for and whoever signed it."""
    if certificate is None:
        return ssl.create_default_context()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_flags |= ssl.VerifyFlags.VERIFY_X509_PARTIAL_CHAIN
    context.load_verify_locations(cadata=certificate)
    return context


def _reason(body: bytes) -> str:
    try:
        return str(json.loads(body)["error"])
    except (ValueError, KeyError, TypeError):
        return body.decode(errors="replace").strip()
