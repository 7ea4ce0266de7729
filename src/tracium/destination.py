"""Where telemetry goes: spans, log records and metrics to one place, unless OpenTelemetry's own variables part them."""

from __future__ import annotations

import enum
import sys
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final, Self
from urllib.parse import unquote, urlsplit

from tracium import values
from tracium.exceptions import SettingError

if TYPE_CHECKING:
    from collections.abc import Mapping

TRACIUM_BACKEND: Final = "https://api.tracium.ai"
"""Where telemetry goes when an API key is set and no endpoint."""

LOCAL_BACKEND: Final = "http://localhost:4318"
"""Where telemetry goes when nothing is set: OpenTelemetry's own default, and where `tracium serve` listens."""

PROTOCOLS: Final = ("http/protobuf", "grpc")
"""The OTLP protocols that can be sent: https://opentelemetry.io/docs/specs/otlp/"""

_LOCAL_GRPC: Final = "http://localhost:4317"


class Signal(enum.Enum):
    """A kind of telemetry; its value is what OTLP calls it in paths and OpenTelemetry in variables.

    Attributes:
        things: What is sent, in sentences.
        counted: What is counted.
    """

    things: str
    counted: str

    TRACES = ("traces", "spans", "spans")
    LOGS = ("logs", "log records", "log records")
    METRICS = ("metrics", "metrics", "metric points")

    def __new__(cls, value: str, things: str, counted: str) -> Self:
        """One signal, with its words."""
        made = object.__new__(cls)
        made._value_ = value
        made.things = things
        made.counted = counted
        return made

    def variable(self, what: str) -> str:
        """OpenTelemetry's variable for this signal alone: https://opentelemetry.io/docs/specs/otel/protocol/exporter/."""
        return f"OTEL_EXPORTER_OTLP_{self.value.upper()}_{what}"


@dataclass(frozen=True, slots=True)
class Destination:
    """Where spans go, or with `of` log records and metrics.

    Attributes:
        url: The base URL for OTLP over HTTP (`/v1/traces` is added), the URL for gRPC, or what OpenTelemetry's own
            variables name for the signal.
        protocol: `http/protobuf` or `grpc`.
        source: Which setting named it, in words.
        api_key: The key that travels with it; only to an endpoint of tracium's.
        from_otel: Whether OpenTelemetry's own variables name it; the exporter then reads them by itself.
        foreign_headers: Names of headers in OTEL_EXPORTER_OTLP_HEADERS that are for another endpoint, one that
            OpenTelemetry's variables name: they may hold its secrets and are not sent here.
        signal: What goes there.
        others: Where the other signals go, as far as that is known to be somewhere else.
        split_by_tenant: Whether each request is about one tenant, and names it in a header.
    """

    url: str
    protocol: str
    source: str
    api_key: str | None = field(default=None, repr=False)
    from_otel: bool = False
    foreign_headers: frozenset[str] = frozenset()
    signal: Signal = Signal.TRACES
    others: tuple[Destination, ...] = ()
    split_by_tenant: bool = False

    @property
    def signal_url(self) -> str:
        """The URL that this signal is sent to."""
        if self.protocol == "grpc" or self.from_otel:
            return self.url
        return f"{self.url.rstrip('/')}/v1/{self.signal.value}"

    @property
    def traces_url(self) -> str:
        """The URL that spans are sent to."""
        return self.of(Signal.TRACES).signal_url

    def of(self, signal: Signal) -> Destination:
        """Where `signal` goes: the same place, unless something else was named for it."""
        if signal is self.signal:
            return self
        return next((other for other in self.others if other.signal is signal), replace(self, signal=signal, others=()))

    def split(self) -> Destination:
        """The same, with one request for each tenant."""
        others = tuple(replace(other, split_by_tenant=True) for other in self.others)
        return replace(self, split_by_tenant=True, others=others)


