"""One endpoint: its path, what it may be asked, whom it answers, and with what."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tracium.server.access.principal import Principal
    from tracium.server.access.route import Audience
    from tracium.server.api.parameter import Parameter, Values
    from tracium.server.store import Store


class Report(Protocol):
    """An answer: a dataclass, of which the sheet has the rows."""

    @property
    def rows(self) -> Sequence[object]:
        """What a sheet has a line for."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A question as it came in."""

    store: Store
    asker: Principal
    values: Values


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A GET endpoint of the API, as JSON and as CSV.

    Args:
        path: below ``/api/v1``; a part in braces is a parameter, ``{id:whole}`` one that may hold slashes and line breaks.
        name: the operation's name in the OpenAPI document.
        summary: one sentence.
        parameters: all that it may be asked.
        audience: the kinds of tokens that it answers.
        answer: gives the report; None where there is nothing under the path.
        report: the report's dataclass.
        row: the dataclass of its rows.
        target: whose content it may show, for the audit log: the parameter that names it.
    """

    path: str
    name: str
    summary: str
    parameters: tuple[Parameter[Any], ...]
    audience: Audience
    answer: Callable[[Asked], Report | None]
    report: type
    row: type
    target: Parameter[str] | None = None
