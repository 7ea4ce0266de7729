"""What sampled a trace before us: the SDK's own sampler, which may keep a share without saying so."""

from __future__ import annotations

import functools
import logging
from typing import Any, Final

from tracium import notices

# As the SDK's samplers describe themselves.
_ALL: Final = "AlwaysOnSampler"
_BY_PARENT: Final = "ParentBased{"


@functools.lru_cache(maxsize=64)
def keeps_all(sampler: object, *, remote: bool) -> bool:
    """Whether `sampler` is known to keep every trace, so that what we keep of it is the whole share.

    Args:
        sampler: The SDK's sampler of a span, or None.
        remote: Whether it was asked about a trace that came from another process, which sampled it: that one's share is
            in the trace state, or it is taken for all, as the Collector does.
    """
    describe: Any = getattr(sampler, "get_description", None)
    description = describe() if callable(describe) else ""
    if not isinstance(description, str):
        return False
    if description.startswith(_BY_PARENT):
        asked = "remoteParentSampled" if remote else "root"
        return f"{asked}:{_ALL}" in description
    return description == _ALL


def say_weight_unknown(sampler: object) -> None:
    """Say that kept spans carry no weight because of `sampler`."""
    notices.say(
        "sampling:weight",
        logging.WARNING,
        f"The sampler {_name(sampler)} may drop traces before tracium sees them, and it does not tell which share it keeps. So "
        "exported spans carry no weight (ot=th in the trace state), and usage of model calls in what it drops is not "
        "counted. Let OpenTelemetry keep all (OTEL_TRACES_SAMPLER=parentbased_always_on) and give the shares to sample=.",
    )


def _name(sampler: object) -> str:
    describe: Any = getattr(sampler, "get_description", None)
    return str(describe()) if callable(describe) else type(sampler).__qualname__
