"""What can be recorded on a run or a step of an agent."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, Final, NoReturn

from opentelemetry.trace import format_span_id, format_trace_id

from tracium.agents.block import Block
from tracium.agents.content import Content
from tracium.agents.failure import Failure, record_exception
from tracium.agents.metadata import Metadata, check_metadata, merged_tags
from tracium.agents.older import refuse_attribute
from tracium.agents.plan import checked_text, span_name
from tracium.agents.tokens import token_attributes
from tracium.attributes import GEN_AI_PROVIDER, GEN_AI_REQUEST_MODEL, STATUS, STEP_NAME, TAGS
from tracium.faults import contained

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from opentelemetry.trace import Span, SpanContext
    from opentelemetry.util.types import AttributeValue

    from tracium.agents.plan import Plan

_FAILED: Final = frozenset({"failed", "error"})
_ENDED_WELL: Final = "completed"
_OPEN: Final = "in_progress"
_SAID_BY_STATUS: Final = frozenset({*_FAILED, _ENDED_WELL, _OPEN})


class Handle(Block):
    """A block whose span can be told more; what is recorded before it begins is on the span from its start.

    After its end nothing is recorded, and a warning says so once.

    Args:
        plan: What is known of it.
        above: The run or step that it is a part of, also where the code runs in a context that does not know it.
    """

    _pending: Mapping[str, AttributeValue] | None = None
    _usage: dict[str, int] | None = None
    _tags: dict[str, None] | None = None
    _metadata: Metadata | None = None
    _content: Content | None = None
    _failure: Failure | None = None
    _status: str = _OPEN
    _model_id: str | None = None
    _provider: str | None = None

    def __init__(self, plan: Plan, above: Handle | None = None) -> None:
        self._plan = plan
        if above is not None:
            self._above = above

    def __getattr__(self, name: str) -> NoReturn:
        refuse_attribute(type(self).__name__, name)

    @property
    def id(self) -> str | None:
        """The span id, 16 hexadecimal digits; None before the block is entered, and without OpenTelemetry's SDK."""
        context = self._span_context()
        return None if context is None else format_span_id(context.span_id)

    @property
    def trace_id(self) -> str | None:
        """The trace id, 32 hexadecimal digits; None before the block is entered, and without OpenTelemetry's SDK."""
        context = self._span_context()
        return None if context is None else format_trace_id(context.trace_id)

    @property
    def parent_span_id(self) -> str | None:
        """The id of the span above, 16 hexadecimal digits; None if there is none or it is not known."""
        parent: SpanContext | None = getattr(self._span, "parent", None)
        return None if parent is None else format_span_id(parent.span_id)

    @property
    def span_type(self) -> str:
        """The kind of step, in the word that it was made with."""
        return self._plan.span_type

    @property
    def name(self) -> str | None:
        """What is used or done, as it was given."""
        return self._plan.name

    @property
    def model_id(self) -> str | None:
        """The model, if it is known: `gen_ai.request.model`."""
        return self._model_id or self._plan.model_id

    @property
    def tags(self) -> list[str]:
        """The tags so far: `tracium.tags`."""
        return list(self._plan.tags if self._tags is None else self._tags)

    @property
    def status(self) -> str:
        """How it stands: `in_progress`, `completed`, `failed`, or the word that `set_status` was given."""
        if self._failure is not None or self._status in _FAILED:
            return "failed"
        return _ENDED_WELL if self._ended and self._status == _OPEN else self._status

    def record_input(self, input_data: Any) -> None:
        """Record what goes in: the messages, the tool's arguments, the query; content policy and redaction apply.

        Args:
            input_data: Anything: strings stay as they are, messages in OpenAI's, Anthropic's or OpenTelemetry's form become
                OpenTelemetry's, all else becomes JSON. None records nothing.
        """
        self._record(lambda content: content.put_input(input_data), input_data)

    def record_output(self, output_data: Any) -> None:
        """Record what comes out: the messages, the tool's result, the documents; otherwise as `record_input`."""
        self._record(lambda content: content.put_output(output_data), output_data)

    def set_tools(self, tools: Sequence[Mapping[str, Any]]) -> None:
        """Record the tools that the model may use: `gen_ai.tool.definitions`."""
        self._record(lambda content: content.put_tools(tools), tools or None)

    def set_tool_calls(self, tool_calls: Sequence[Mapping[str, Any]]) -> None:
        """Record the calls of tools that the model asked for, as parts of its message: `gen_ai.output.messages`."""
        self._record(lambda content: content.put_tool_calls(tool_calls), tool_calls or None)

    def set_token_usage(  # noqa: PLR0913 - the counts that the conventions know, and their older names
        self,
        input: int | None = None,  # noqa: A002 - the word for it
        output: int | None = None,
        *,
        cached_input: int | None = None,
        cache_creation_input: int | None = None,
        reasoning: int | None = None,
        input_tokens: int | None = None,
        output_tokens: int | None = None,
        cached_input_tokens: int | None = None,
        cache_creation_input_tokens: int | None = None,
    ) -> None:
        """Tell how many tokens were used; a count that is told again replaces the earlier one, None leaves it.

        On a model call they are its own. On anything else they are a model call that nobody made a span for: one `chat`
        span is added below at the end, because only model calls are summed.

        Args:
            input: All input tokens, cached ones too.
            output: All output tokens, those of reasoning too.
            cached_input: Those of the input that were read from a cache.
            cache_creation_input: Those of the input that were written to a cache.
            reasoning: Those of the output that the model used for reasoning.
            input_tokens: Older name of `input`.
            output_tokens: Older name of `output`.
            cached_input_tokens: Older name of `cached_input`.
            cache_creation_input_tokens: Older name of `cache_creation_input`.

        Raises:
            TypeError: A count is no whole number.
            ValueError: A count is negative.
        """
        counts = {
            "input": input,
            "output": output,
            "cached_input": cached_input,
            "cache_creation_input": cache_creation_input,
            "reasoning": reasoning,
            "input_tokens": input_tokens,
            "output_tokens": output_tokens,
            "cached_input_tokens": cached_input_tokens,
            "cache_creation_input_tokens": cache_creation_input_tokens,
        }
        self._use(token_attributes(counts))

    def set_model_id(self, model_id: str | None, *, provider: str | None = None) -> None:
        """Tell the model, and who provides it: `gen_ai.request.model`, `gen_ai.provider.name`. None leaves what is known."""
        model = checked_text(model_id, "model_id", "the model's name") if model_id else None
        by = checked_text(provider, "provider", "such as 'openai'") if provider else None
        if self._is_over():
            return
        self._model_id, self._provider = model or self._model_id, by or self._provider
        known = {GEN_AI_REQUEST_MODEL: model, GEN_AI_PROVIDER: by}
        self._set({key: value for key, value in known.items() if value is not None})
        if model is not None and self._plan.operation.calls_model and self._span is not None:
            self._name_model(self._span, model)

    def add_tags(self, tags: Iterable[str]) -> None:
        """Add tags: `tracium.tags`.

        Raises:
            TypeError: `tags` is one string, or nothing that holds tags.
        """
        merged = merged_tags(self.tags, tags)
        if not self._is_over():
            # No lock, and the span gets them at the end: other threads may be adding, also from a handler of `logging`.
            self.__dict__.setdefault("_tags", {}).update(dict.fromkeys(merged))

    def add_metadata(self, metadata: Mapping[str, Any]) -> None:
        """Add metadata: `tracium.metadata.<key>`, with strings, numbers and truths as they are and all else as JSON.

        Raises:
            TypeError: It is no mapping, or a key is no string.
            ValueError: A key is empty.
        """
        check_metadata(metadata)
        if self._is_over():
            return
        with contained("recording an agent's metadata"):
            if self._metadata is None:
                self.__dict__.setdefault("_metadata", Metadata(self._plan.metadata))
            self._set(self.__dict__["_metadata"].add(metadata))

    def update_metadata(self, metadata: Mapping[str, Any]) -> None:
        """As `add_metadata`: the older SDK's name on runs."""
        self.add_metadata(metadata)

    def add_metadata_kv(self, key: str, value: Any) -> None:
        """Add one key of metadata."""
        self.add_metadata({key: value})

    def mark_failed(self, error: object, *, metadata: Mapping[str, Any] | None = None) -> None:
        """Tell that it failed: the span's status is ERROR, and `error.type` says why.

        An exception that leaves the block is recorded without this.

        Args:
            error: A sentence, or the exception.
            metadata: As for `add_metadata`.
        """
        if self._is_over():
            return
        if metadata:
            self.add_metadata(metadata)
        with contained("recording an agent's failure"):
            self._failure = Failure.of(error)
            if isinstance(error, BaseException) and self._span is not None:
                record_exception(self._span, error)

    def set_status(self, status: str) -> None:
        """Tell how it ends: `completed`, `failed`, or in a word of your own, which is `tracium.status` on the span.

        Raises:
            TypeError: `status` is no string.
            ValueError: It is blank.
        """
        word = checked_text(status, "status", "such as 'completed' or 'failed'")
        if not self._is_over():
            self._status = word

    def _span_context(self) -> SpanContext | None:
        context = None if self._span is None else self._span.get_span_context()
        return context if context is not None and context.is_valid else None

    def _label(self) -> str:
        return f"The span {self._plan.span_name!r} of an agent"

    def _set(self, attributes: Mapping[str, AttributeValue]) -> None:
        if self._span is None:
            self._pending = {**(self._pending or {}), **attributes}
        else:
            self._span.set_attributes(attributes)

    def _record(self, write: Callable[[Content], Mapping[str, str]], data: object) -> None:
        if data is None or self._is_over() or (self._span is not None and not self._span.is_recording()):
            return
        if not settles_content():
            return
        with contained("recording what goes into an agent's step and comes out"):
            if self._content is None:
                self._content = Content(self._plan.operation)
            self._set(write(self._content))

    def _use(self, usage: Mapping[str, int]) -> None:
        if usage and not self._is_over():
            self.__dict__.setdefault("_usage", {}).update(usage)
            if self._plan.operation.calls_model:
                # At once too: a call that nobody ends is exported with what is known of it.
                self._set(usage)

    def _late_attributes(self) -> dict[str, AttributeValue]:
        """What the span gets at its end, because until then it may be told again."""
        late: dict[str, AttributeValue] = {}
        if self._tags:
            late[TAGS] = merged_tags((), tuple(self._tags))
        if self._metadata is not None:
            late.update(self._metadata.more())
        if self._usage is not None and self._plan.operation.calls_model:
            late.update(self._usage)
        if self._status not in _SAID_BY_STATUS:
            late[STATUS] = self._status
        return late

    def _name_model(self, span: Span, model_id: str) -> None:
        """Call a model call's span by its model, and keep what it was called before."""
        span.update_name(span_name(self._plan.operation, model_id))
        if self._plan.name not in {None, model_id}:
            span.set_attribute(STEP_NAME, self._plan.name or "")


def settles_content() -> bool:
    """Whether anything looks at prompts and answers before they leave the process: else they must not be recorded."""
    # What does so loads the SDK, and is not there if nobody has loaded it.
    genai: Any = sys.modules.get("tracium.signals.genai")
    return genai is not None and bool(genai.settles_content())
