"""`TraciumClientConfig` of the older SDK: what of it there still is, and where the rest went."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from tracium.destination import TRACIUM_BACKEND
from tracium.exceptions import RemovedError

if TYPE_CHECKING:
    from collections.abc import Mapping

_TIMEOUT: Final = 10.0

# Option: its older default, which is what holds anyway or harms nobody, and what to use for another value.
_GONE: Final[Mapping[str, tuple[object, str]]] = {
    "timeout": (_TIMEOUT, "Set the variable OTEL_EXPORTER_OTLP_TIMEOUT to seconds."),
    "user_agent": (None, "OpenTelemetry's exporter names itself; tell apps apart with tracium.init(service_name=…)."),
    "retry_config": (None, "OpenTelemetry's exporter retries by itself."),
    "fail_open": (True, "Recording never breaks the app: this cannot be turned off."),
    "security_config": (None, "Use tracium.init(redact=…) for what is captured, and sample=… for how much is sent."),
    "max_queue_size": (None, "Set the variable OTEL_BSP_MAX_QUEUE_SIZE."),
    "block_on_full_queue": (False, "Spans never wait for room in the queue: raise OTEL_BSP_MAX_QUEUE_SIZE."),
    "queue_warning_threshold": (0.8, "A full queue is said once in the log and stands in tracium.report()."),
    "queue_timeout": (5.0, "Spans never wait for room in the queue; flush_timeout= is for the end of the process."),
}


class TraciumClientConfig:
    """Where telemetry goes, for `tracium.init(config=…)`; today `tracium.init(endpoint=…)`.

    Args:
        base_url: Base URL of an OTLP receiver.
        *values: Options of the older SDK in their order there.
        **others: Options of the older SDK; what is not their default is refused with what to use instead.

    Attributes:
        base_url: As given.
        timeout: Seconds that the exporter waits for an answer unless OTEL_EXPORTER_OTLP_TIMEOUT says otherwise.

    Raises:
        RemovedError: An option that is gone, with another value than its older default.
        TypeError: There never was an option of this name.
    """

    def __init__(self, base_url: str = TRACIUM_BACKEND, *values: Any, **others: Any) -> None:
        others = {**dict(zip(_GONE, values, strict=False)), **others}
        for name, value in others.items():
            if name not in _GONE:
                raise TypeError(f"TraciumClientConfig() has no option {name!r}. There is: base_url.")
            default, instead = _GONE[name]
            if value != default:
                raise RemovedError(f"TraciumClientConfig({name}={value!r:.80}) is gone. {instead}")
        self.base_url = base_url
        self.timeout = _TIMEOUT

    def __getattr__(self, name: str) -> Any:
        """The older default of an option that is gone: no other value can have been given."""
        if name not in _GONE:
            raise AttributeError(f"TraciumClientConfig has no attribute {name!r}")
        return _GONE[name][0]

    def __repr__(self) -> str:
        """As it would be made again."""
        return f"TraciumClientConfig(base_url={self.base_url!r})"
