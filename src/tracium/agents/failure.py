"""That a run or a step failed, and why."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from opentelemetry.trace import Status, StatusCode

from tracium.agents.encoding import as_text
from tracium.attributes import ERROR_TYPE

if TYPE_CHECKING:
    from opentelemetry.trace import Span

# What the conventions call an error whose type nobody knows:
# https://opentelemetry.io/docs/specs/semconv/registry/attributes/error/
_OTHER: Final = "_OTHER"
_LONGEST: Final = 10_000


@dataclass(frozen=True, slots=True)
class Failure:
    """Why it failed.

    Attributes:
        kind: `error.type`.
        description: In words.
        exception: What was raised, if anything.
    """

    kind: str
    description: str
    exception: BaseException | None = None

    @classmethod
    def of(cls, error: object) -> Failure:
        """The failure that an exception, or a sentence, tells of."""
        if not isinstance(error, BaseException):
            return cls(_OTHER, _cut(as_text(error) if error is not None else "") or "unknown error")
        return cls(_type_name(error), _cut(f"{type(error).__name__}: {as_text(_said(error))}"), error)

    def with_kind_of(self, error: Exception) -> Failure:
        """This failure, as one that was raised if it is not known to be another."""
        return Failure(_type_name(error), self.description, error) if self.kind == _OTHER else self

    def write(self, span: Span) -> None:
        """Put it onto `span`."""
        span.set_attribute(ERROR_TYPE, self.kind)
        span.set_status(Status(StatusCode.ERROR, self.description))


def record_exception(span: Span, error: BaseException) -> None:
    """Put `error` onto `span` as an event, also where it cannot tell what it is."""
    try:
        span.record_exception(error)
    except Exception:  # noqa: BLE001 - the app's exception, which runs its own code when it is written out
        span.add_event("exception", {"exception.type": _type_name(error)})


def _type_name(error: BaseException) -> str:
    """As the SDK writes `exception.type`."""
    module, name = type(error).__module__, type(error).__qualname__
    return name if module == "builtins" else f"{module}.{name}"


def _said(error: BaseException) -> str:
    try:
        return str(error)
    except Exception:  # noqa: BLE001 - as above
        return "(its text could not be read)"


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"
