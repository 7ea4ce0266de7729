"""Agents' runs and their steps as spans."""

from tracium.agents.decorators import agent_span, agent_trace
from tracium.agents.span import AgentSpan
from tracium.agents.trace import AgentTrace, current_trace, span, start_trace

__all__ = ["AgentSpan", "AgentTrace", "agent_span", "agent_trace", "current_trace", "span", "start_trace"]
