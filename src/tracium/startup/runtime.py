"""The one running tracium of a process: what was configured, and what was made of it."""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING, Any, Final

from tracium import notices
from tracium.boundary.propagation import install as install_propagator
from tracium.boundary.trust import Trust, install_trust, proves
from tracium.forks import in_children
from tracium.settings import Settings, resolve
from tracium.startup.children import finish_children, set_up_children
from tracium.startup.exit import Exit
from tracium.startup.instrumentation import Instrumentation, leave_out
from tracium.startup.probe import write_report_for_doctor, write_reports_for_doctor
from tracium.startup.sdk_errors import told

if TYPE_CHECKING:
    from tracium.startup.provider import Pipeline


class Runtime:
    """Options of all calls of `init` and `trace` in one place, and what runs because of them.

    Attributes:
        settings: What holds now; None before the first call.
        pipeline: The provider and processors; None before the first call and with OTEL_SDK_DISABLED.
        instrumentation: The instrumentors; None without `trace`.
    """

    def __init__(self) -> None:
        self._lock = threading.RLock()
        in_children(self._renew_lock)
        self._given: dict[str, Any] = {}
        # The pipeline from its first start on, which may have failed.
        self._begun: Pipeline | None = None
        self._exit: Exit | None = None
        self.settings: Settings | None = None
        self.pipeline: Pipeline | None = None
        self.instrumentation: Instrumentation | None = None

    def _renew_lock(self) -> None:
        self._lock = threading.RLock()

    def configure(self, given: dict[str, Any], *, auto_version: str | None = None) -> None:
        """Merge `given` with what earlier calls were given, and let it take effect."""
        with self._lock:
            merged = {**self._given, **{option: value for option, value in given.items() if value is not None}}
            settings = resolve(merged)
            trust = _trust_of(settings)
            install_trust(trust)
            install_propagator()
            if settings.disabled:
                if self.settings is None:
                    write_reports_for_doctor()
                self._say_disabled()
            elif self.pipeline is None:
                self._start(settings, auto_version)
            elif settings != self.settings:
                with told():
                    self.pipeline.update(settings)
                self._say_destination(settings)
            self._given, self.settings = merged, settings

    def instrument(self) -> None:
        """Apply the instrumentors, unless the SDK is disabled."""
        with self._lock:
            if self.settings is None or self.settings.disabled:
                return
            if self.instrumentation is None:
                leave_out(self.settings.without)
                meters = None if self.pipeline is None else self.pipeline.meters
                self.instrumentation = Instrumentation(None if meters is None else meters.provider)
                set_up_children()
            self.instrumentation.apply()

    def flush(self, timeout: float | None = None) -> bool:
        """Send what is there; tell whether all of it was handed over within `timeout` seconds."""
        pipeline = self.pipeline
        if self.settings is None or pipeline is None:
            return True
        return pipeline.flush(self.settings.flush_timeout if timeout is None else timeout)

    def shutdown(self) -> None:
        """Send what is there and end our part; a later `init` or `trace` does not begin anew."""
        with self._lock:
            pipeline = self.pipeline
        if pipeline is not None:
            pipeline.shutdown()
        self._leave()

    def _leave(self) -> None:
        with self._lock:
            # Not before: a signal that comes while the last spans are sent would end the process at once.
            if self._exit is not None:
                self._exit.leave()
                self._exit = None
        write_report_for_doctor()

    def _drain(self) -> None:
        if self.pipeline is not None:
            self.pipeline.drain()
        write_report_for_doctor()

    def _give_up(self) -> None:
        if self.pipeline is not None:
            self.pipeline.give_up()

    def finish(self) -> None:
        """Send what is there, whoever exports it, and end our part, because the process ends without Python's own exit."""
        if self.pipeline is not None:
            self.pipeline.finish()
        self._leave()

    @property
    def given(self) -> dict[str, Any] | None:
        """The options of all calls in one, for a process that shall be set up alike; None before the first call."""
        return None if self.settings is None else dict(self._given)

    def _start(self, settings: Settings, auto_version: str | None) -> None:
        # The SDK is only imported where it is used: not with OTEL_SDK_DISABLED, not for set_tenant() alone.
        from tracium.startup.provider import Pipeline  # noqa: PLC0415

        if self._begun is None:
            # What is registered first to run at exit runs last: the report tells of the last spans too.
            write_reports_for_doctor()
            self._begun = Pipeline()
        with told():
            self._begun.start(settings, auto_version)
        self.pipeline = self._begun
        self._exit = Exit(self.shutdown, self._drain, self._give_up, lambda: (self.settings or settings).flush_timeout)
        self._exit.watch()
        finish_children(self)
        self._say_destination(settings)

    def _say_destination(self, settings: Settings) -> None:
        if self.pipeline is None or self.pipeline.batches is None:
            notices.logger.info("tracium %s: spans go where the app's own tracer provider sends them", _version())
            return
        destination = settings.destination
        key = "with the API key" if destination.api_key is not None else "without an API key"
        notices.logger.info(
            "tracium %s: spans go to %s (from %s, %s, %s)",
            _version(),
            destination.traces_url,
            destination.source,
            destination.protocol,
            key,
        )
        self._say_weak_key(settings)
        if settings.api_key is not None and destination.api_key is None:
            notices.say(
                "key:unused",
                logging.WARNING,
                f"The API key is not sent: {destination.source} names {destination.traces_url}, and a key of tracium's goes "
                "to tracium endpoints only. Name it with endpoint= or TRACIUM_ENDPOINT if it is one.",
            )

    @staticmethod
    def _say_weak_key(settings: Settings) -> None:
        if settings.api_key is not None and settings.propagation_key is None and not proves(settings.api_key):
            notices.say(
                "key:weak",
                logging.INFO,
                "The API key is short or reads like a placeholder, so it proves no tenant between your services. If they pass "
                "tenants on, give them TRACIUM_PROPAGATION_KEY.",
            )

    @staticmethod
    def _say_disabled() -> None:
        notices.say(
            "disabled",
            logging.INFO,
            "OTEL_SDK_DISABLED=true: tracium traces, patches and exports nothing; set_tenant() and get_current_tenant() "
            "work.",
        )


def _trust_of(settings: Settings) -> Trust:
    return Trust.of(
        propagation_key=settings.propagation_key,
        api_key=settings.api_key,
        trusted_sources=settings.trusted_sources,
        inside_hosts=settings.inside_hosts,
        proven_brokers=settings.proven_brokers,
    )


def _version() -> str:
    from tracium.startup.libraries import installed_version  # noqa: PLC0415 - only for the log line

    return installed_version("tracium") or "(unknown version)"


runtime: Final = Runtime()
"""The running tracium of this process."""