class Resolution:
    """What was configured about the destination, as long as it is being found.

    Args:
        endpoint: A value and the name under which it was set, as for the others.
        protocol: As above.
        api_key: A checked key.
        env: The environment.

    Raises:
        SettingError: The endpoint or a protocol is not allowed; the message says what is.
    """

    def __init__(
        self,
        endpoint: tuple[object, str],
        protocol: tuple[object, str],
        api_key: str | None,
        env: Mapping[str, str],
    ) -> None:
        self._endpoint = check_endpoint(*endpoint)
        self._named_by = endpoint[1]
        self._protocol = protocol
        self._api_key = api_key
        self._env = env

    @property
    def destination(self) -> Destination:
        """Where spans go, with the others behind it."""
        others = tuple(self._find(signal) for signal in (Signal.LOGS, Signal.METRICS))
        return replace(self._find(Signal.TRACES), others=others)

    @property
    def wanted(self) -> bool:
        """Whether an endpoint of tracium's or a key named the destination of spans."""
        return self._endpoint is not None or (self._api_key is not None and self._otel_endpoint(Signal.TRACES) is None)

    def _find(self, signal: Signal) -> Destination:
        protocol = self._protocol_of(signal)
        otel = self._otel_endpoint(signal)
        if self._endpoint is not None:
            return self._ours(signal, self._endpoint, protocol, self._named_by, self._api_key)
        if otel is not None:
            value, variable = otel
            whole = variable == signal.variable("ENDPOINT") or protocol == "grpc"
            url = value if whole else f"{value.rstrip('/')}/v1/{signal.value}"
            return Destination(url, protocol, variable, from_otel=True, signal=signal)
        if self._api_key is not None:
            return self._ours(signal, TRACIUM_BACKEND, protocol, "the API key", self._api_key)
        local = _LOCAL_GRPC if protocol == "grpc" else LOCAL_BACKEND
        return self._ours(signal, local, protocol, "OpenTelemetry's local default", None)

    def _ours(self, signal: Signal, url: str, protocol: str, source: str, api_key: str | None) -> Destination:
        return Destination(url, protocol, source, api_key, foreign_headers=self._foreign_headers(signal), signal=signal)

    def _protocol_of(self, signal: Signal) -> str:
        value, name = self._protocol
        if value is None:
            for variable in (signal.variable("PROTOCOL"), "OTEL_EXPORTER_OTLP_PROTOCOL"):
                general = variable == "OTEL_EXPORTER_OTLP_PROTOCOL"
                defaulted = general and self._endpoint is not None and _set_by_other_distro()
                if self._set(variable) and not defaulted:
                    value, name = self._set(variable), variable
                    break
        if value is None:
            return PROTOCOLS[0]
        if not isinstance(value, str) or value not in PROTOCOLS:
            raise SettingError(
                f"{name} is {value!r}, but the protocols that can be sent are {' and '.join(PROTOCOLS)}."
            )
        return value

    def _otel_endpoint(self, signal: Signal) -> tuple[str, str] | None:
        for variable in (signal.variable("ENDPOINT"), "OTEL_EXPORTER_OTLP_ENDPOINT"):
            if self._set(variable):
                return self._set(variable), variable
        return None

    def _foreign_headers(self, signal: Signal) -> frozenset[str]:
        """Which headers of the environment the exporter would add although they are for another endpoint."""
        if self._set(signal.variable("HEADERS")):
            return self._headers(signal.variable("HEADERS")) if self._otel_endpoint(signal) else frozenset()
        elsewhere = self._set("OTEL_EXPORTER_OTLP_ENDPOINT") or any(
            self._set(other.variable("ENDPOINT")) and not self._set(other.variable("HEADERS")) for other in Signal
        )
        return self._headers("OTEL_EXPORTER_OTLP_HEADERS") if elsewhere else frozenset()

    def _headers(self, variable: str) -> frozenset[str]:
        pairs = self._env.get(variable, "").split(",")
        return frozenset(unquote(pair.partition("=")[0]).strip().lower() for pair in pairs if "=" in pair)

    def _set(self, variable: str) -> str:
        return self._env.get(variable, "").strip()


def check_endpoint(value: object, name: str) -> str | None:
    """The base URL that an option names; `/v1/traces` behind it is understood.

    Raises:
        SettingError: It is no URL of an OTLP endpoint.
    """
    text = values.text(value, name)
    if text is None:
        return None
    try:
        parts = urlsplit(text)
        host, _ = parts.hostname, parts.port
    except ValueError:
        host, parts = None, urlsplit("")
    if parts.scheme not in {"http", "https"} or not host:
        raise SettingError(
            f"{name} is {text!r}, but it must be the URL of an OTLP endpoint with http:// or https://, such as "
            f"{LOCAL_BACKEND}."
        )
    if parts.query or parts.fragment:
        raise SettingError(f"{name} is {text!r}, but an OTLP endpoint has no query and no fragment.")
    return text.rstrip("/").removesuffix("/v1/traces")


def _set_by_other_distro() -> bool:
    """Whether OTEL_EXPORTER_OTLP_PROTOCOL may be nobody's choice: `opentelemetry-distro` sets it to its own default."""
    return "opentelemetry.distro" in sys.modules
