"""The tracer of agents' spans."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

from opentelemetry.trace import get_tracer_provider

if TYPE_CHECKING:
    from collections.abc import Iterator

    from opentelemetry.trace import Tracer, TracerProvider

_SCOPE = "tracium"
# The SDK builds an object for the scope, under a lock, each time it is asked for a tracer.
_made: tuple[TracerProvider, Tracer] | None = None


def tracer() -> Tracer:
    """Our tracer of the global provider."""
    global _made  # noqa: PLW0603 - one for the process
    provider, made = get_tracer_provider(), _made
    if made is not None and made[0] is provider:
        return made[1]
    new = provider.get_tracer(_SCOPE)
    _made = (provider, new)
    return new


@contextmanager
def tracer_with_ids(trace_id: int | None, span_id: int | None) -> Iterator[tuple[Tracer, bool]]:
    """Our tracer, which gives these ids to the next span that starts in the block, and whether it does.

    Only tracers of the SDK do. The ids of all other tracers stay as they are.
    """
    own = tracer()
    if "opentelemetry.sdk.trace" not in sys.modules:
        yield own, False
        return
    # It loads the SDK, which is there now.
    from tracium.signals import ids  # noqa: PLC0415

    ids.install(own)
    with ids.chosen(trace_id, span_id, of=own) as taken:
        yield own, taken
