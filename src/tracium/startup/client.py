"""The older SDK's `TraciumClient`: a handle on the one running tracium of the process."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final, Self

from tracium.exceptions import RemovedError
from tracium.startup.deprecation import say_older

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from types import TracebackType

    from tracium.startup.client_config import TraciumClientConfig

_PAGES: Final = "It is a question to the backend, not telemetry: see `tracium usage` and the pages of `tracium serve`."
_SPANS: Final = "Use `with run.span(…)` of tracium.start_trace(), which records it."
_RUNS: Final = "Use `with tracium.start_trace(…)`, which begins and ends the run."
_REMOVED: Final[Mapping[str, str]] = {
    "start_agent_trace": _RUNS,
    "complete_agent_trace": _RUNS,
    "fail_agent_trace": "Use mark_failed() of tracium.start_trace()'s run, or let the exception leave its block.",
    "record_agent_spans": _SPANS,
    "update_agent_span": _SPANS,
    "trigger_drift_check": _PAGES,
    "trigger_prompt_embeddings_drift_check": _PAGES,
    "get_gantt_data": _PAGES,
    "get_current_user": "It asked for the account of the API key. For the user of a request there is tracium.user().",
}


class TraciumClient:
    """A handle on tracium in this process, for code that was written for the older SDK. All of them are alike.

    Making one is `tracium.init()`; today's code calls the functions of `tracium` itself.

    Args:
        api_key: As for `tracium.init`.
        config: As `base_url`.
        base_url: Today's `endpoint`.
        transport: Gone.

    Raises:
        RemovedError: This process sends to another destination, or with another key, already: there is one.
        SettingError: As for `tracium.init`.
    """

    def __init__(
        self,
        api_key: str | None = None,
        *,
        config: TraciumClientConfig | None = None,
        base_url: str | None = None,
        transport: object = None,
    ) -> None:
        from tracium.startup.older import translate  # noqa: PLC0415 - loads the settings

        given = {"api_key": api_key, "config": config, "base_url": base_url, "transport": transport}
        _configure_once(translate(given, "init"))

    @classmethod
    def init(
        cls,
        api_key: str | None = None,
        *,
        base_url: str | None = None,
        config: TraciumClientConfig | None = None,
        transport: object = None,
    ) -> Self:
        """Make one; without an API key it is read from `TRACIUM_API_KEY`, and there need not be any."""
        return cls(api_key, config=config, base_url=base_url, transport=transport)

    def trace(self) -> Self:
        """Do what `tracium.trace()` does, and give the client back."""
        say_older("TraciumClient.trace() is tracium.trace() now.")
        from tracium.startup.runtime import runtime  # noqa: PLC0415 - loads the SDK

        runtime.instrument()
        return self

    def agent_trace(  # noqa: PLR0913 - the older signature
        self,
        *,
        agent_name: str,
        model_id: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        tags: Sequence[str] | None = None,
        trace_id: str | None = None,
        workspace_id: str | None = None,
        version: str | None = None,
        lazy_start: bool = False,
    ) -> Any:
        """Do what `tracium.start_trace()` does.

        Raises:
            RemovedError: `lazy_start` is set.
        """
        say_older("TraciumClient.agent_trace() is tracium.start_trace() now.")
        if lazy_start:
            raise RemovedError(
                "agent_trace(lazy_start=True) is gone: a run is a span from its first line on. Call tracium.start_trace() "
                "where its first step begins."
            )
        return import_module("tracium.agents").start_trace(
            agent_name,
            model_id=model_id,
            metadata=metadata,
            tags=tags,
            trace_id=trace_id,
            workspace_id=workspace_id,
            version=version,
        )

    def flush(self, timeout: float | None = None) -> bool:
        """Do what `tracium.flush()` does."""
        say_older("TraciumClient.flush() is tracium.flush() now.")
        return _flush(timeout)

    def close(self) -> None:
        """Send what has ended so far. The process's telemetry goes on: `tracium.shutdown()` ends it."""
        say_older("TraciumClient.close() is tracium.flush() now; tracium.shutdown() ends the export for good.")
        _flush(None)

    def get_queue_stats(self) -> dict[str, Any]:
        """Do what `get_queue_stats()` does."""
        say_older("TraciumClient.get_queue_stats() is tracium.report() now.")
        return _queue_stats()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """As `close`."""
        _flush(None)

    def __getattr__(self, name: str) -> object:
        """Tell what became of the methods that there were.

        Raises:
            RemovedError: There was one of this name (it is an `AttributeError`).
            AttributeError: There never was.
        """
        if name in _REMOVED:
            raise RemovedError(f"TraciumClient.{name}() is gone. {_REMOVED[name]}")
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")


_client: Final = object.__new__(TraciumClient)


def running_client() -> TraciumClient:
    """The client that `init` and `trace` give back; it configures nothing."""
    return _client


def get_client() -> TraciumClient:
    """The client of the running tracium.

    Raises:
        RuntimeError: Neither `tracium.init()` nor `tracium.trace()` was called.
    """
    from tracium.startup.runtime import runtime  # noqa: PLC0415 - loads the SDK

    if runtime.settings is None:
        raise RuntimeError("tracium is not set up in this process: call tracium.init() or tracium.trace() first.")
    return _client


def get_queue_stats() -> dict[str, Any]:
    """The queue of spans in numbers, under the older SDK's names; `tracium.report()` tells more.

    Raises:
        RuntimeError: Neither `tracium.init()` nor `tracium.trace()` was called.
    """
    get_client()
    return _queue_stats()


def _configure_once(options: dict[str, object]) -> None:
    from tracium.settings import resolve  # noqa: PLC0415 - not before the first client
    from tracium.startup.runtime import runtime  # noqa: PLC0415 - loads the SDK

    running = runtime.settings
    if running is not None:
        wanted = resolve(
            {**(runtime.given or {}), **{name: value for name, value in options.items() if value is not None}}
        )
        if (wanted.destination, wanted.api_key) != (running.destination, running.api_key):
            raise RemovedError(
                f"A second TraciumClient for {wanted.destination.url}: one process sends to one destination with one key, here "
                f"{running.destination.url}. Tell customers apart with tracium.set_tenant(), and let an OpenTelemetry "
                "Collector send to several backends; tracium.init() changes the destination for all."
            )
    runtime.configure(options)


def _flush(timeout: float | None) -> bool:
    from tracium.startup.runtime import runtime  # noqa: PLC0415 - loads the SDK

    return runtime.flush(timeout)


def _queue_stats() -> dict[str, Any]:
    from tracium.startup.queue_stats import queue_stats  # noqa: PLC0415 - loads the SDK

    return queue_stats()
