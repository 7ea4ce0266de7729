"""What a request may say, each with how it is read and described."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar, cast

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

T_co = TypeVar("T_co", covariant=True)
LONGEST: Final = 4096


class ParameterError(ValueError):
    """A parameter that is missing, unknown or wrong; the message is a sentence for the caller."""


@dataclass(frozen=True, slots=True)
class Parameter(Generic[T_co]):
    """One parameter of the path or the query.

    Args:
        name: as it stands in the URL.
        read: makes the value, and raises ValueError with the rest of a sentence that begins with "name=text".
        schema: its JSON Schema.
        description: what it means.
        default: the value where it is not given.
        repeats: whether it may be given more than once: then `read` is given each text, and the value is a tuple.
        in_path: whether it is a part of the path.
    """

    name: str
    read: Callable[[str], object]
    schema: Mapping[str, Any]
    description: str
    default: T_co
    repeats: bool = field(default=False, kw_only=True)
    in_path: bool = field(default=False, kw_only=True)

    def value(self, texts: list[str]) -> T_co:
        """The value that texts of the URL stand for.

        Raises:
            ParameterError: they stand for none.
        """
        if not texts:
            return self.default
        if len(texts) > 1 and not self.repeats:
            raise ParameterError(f"{self.name} is given {len(texts)} times: give it once")
        most = self.schema.get("maxItems", math.inf)
        if len(texts) > most:
            raise ParameterError(f"{self.name} is given {len(texts)} times: give it at most {most} times")
        values = tuple(self._one(text) for text in texts)
        return cast("T_co", values if self.repeats else values[0])

    def _one(self, text: str) -> object:
        if len(text) > LONGEST:
            raise ParameterError(f"{self.name} has more than {LONGEST} characters")
        try:
            return self.read(text)
        except ParameterError:
            raise
        except ValueError as error:
            raise ParameterError(f"{self.name}={text!r} {error}") from error


class Values:
    """What a request says, by parameter."""

    def __init__(self, values: Mapping[str, object]) -> None:
        self._values = values

    def __getitem__(self, parameter: Parameter[T_co]) -> T_co:
        """The value of a parameter that the endpoint declares."""
        return cast("T_co", self._values[parameter.name])


def read_all(parameters: tuple[Parameter[Any], ...], path: Mapping[str, Any], query: list[tuple[str, str]]) -> Values:
    """Read what a request says.

    Args:
        parameters: what it may say.
        path: the parts of its path.
        query: the pairs of its query.

    Raises:
        ParameterError: it says something else.
    """
    known = {one.name for one in parameters if not one.in_path}
    for name, _ in query:
        if name not in known:
            allowed = f"it knows {', '.join(sorted(known))}" if known else "it knows none"
            raise ParameterError(f"there is no parameter {name[:100]!r} here: {allowed}")
    return Values(
        {
            one.name: one.value([path[one.name]] if one.in_path else [text for name, text in query if name == one.name])
            for one in parameters
        }
    )
