"""What handles of tracium's older SDK had and these have not: what is there instead."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NoReturn

from tracium.exceptions import RemovedError

if TYPE_CHECKING:
    from collections.abc import Mapping

_ATTRIBUTES: Final[Mapping[str, str]] = {
    "start_payload": "Nothing is answered when a run starts; its trace id is `id`.",
    "payload": "What was recorded is on the OpenTelemetry span; to see it in tests, use tracium.testing.",
    "last_payload": "What was recorded is on the OpenTelemetry span; to see it in tests, use tracium.testing.",
    "span_id": "Use `id`.",
    "state": "Use `trace_id`, `tags` and the other properties.",
    "set_input": "Use record_input().",
    "set_output": "Use record_output().",
    "set_failure": "Use mark_failed().",
    "depth_level": "The parents of spans tell it.",
    "parallel_group_id": "The parents and times of spans tell it.",
    "sequence_number": "The times of spans tell it.",
}
_OPTIONS: Final[Mapping[str, str]] = {
    name: f"{_ATTRIBUTES[name]} Leave it out." for name in ("depth_level", "parallel_group_id", "sequence_number")
}


def refuse_attribute(owner: str, name: str) -> NoReturn:
    """Say what is there instead of an attribute that `owner` does not have.

    Raises:
        RemovedError: The older SDK had it.
        AttributeError: Nobody ever had it.
    """
    if name in _ATTRIBUTES:
        raise RemovedError(f"{owner}.{name} is gone. {_ATTRIBUTES[name]}", name=name)
    raise AttributeError(f"{owner!r} has no attribute {name!r}", name=name)


def refuse_option(name: str) -> NoReturn:
    """Say what is there instead of an option that a step does not have.

    Raises:
        RemovedError: The older SDK had it.
        TypeError: Nobody ever had it.
    """
    if name in _OPTIONS:
        raise RemovedError(f"The option {name}= of a step is gone. {_OPTIONS[name]}", name=name)
    raise TypeError(f"A step of an agent has no option {name!r}.")
