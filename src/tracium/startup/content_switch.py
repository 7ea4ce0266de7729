"""One switch for all instrumentations: `capture_content` is written to the variables by which they decide.

They can only be switched for the whole process. So they are on if any tenant's content may be recorded, and what a
tenant may not have is taken out when its spans end.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from packaging.version import InvalidVersion, Version
from wrapt import register_post_import_hook

from tracium.faults import contained
from tracium.signals.genai.policy import ContentPolicy
from tracium.startup.libraries import installed_version

if TYPE_CHECKING:
    from collections.abc import Callable, MutableMapping

GENAI_VARIABLE: Final = "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT"
"""What OpenTelemetry's GenAI instrumentations and LiteLLM read."""

# The variables whose values tracium wrote. Child processes inherit both, and must not take ours for their user's.
_WRITTEN: Final = "_TRACIUM_CONTENT_SWITCHES"


@dataclass(frozen=True, slots=True)
class Switch:
    """A variable by which instrumentations decide whether they capture content.

    Attributes:
        variable: Its name.
        on: The value that captures.
        off: The value that does not.
        on_values: Every value that captures, in lower case.
    """

    variable: str
    on: str
    off: str
    on_values: frozenset[str]


def _boolean(variable: str, *, on: bool = True) -> Switch:
    word, other = str(on).lower(), str(not on).lower()
    return Switch(variable, word, other, frozenset({word}))


SWITCHES: Final = (
    Switch(
        GENAI_VARIABLE,
        on="SPAN_ONLY",
        off="NO_CONTENT",
        on_values=frozenset({"span_only", "event_only", "span_and_event", "true", "1"}),
    ),
    # The Anthropic SDK's own spans (2.12 and later).
    Switch("ANTHROPIC_OPEN_TELEMETRY_TRACES_CONTENT_MODE", "content", "metadata_only", frozenset({"content"})),
    # OpenLLMetry: on unless it is off.
    _boolean("TRACELOOP_TRACE_CONTENT"),
    # OpenInference: shown unless they are hidden.
    _boolean("OPENINFERENCE_HIDE_INPUTS", on=False),
    _boolean("OPENINFERENCE_HIDE_OUTPUTS", on=False),
    _boolean("OPENINFERENCE_HIDE_PROMPTS", on=False),
    _boolean("OPENINFERENCE_HIDE_CHOICES", on=False),
    _boolean("OPENINFERENCE_HIDE_EMBEDDINGS_TEXT", on=False),
    # Google's ADK: on unless it is off.
    _boolean("ADK_CAPTURE_MESSAGE_CONTENT_IN_SPANS"),
    # Azure's AI clients.
    _boolean("AZURE_TRACING_GEN_AI_CONTENT_RECORDING_ENABLED"),
)
"""Every variable that is written."""

_BEDROCK: Final = "opentelemetry.instrumentation.botocore.extensions.bedrock"
# From this version on `opentelemetry-util-genai` knows the modes without an opt-in. Those before it know "true".
_MODES_SINCE: Final = Version("1.2b0")


class _Bedrock:
    """What Bedrock's instrumentation is told, which does not know the modes of the variable that it reads."""

    def __init__(self) -> None:
        self.captures: bool | None = None
        self._watched = False

    def switch(self, *, captures: bool | None) -> None:
        self.captures = captures
        if not self._watched and captures is not None:
            self._watched = True
            register_post_import_hook(self._patch, _BEDROCK)

    def _patch(self, module: Any) -> None:
        with contained("switching the content of Bedrock's instrumentation"):
            original: Callable[[], bool] = module.genai_capture_message_content
            module.genai_capture_message_content = lambda: original() if self.captures is None else self.captures


_bedrock: Final = _Bedrock()


def apply(
    policy: ContentPolicy, environ: MutableMapping[str, str] | None = None, *, events: bool = False
) -> ContentPolicy:
    """Write the variables of all instrumentations, before any of them reads its own, and tell what holds.

    What the user says with `capture_content` holds, whatever the variables say. If the user says nothing, a variable that
    the user set holds: if one asks for content, all content that arrives is allowed, and those that are not set are off.

    Args:
        policy: What the user said.
        environ: The environment that is written; the process's unless given.
        events: Whether log records pass `ContentLogRecordProcessor` before they are exported. Content that
            instrumentations would put there is switched on only then.

    Returns:
        The policy that spans and log records are settled with.
    """
    env = os.environ if environ is None else environ
    written = {name for name in env.get(_WRITTEN, "").split(",") if name}
    theirs = {switch for switch in SWITCHES if _is_users(switch, env, written)}
    if policy.given:
        _write(env, [switch for switch in SWITCHES if not _stays(switch, env, theirs, policy, events)], policy, events)
        _bedrock.switch(captures=policy.any and events)
        return policy
    _write(env, [switch for switch in SWITCHES if switch not in theirs], policy, events)
    _bedrock.switch(captures=None)
    return ContentPolicy.of({"*": True}) if any(_is_on(switch, env) for switch in theirs) else policy


def _stays(
    switch: Switch,
    env: MutableMapping[str, str],
    theirs: set[Switch],
    policy: ContentPolicy,
    events: bool,  # noqa: FBT001 - passed on
) -> bool:
    """Whether the user's own value says the same: then it may also say where content goes, if it is settled there."""
    if switch not in theirs or _is_on(switch, env) is not policy.any:
        return False
    value = env[switch.variable].strip().lower()
    return events or not policy.any or value == switch.on.lower()


def _is_users(switch: Switch, env: MutableMapping[str, str], written: set[str]) -> bool:
    value = env.get(switch.variable, "").strip()
    return bool(value) and not (switch.variable in written and value in {switch.on, switch.off, "true"})


def _is_on(switch: Switch, env: MutableMapping[str, str]) -> bool:
    return env.get(switch.variable, "").strip().lower() in switch.on_values


def _write(
    env: MutableMapping[str, str],
    switches: list[Switch],
    policy: ContentPolicy,
    events: bool,  # noqa: FBT001 - passed on
) -> None:
    for switch in switches:
        env[switch.variable] = _on_value(switch, events=events) if policy.any else switch.off
    env[_WRITTEN] = ",".join(switch.variable for switch in switches)


def _on_value(switch: Switch, *, events: bool) -> str:
    if switch.variable != GENAI_VARIABLE or _knows_modes():
        return switch.on
    # Those before the modes capture into log records only.
    return "true" if events else switch.off


def _knows_modes() -> bool:
    version = installed_version("opentelemetry-util-genai")
    try:
        return version is None or Version(version) >= _MODES_SINCE
    except InvalidVersion:
        return True
