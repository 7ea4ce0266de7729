"""One step of an agent."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Unpack

from opentelemetry.trace import StatusCode

from tracium.agents.block import open_blocks
from tracium.agents.chosen import parent_with_id, start_with_ids
from tracium.agents.encoding import as_text
from tracium.agents.failure import Failure, record_exception
from tracium.agents.handle import Handle
from tracium.agents.options import COUNTS, PLANNED, StepOptions, check_options, milliseconds, nanoseconds, span_id_of
from tracium.agents.plan import checked_text, plan_step, span_name
from tracium.agents.tokens import token_attributes
from tracium.agents.tracer import tracer
from tracium.agents.usage import Told, ToldCall
from tracium.attributes import GEN_AI_REQUEST_MODEL, GEN_AI_TOOL_CALL_ID, STEP_NAME
from tracium.faults import contained

if TYPE_CHECKING:
    from collections.abc import Mapping

    from opentelemetry.context import Context
    from opentelemetry.trace import Span
    from opentelemetry.util.types import AttributeValue


class AgentSpan(Handle):
    """One step of an agent as one span, to be entered with `with` or `async with`.

    An exception that leaves the block is recorded and goes on unchanged.
    """

    _is_run: bool = False
    _start_time: int | None = None
    _duration: int | None = None
    _own_id: int | None = None
    _parent_id: int | None = None
    # For usage that is told on what is no model call.
    _call: ToldCall | None = None

    def span(self, span_type: str, name: str | None = None, **options: Unpack[StepOptions]) -> AgentSpan:
        """One step inside this, to be entered with `with` or `async with`.

        Its span is under the current one or, where that is no part of this, under this one's: handles can be used from
        other threads and tasks.

        Args:
            span_type: `llm`, `embedding`, `tool`, `retrieval`, `plan`, `action`, or a word of your own.
            name: What is used or done: the model, the tool, the source. The name of a model call is its model's unless
                `model_id` is given or it has a space in it.
            **options: As `StepOptions` says: `input`, `model_id`, `provider`, `tags`, `metadata` and others.

        Raises:
            TypeError: A value has the wrong type, or there is no such option.
            ValueError: A value is not allowed; the message says what is.
            RemovedError: An option that only the older SDK had.
        """
        return new_step(span_type, name, self, options)

    def tool_execution(self, name: str, *, tool_call_id: str | None = None, input: Any = None) -> AgentSpan:  # noqa: A002 - the word for it
        """One use of a tool.

        Args:
            name: Of the tool.
            tool_call_id: What the model calls this use: `gen_ai.tool.call.id`.
            input: What it is given.
        """
        return self.span("tool", name, input=input, tool_call_id=tool_call_id)

    def record_span(
        self,
        span_type: str,
        name: str | None = None,
        *,
        output: Any = None,
        status: str | None = None,
        error: object = None,
        **options: Unpack[StepOptions],
    ) -> dict[str, Any]:
        """Record a step that is over.

        Args:
            span_type: As for `span`.
            name: As for `span`.
            output: As for `record_output`.
            status: As for `set_status`.
            error: As for `mark_failed`.
            **options: As for `span`. With `latency_ms` and without `started_at` it ends now.

        Returns:
            The ids of the step, its kind, name and status.
        """
        duration = milliseconds(options.get("latency_ms"), "latency_ms")
        if duration is not None and options.get("started_at") is None:
            options["started_at"] = datetime.now(UTC) - timedelta(microseconds=duration / 1000)
        with self.span(span_type, name, **options) as step:
            if output is not None:
                step.record_output(output)
            if status is not None:
                step.set_status(status)
            if error is not None:
                step.mark_failed(error)
        told = {
            "type": span_type,
            "name": name,
            "span_id": step.id,
            "trace_id": step.trace_id,
            "status": step.status,
        }
        return told if error is None else {**told, "error": as_text(error)}

    def _around(self, context: Context) -> Context:
        context = super()._around(context)
        return context if self._parent_id is None else parent_with_id(context, self._parent_id)

    def _open(self, context: Context) -> Span:
        plan = self._plan
        name, attributes = plan.span_name, plan.attributes
        if self._pending is not None:
            attributes = {**attributes, **self._pending}
        if plan.operation.calls_model and (self._model_id is not None or plan.model_id is None):
            name, attributes = self._named_by_model(context, attributes)
        if self._duration is not None:
            self._start_time = self._start_time or time.time_ns()
            self._end_time = self._start_time + self._duration
        if self._own_id is None:
            return tracer().start_span(name, context, plan.operation.kind, attributes, start_time=self._start_time)
        starting = {"name": name, "context": context, "kind": plan.operation.kind, "attributes": attributes}
        return start_with_ids(None, self._own_id, **starting, start_time=self._start_time)[0]

    def _named_by_model(
        self, context: Context, attributes: Mapping[str, AttributeValue]
    ) -> tuple[str, Mapping[str, AttributeValue]]:
        """Name and attributes of a model call whose model was told since, or is the run's."""
        self._model_id = model = self.model_id or _model_of_run(context)
        known = {GEN_AI_REQUEST_MODEL: model, STEP_NAME: self._plan.name if self._plan.name != model else None}
        named = {key: value for key, value in known.items() if value is not None}
        return span_name(self._plan.operation, model), {**attributes, **named}

    def _complete(self, span: Span, error: BaseException | None) -> None:
        if late := self._late_attributes():
            span.set_attributes(late)
        if error is not None or self.status == "failed":
            self._write_failure(span, error)
        elif self._status == "completed":
            span.set_status(StatusCode.OK)
        # In a forked child it is the parent's to tell.
        if self._call is not None and not self._is_of_parent():
            self._call.end(self._told())

    def _start(self) -> None:
        super()._start()
        if self._usage is not None:
            self._tell_call()

    def _use(self, usage: Mapping[str, int]) -> None:
        super()._use(usage)
        if usage and not self._ended:
            self._tell_call()

    def _tell_call(self) -> None:
        """Let the model call know that its usage is told on what is none."""
        span = self._span
        if span is None or self._plan.operation.calls_model or self._is_of_parent():
            return
        with contained("recording usage that an agent was told"):
            own = ToldCall(span, self._end_time)
            call: ToldCall = self.__dict__.setdefault("_call", own)
            if call is not own:
                call.tell(self._told())
                return
            call.begin(self._told(), self._before)
            # Another thread may have ended this meanwhile, and found no span of the call.
            if self._ended:
                call.end(self._told())

    def _told(self) -> Told:
        before = self._before
        model_id = self.model_id or (None if before is None else _model_of_run(before))
        return Told(model_id, self._provider or self._plan.provider, dict(self._usage or {}))

    def _write_failure(self, span: Span, error: BaseException | None) -> None:
        failure = self._failure
        if failure is None and self.status == "failed":
            failure = Failure.of(f"status {self._status}")
        if isinstance(error, Exception):
            if failure is None or failure.exception is not error:
                record_exception(span, error)
            failure = Failure.of(error) if failure is None else failure.with_kind_of(error)
        if failure is not None:
            failure.write(span)
        self._failure = failure


