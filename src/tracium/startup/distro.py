"""The entry points of `opentelemetry-instrument`: with tracium installed it does what `tracium.trace()` does."""

from __future__ import annotations

import logging
import os
from typing import TYPE_CHECKING, Any, Final

from opentelemetry.instrumentation.distro import BaseDistro  # type: ignore[attr-defined] # it is not typed
from opentelemetry.sdk._configuration import _BaseConfigurator

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint


# Looks at every instrumentor before it asks the distro.
_LOADER: Final = "opentelemetry.instrumentation.auto_instrumentation._load"


def _is_not_ours_to_say(record: logging.LogRecord) -> bool:
    """Keep back what the loader says of versions: ours says it where the library is used, and applies what it was tested with."""
    return not record.getMessage().endswith("so nothing can be instrumented.")


class TraciumDistro(BaseDistro):  # type: ignore[misc] # as above
    """Chooses our configurator and applies instrumentors when their library is imported."""

    def _configure(self, **kwargs: Any) -> None:  # noqa: ARG002 - the signature of the base
        # The configurator is chosen apart from the distro, by directory order unless it is named.
        os.environ.setdefault("OTEL_PYTHON_CONFIGURATOR", "tracium")
        logging.getLogger(_LOADER).addFilter(_is_not_ours_to_say)

    def load_instrumentor(self, entry_point: EntryPoint, **kwargs: Any) -> None:
        """Leave it to `post_instrument`, which sees all of them and says what could not be done."""


class TraciumConfigurator(_BaseConfigurator):
    """Configures the SDK as `tracium.init()` does."""

    def _configure(self, **kwargs: Any) -> None:
        from tracium.startup.runtime import runtime  # noqa: PLC0415 - loads the SDK

        runtime.configure({}, auto_version=kwargs.get("auto_instrumentation_version"))


def post_instrument() -> None:
    """Do what `tracium.trace()` does; this runs whichever distro and configurator were chosen."""
    from tracium.startup.verbs import trace  # noqa: PLC0415 - loads the SDK

    trace()
