"""An agent's run as one trace: a thin layer over OpenTelemetry's GenAI conventions.

https://opentelemetry.io/docs/specs/semconv/gen-ai/gen-ai-agent-spans/
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Unpack

from opentelemetry.trace import INVALID_SPAN, Link, get_current_span

from tracium.agents.block import open_blocks
from tracium.agents.chosen import link_request, start_with_ids, under
from tracium.agents.encoding import as_text
from tracium.agents.options import StepOptions, trace_id_of
from tracium.agents.plan import plan_run
from tracium.agents.span import AgentSpan
from tracium.attributes import SUMMARY, WANTED_TRACE_ID
from tracium.defaults import agent_defaults
from tracium.exceptions import AgentError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from opentelemetry.context import Context
    from opentelemetry.trace import Span

    from tracium.agents.plan import Plan


class AgentTrace(AgentSpan):
    """One run of an agent: the span `invoke_agent`, and the steps below it.

    Args:
        plan: What is known of it.
        trace_id: The trace id that it shall have.
    """

    _is_run = True
    _trace_id: int | None = None
    _summary: Any = None
    # Where a run begins that is a trace of its own.
    _request: Context | None = None

    def __init__(self, plan: Plan, trace_id: int | None = None) -> None:
        super().__init__(plan)
        if trace_id is not None:
            self._trace_id = trace_id

    @property
    def id(self) -> str | None:
        """The trace id, 32 hexadecimal digits; None before the block is entered, and without OpenTelemetry's SDK."""
        return self.trace_id

    @property
    def agent_name(self) -> str:
        """The agent's name: `gen_ai.agent.name`."""
        return self._plan.name or ""

    @property
    def summary(self) -> Any:
        """What `set_summary` was given, or None."""
        return self._summary

    def set_summary(self, summary: Mapping[str, Any] | str) -> None:
        """Record what the run came to: `tracium.summary`, a mapping as JSON.

        Raises:
            TypeError: It is neither a mapping nor a string.
        """
        if not isinstance(summary, Mapping | str):
            raise TypeError(f"A summary must be a mapping or a string, not {type(summary).__name__}: {summary!r:.80}.")
        if not self._is_over():
            self._summary = summary if isinstance(summary, str) else dict(summary)
            self._record(lambda _: {SUMMARY: as_text(summary)}, summary)

    def finish(
        self,
        *,
        summary: Mapping[str, Any] | str | None = None,
        metadata: Mapping[str, Any] | None = None,
        tags: Sequence[str] | None = None,
    ) -> dict[str, Any]:
        """End the run before its block does.

        Args:
            summary: As for `set_summary`.
            metadata: As for `add_metadata`.
            tags: As for `add_tags`.

        Returns:
            The trace id and how the run ended: `completed`, `failed`, a word that `set_status` was given,
            `already_finished`, or `skipped` for a run that was never entered.
        """
        if self._ended or self._span is None:
            return {"trace_id": self.id, "status": "already_finished" if self._ended else "skipped"}
        if summary is not None:
            self.set_summary(summary)
        if metadata:
            self.add_metadata(metadata)
        if tags:
            self.add_tags(tags)
        self._finish(None)
        return {"trace_id": self.id, "status": self.status}

    def fail(self, *, error: object, metadata: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """End the run as failed before its block does; arguments as for `mark_failed`, the answer as for `finish`."""
        if not self._ended and self._span is not None:
            self.mark_failed(error, metadata=metadata)
        return self.finish()

    def _around(self, context: Context) -> Context:
        around = get_current_span(context).get_span_context()
        if self._trace_id is None or around.trace_id == self._trace_id:
            return context
        self._request = context
        return under(INVALID_SPAN, context)

    def _open(self, context: Context) -> Span:
        request, self._request = self._request, None
        if request is None:
            return super()._open(context)
        around = get_current_span(request).get_span_context()
        span, taken = start_with_ids(
            self._trace_id,
            None,
            name=self._plan.span_name,
            context=context,
            kind=self._plan.operation.kind,
            attributes={**self._plan.attributes, **(self._pending or {})},
            links=[Link(around)] if around.is_valid else None,
        )
        if not taken:
            span.set_attribute(WANTED_TRACE_ID, f"{self._trace_id:032x}")
        link_request(span, request)
        return span


def start_trace(  # noqa: PLR0913 - what a run may be given
    agent_name: str | None = None,
    *,
    model_id: str | None = None,
    version: str | None = None,
    tags: Sequence[str] | None = None,
    metadata: Mapping[str, Any] | None = None,
    workspace_id: str | None = None,
    trace_id: str | None = None,
) -> AgentTrace:
    """One run of an agent, to be entered with `with` or `async with`.

    What is not given is what `tracium.init` was told with `default_agent_name`, `default_model_id` and so on.

    Args:
        agent_name: Name of the agent: `gen_ai.agent.name`; `app` if there is no default.
        model_id: Model that it uses: `gen_ai.request.model`, also of its model calls that are given none.
        version: Version of the agent: `gen_ai.agent.version`.
        tags: Words to find it by: `tracium.tags`, after the default ones.
        metadata: What else is known of it: `tracium.metadata.<key>`, besides the default ones.
        workspace_id: Workspace that it belongs to: `tracium.workspace.id`.
        trace_id: Trace id that it shall have, 32 hexadecimal digits or a UUID. The run is the root of that trace then,
            linked to the span that it begins under; its tenant is what it would be without.

    Raises:
        TypeError: A value has the wrong type.
        ValueError: A value is not allowed; the message says what is.

    Example:
        with tracium.start_trace("my-agent") as trace:
            with trace.span("tool", "search") as step:
                step.record_output(search("tea"))
    """
    plan = plan_run(
        agent_defaults(),
        agent_name,
        model_id=model_id,
        version=version,
        tags=tags,
        metadata=metadata,
        workspace_id=workspace_id,
    )
    return AgentTrace(plan, trace_id_of(trace_id))


def current_trace() -> AgentTrace | None:
    """The innermost run that is open around the current code, or None."""
    return next((block for block in open_blocks() if isinstance(block, AgentTrace)), None)


def span(span_type: str, name: str | None = None, **options: Unpack[StepOptions]) -> AgentSpan:
    """One step of the current run.

    Args:
        span_type: As for `AgentTrace.span`.
        name: As for `AgentTrace.span`.
        **options: As for `AgentTrace.span`.

    Raises:
        AgentError: No run is open here (it is a `RuntimeError`).
    """
    run = current_trace()
    if run is None:
        raise AgentError(
            "tracium.span() is one step of an agent's run, and none is open here. Call it inside `with tracium.start_trace(…):`, "
            "or use span() of the run's handle."
        )
    return run.span(span_type, name, **options)
