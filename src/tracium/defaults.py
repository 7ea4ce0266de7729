"""What runs of agents are when their callers say nothing else.

It stands below the start-up, which knows what was configured, and below the agents, which need it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class AgentDefaults:
    """Defaults of agents' runs.

    Attributes:
        agent_name: Name of agents that are given none; None if nobody configured one.
        model_id: Model of runs, and of their model calls that are given none.
        version: Version of agents: `gen_ai.agent.version`.
        workspace_id: Workspace of runs: `tracium.workspace.id`.
        tags: Tags of every run, before its own.
        metadata: Metadata of every run; a run's own value for a key replaces the default.
    """

    agent_name: str | None = None
    model_id: str | None = None
    version: str | None = None
    workspace_id: str | None = None
    tags: tuple[str, ...] = ()
    metadata: Mapping[str, Any] = field(default_factory=dict)


_installed = AgentDefaults()


def install_defaults(new: AgentDefaults) -> None:
    """Let runs that begin from now on have these defaults."""
    global _installed  # noqa: PLW0603 - one for the process
    _installed = new


def agent_defaults() -> AgentDefaults:
    """The defaults that hold now."""
    return _installed
