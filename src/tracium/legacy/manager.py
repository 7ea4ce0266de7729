"""`AgentTraceManager` of the older SDK: what its `start_trace` gave back, which some code made by hand."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tracium.agents import AgentTrace, start_trace
from tracium.exceptions import RemovedError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


class _EveryRun(type):
    """Takes every run for an instance."""

    def __instancecheck__(cls, instance: object) -> bool:
        return isinstance(instance, AgentTrace)


class AgentTraceManager(metaclass=_EveryRun):
    """A run of an agent; making one is `tracium.start_trace()`.

    Args:
        client: Of the older SDK; there is one, and it need not be told.
        agent_name: As for `tracium.start_trace`, as the others.
        lazy_start: Gone.

    Raises:
        RemovedError: `lazy_start` is set.
    """

    def __new__(  # type: ignore[misc] # noqa: D102, PLR0913 - a run is what the older class was; its older signature
        cls,
        client: object = None,  # noqa: ARG004 - as above
        *,
        agent_name: str,
        model_id: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        tags: Sequence[str] | None = None,
        trace_id: str | None = None,
        workspace_id: str | None = None,
        version: str | None = None,
        lazy_start: bool = False,
    ) -> AgentTrace:
        if lazy_start:
            raise RemovedError(
                "AgentTraceManager(lazy_start=True) is gone: a run is a span from its first line on. Call "
                "tracium.start_trace() where its first step begins."
            )
        return start_trace(
            agent_name,
            model_id=model_id,
            metadata=metadata,
            tags=tags,
            trace_id=trace_id,
            workspace_id=workspace_id,
            version=version,
        )