def new_step(span_type: str, name: str | None, above: AgentSpan | None, options: StepOptions) -> AgentSpan:
    """A step that is ready to be entered; the arguments are those of `AgentSpan.span`.

    Args:
        span_type: Kind of step.
        name: What is used or done.
        above: What it is a part of.
        options: All else.
    """
    check_options(options)
    given: Mapping[str, Any] = options
    planned: dict[str, Any] = {key: given[key] for key in PLANNED if key in given}
    step = AgentSpan(plan_step(span_type, name, **planned), above)
    if len(given) > len(planned):
        step._start_time = nanoseconds(given.get("started_at"), "started_at")  # noqa: SLF001 - it is made here
        step._duration = milliseconds(given.get("latency_ms"), "latency_ms")  # noqa: SLF001
        step._own_id = span_id_of(given.get("span_id"), "span_id")  # noqa: SLF001
        step._parent_id = span_id_of(given.get("parent_span_id"), "parent_span_id")  # noqa: SLF001
        if (call_id := given.get("tool_call_id")) is not None:
            known = {GEN_AI_TOOL_CALL_ID: checked_text(call_id, "tool_call_id", "the model's id of the call")}
            step._set(known)  # noqa: SLF001
        step._use(token_attributes({name: given.get(name) for name in COUNTS}))  # noqa: SLF001
        step.record_input(given.get("input"))
    return step


def _model_of_run(context: Context) -> str | None:
    """The model of the run that is open in `context`."""
    runs = (block for block in open_blocks(context) if isinstance(block, AgentSpan) and block._is_run)  # noqa: SLF001
    run = next(runs, None)
    return None if run is None else run.model_id
