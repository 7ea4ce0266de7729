"""Functions as agent runs and as steps of them."""

from __future__ import annotations

import functools
import warnings
from typing import TYPE_CHECKING, Any, overload

from tracium.agents.calls import Calls, Function, checked_target, name_of
from tracium.agents.metadata import merged_tags
from tracium.agents.options import trace_id_of
from tracium.agents.plan import Plan, plan_run, plan_step
from tracium.agents.span import AgentSpan
from tracium.agents.trace import AgentTrace, current_trace
from tracium.defaults import AgentDefaults, agent_defaults
from tracium.exceptions import AgentError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence


@overload
def agent_trace(agent_name: Function, /) -> Function: ...


@overload
def agent_trace(
    agent_name: str | None = None,
    *,
    client: object = None,
    model_id: str | None = None,
    version: str | None = None,
    workspace_id: str | None = None,
    metadata: Mapping[str, Any] | None = None,
    tags: Sequence[str] | None = None,
    trace_id: str | None = None,
    inject_trace_arg: str | None = None,
    capture_args: bool = False,
    capture_return: bool = False,
    auto_tag: bool = True,
) -> Callable[[Function], Function]: ...


def agent_trace(  # noqa: PLR0913 - what a run may be given
    agent_name: Any = None,
    *,
    client: object = None,
    model_id: str | None = None,
    version: str | None = None,
    workspace_id: str | None = None,
    metadata: Mapping[str, Any] | None = None,
    tags: Sequence[str] | None = None,
    trace_id: str | None = None,
    inject_trace_arg: str | None = None,
    capture_args: bool = False,
    capture_return: bool = False,
    auto_tag: bool = True,
) -> Any:
    """Decorate a function: each call is one run of the agent.

    Functions, coroutine functions, generators and async generators are served; a generator's run lasts from its first
    step to its end, and is current while it runs and never in its caller. It can be used without parentheses.

    Args:
        agent_name: As for `start_trace`; the function's name if there is no default either.
        client: Nothing: the older SDK's clients are all the one pipeline of the process.
        model_id: As for `start_trace`.
        version: As for `start_trace`.
        workspace_id: As for `start_trace`.
        metadata: As for `start_trace`.
        tags: As for `start_trace`.
        trace_id: As for `start_trace`; all calls are roots of the same trace then.
        inject_trace_arg: Argument of the function that gets the handle of the run.
        capture_args: Whether the arguments of a call are recorded as its input.
        capture_return: Whether what a call returns is recorded as its output.
        auto_tag: Whether the tag `@trace:<name of the function>` is added.

    Raises:
        TypeError: A value has the wrong type, or the function cannot be decorated like this.
        ValueError: A value is not allowed; the message says what is.
    """
    if agent_name is not None and not isinstance(agent_name, str):
        return agent_trace()(checked_target(agent_name, "agent_name"))
    if client is not None:
        warnings.warn("client= is not needed any more: leave it out.", DeprecationWarning, stacklevel=2)
    wanted = trace_id_of(trace_id)
    given: dict[str, Any] = {
        "model_id": model_id,
        "version": version,
        "workspace_id": workspace_id,
        "metadata": metadata,
        "tags": tags,
    }
    plan_run(agent_defaults(), agent_name, **given)

    def decorate(function: Function) -> Function:
        called = name_of(function)
        runs = _Runs(agent_name, called, given, wanted, f"@trace:{called}" if auto_tag else None)
        return Calls(runs, inject_trace_arg, capture_args, capture_return).decorate(function)

    return decorate


class _Runs:
    """Makes the runs of one decorated function. What they have in common is made once, and anew when the defaults change."""

    def __init__(
        self, agent_name: str | None, called: str, given: dict[str, Any], trace_id: int | None, tag: str | None
    ) -> None:
        self._agent_name = agent_name
        self._called = called
        self._given = {**given, "tags": [*merged_tags((), given["tags"]), *([] if tag is None else [tag])]}
        self._trace_id = trace_id
        self._made: tuple[AgentDefaults, Plan] | None = None

    def __call__(self) -> AgentTrace:
        defaults, made = agent_defaults(), self._made
        if made is None or made[0] is not defaults:
            name = self._agent_name or defaults.agent_name or self._called
            self._made = made = (defaults, plan_run(defaults, name, **self._given))
        return AgentTrace(made[1], self._trace_id)


@overload
def agent_span(span_type: Function, /) -> Function: ...


@overload
def agent_span(
    span_type: str = "action",
    name: str | None = None,
    *,
    model_id: str | None = None,
    provider: str | None = None,
    metadata: Mapping[str, Any] | None = None,
    tags: Sequence[str] | None = None,
    inject_span_arg: str | None = None,
    capture_args: bool = False,
    capture_return: bool = False,
    require_trace: bool = False,
    auto_tag: bool = True,
) -> Callable[[Function], Function]: ...


def agent_span(  # noqa: PLR0913 - what a step may be given
    span_type: Any = "action",
    name: str | None = None,
    *,
    model_id: str | None = None,
    provider: str | None = None,
    metadata: Mapping[str, Any] | None = None,
    tags: Sequence[str] | None = None,
    inject_span_arg: str | None = None,
    capture_args: bool = False,
    capture_return: bool = False,
    require_trace: bool = False,
    auto_tag: bool = True,
) -> Any:
    """Decorate a function: each call is one step of an agent's run, or stands for itself where there is no run.

    The same functions are served as by `agent_trace`, and it can be used without parentheses too.

    Args:
        span_type: As for `AgentTrace.span`.
        name: As for `AgentTrace.span`; the function's own name unless given, which is not taken for a model's.
        model_id: Model of a model call; the run's unless given.
        provider: Its provider, such as `openai`.
        metadata: As for `start_trace`.
        tags: As for `start_trace`.
        inject_span_arg: Argument of the function that gets the handle of the step.
        capture_args: Whether the arguments of a call are recorded as its input.
        capture_return: Whether what a call returns is recorded as its output.
        require_trace: Whether a call outside of a run raises `AgentError` instead.
        auto_tag: Whether the tag `@span:<name of the step>` is added.

    Raises:
        TypeError: A value has the wrong type, or the function cannot be decorated like this.
        ValueError: A value is not allowed; the message says what is.
    """
    if not isinstance(span_type, str):
        return agent_span()(checked_target(span_type, "span_type"))

    def decorate(function: Function) -> Function:
        called = name if name is not None else name_of(function)
        plan = plan_step(
            span_type,
            called,
            model_id=model_id,
            provider=provider,
            metadata=metadata,
            tags=[*merged_tags((), tags), *([f"@span:{called}"] if auto_tag else [])],
            names_model=name is not None,
        )
        block = functools.partial(_required if require_trace else AgentSpan, plan)
        return Calls(block, inject_span_arg, capture_args, capture_return).decorate(function)

    return decorate


def _required(plan: Plan) -> AgentSpan:
    if current_trace() is None:
        raise AgentError(
            f"The step {plan.name!r} was called outside of an agent's run, which require_trace=True demands. Call it inside "
            "`with tracium.start_trace(…):` or from a function with @tracium.agent_trace."
        )
    return AgentSpan(plan)
