"""What is known of an agent's span before it starts: made once for a decorated function, and for each block."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tracium.agents.encoding import clean
from tracium.agents.metadata import Metadata, check_metadata, merged_tags
from tracium.agents.operations import INVOKE_AGENT, Operation, operation_of
from tracium.attributes import (
    GEN_AI_AGENT_VERSION,
    GEN_AI_OPERATION,
    GEN_AI_PROVIDER,
    GEN_AI_REQUEST_MODEL,
    STEP_NAME,
    TAGS,
    WORKSPACE_ID,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from opentelemetry.util.types import AttributeValue

    from tracium.defaults import AgentDefaults

_DEFAULT_NAME = "app"


@dataclass(frozen=True, slots=True)
class Plan:
    """A span to be started, any number of times.

    Attributes:
        span_type: The kind of step in the caller's word.
        name: What is used or done, in the caller's word.
        operation: What it is in the conventions.
        span_name: Of the span.
        attributes: Of the span at its start.
        tags: Those among them.
        metadata: That among them.
        model_id: The model, if it is known.
        provider: The model's provider, if it is known.
    """

    span_type: str
    name: str | None
    operation: Operation
    span_name: str
    attributes: Mapping[str, AttributeValue]
    tags: tuple[str, ...]
    metadata: Mapping[str, Any] | None
    model_id: str | None
    provider: str | None


def plan_step(  # noqa: PLR0913 - what a step may be given
    span_type: str,
    name: str | None = None,
    *,
    model_id: str | None = None,
    provider: str | None = None,
    tags: Iterable[object] | None = None,
    metadata: Mapping[str, Any] | None = None,
    names_model: bool = True,
) -> Plan:
    """The plan of one step.

    Args:
        span_type: Kind of step.
        name: What is used or done.
        model_id: Model of a model call.
        provider: Its provider.
        tags: Its tags.
        metadata: Its metadata.
        names_model: Whether the name of a model call may be its model's. No model's name has a space in it.

    Raises:
        TypeError: A value has the wrong type.
        ValueError: A value is empty.
    """
    operation = operation_of(checked_text(span_type, "span_type", "such as 'llm', 'tool', 'retrieval' or 'plan'"))
    name = None if name is None else checked_text(name, "name", "the model, the tool or the source that is used")
    model_id = _optional(model_id, "model_id")
    if operation.calls_model and model_id is None and name is not None and names_model and " " not in name:
        model_id = name
    attributes: dict[str, AttributeValue] = {}
    if name is not None and operation.named_by is not None and not operation.calls_model:
        attributes[operation.named_by] = name
    if operation.calls_model and name not in {None, model_id}:
        attributes[STEP_NAME] = name
    return _plan(span_type, name, operation, attributes, model_id, _optional(provider, "provider"), tags, metadata)


def plan_run(  # noqa: PLR0913 - what a run may be given
    defaults: AgentDefaults,
    agent_name: str | None = None,
    *,
    model_id: str | None = None,
    version: str | None = None,
    tags: Iterable[object] | None = None,
    metadata: Mapping[str, Any] | None = None,
    workspace_id: str | None = None,
) -> Plan:
    """The plan of an agent's run; what is not given is as in `defaults`.

    Raises:
        TypeError: A value has the wrong type.
        ValueError: A value is empty.
    """
    name = checked_text(agent_name or defaults.agent_name or _DEFAULT_NAME, "agent_name", "the agent's name")
    if metadata is not None:
        check_metadata(metadata)
    named = {
        INVOKE_AGENT.named_by or "": name,
        GEN_AI_AGENT_VERSION: _optional(version, "version") or defaults.version,
        WORKSPACE_ID: _optional(workspace_id, "workspace_id") or defaults.workspace_id,
    }
    attributes: dict[str, AttributeValue] = {key: value for key, value in named.items() if value is not None}
    return _plan(
        "agent",
        name,
        INVOKE_AGENT,
        attributes,
        _optional(model_id, "model_id") or defaults.model_id,
        None,
        [*defaults.tags, *merged_tags((), tags)],
        {**defaults.metadata, **metadata} if metadata is not None else defaults.metadata,
    )


def span_name(operation: Operation, name: str | None) -> str:
    """The name of a span; `name` is the model's for a model call."""
    return operation.name if name is None else f"{operation.name} {name}"


def checked_text(value: object, argument: str, meaning: str) -> str:
    """Give `value` back if it is a string that is not blank.

    Raises:
        TypeError: It is no string.
        ValueError: It is blank.
    """
    if not isinstance(value, str):
        raise TypeError(f"{argument} must be a string, {meaning}, not {type(value).__name__}: {value!r:.80}.")
    if not value.strip():
        raise ValueError(f"{argument} is {value!r}, but it must not be blank: give {meaning}.")
    return clean(value.strip())


def _optional(value: str | None, argument: str) -> str | None:
    return None if value is None else checked_text(value, argument, "or nothing at all")


def _plan(  # noqa: PLR0913, PLR0917 - one place for both
    span_type: str,
    name: str | None,
    operation: Operation,
    attributes: dict[str, AttributeValue],
    model_id: str | None,
    provider: str | None,
    tags: Iterable[object] | None,
    metadata: Mapping[str, Any] | None,
) -> Plan:
    all_tags = merged_tags((), tags)
    known = {GEN_AI_REQUEST_MODEL: model_id, GEN_AI_PROVIDER: provider, TAGS: all_tags or None}
    complete: dict[str, AttributeValue] = {
        GEN_AI_OPERATION: operation.name,
        **attributes,
        **{key: value for key, value in known.items() if value is not None},
        **Metadata(metadata).attributes,
    }
    called = span_name(operation, model_id if operation.calls_model else name)
    return Plan(span_type, name, operation, called, complete, all_tags, metadata, model_id, provider)
