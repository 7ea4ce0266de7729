"""What a request's values ask for, in the words of the queries."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

from tracium.server.api import parameters as p
from tracium.server.api.parameter import ParameterError
from tracium.server.api.range import TZ, time_range
from tracium.server.queries import Bucket, Question, TenantFilter, TraceFilter

if TYPE_CHECKING:
    from tracium.server.api.parameter import Values

_MOST_POINTS: Final = 20_000
_SHORTEST: Final = {
    Bucket.QUARTER: timedelta(minutes=15),
    Bucket.HOUR: timedelta(hours=1),
    Bucket.DAY: timedelta(days=1),
    Bucket.MONTH: timedelta(days=28),
}


def question(values: Values, tenants: TenantFilter | None = None) -> Question:
    """What a request with `parameters.ASKED` asks; with `range.RANGE`, ENVIRONMENT and SERVICE alone where `tenants` are given.

    Raises:
        ParameterError: the range ends before it begins.
    """
    if tenants is None:
        tenants = TenantFilter.of(*values[p.TENANT], with_none=values[p.NONE])
    return Question(
        time_range(values), tenants, environment=values[p.ENVIRONMENT], service=values[p.SERVICE], timezone=values[TZ]
    )


def trace_filter(values: Values, *, with_attributes: bool) -> TraceFilter:
    """Which traces a request with `parameters.FILTER` asks for."""
    return TraceFilter(
        status=values[p.STATUS],
        model=values[p.MODEL],
        agent=values[p.AGENT],
        user=values[p.USER],
        session=values[p.SESSION],
        operation=values[p.OPERATION],
        error_type=values[p.ERROR_TYPE],
        text=values[p.TEXT],
        with_attributes=with_attributes,
        minimum_ms=values[p.MINIMUM],
    )


def bucket(values: Values, asked: Question, courses: int = 1) -> Bucket | None:
    """How long a stretch of a request's series is, as it says.

    Args:
        values: what the request says.
        asked: what it asks.
        courses: how many series there are.

    Raises:
        ParameterError: there would be more points than anybody can look at.
    """
    wanted = values[p.BUCKET]
    if wanted is not None and asked.range.length * courses > _MOST_POINTS * _SHORTEST[wanted]:
        raise ParameterError(
            f"bucket={wanted.value} makes more than {_MOST_POINTS} points of this range: give a longer one, or a shorter range"
        )
    return wanted


def compared(values: Values) -> tuple[str, ...]:
    """The tenants that a request wants beside each other.

    Raises:
        ParameterError: there are too few, or too many.
    """
    tenants = tuple(dict.fromkeys(values[p.COMPARED]))
    if not 2 <= len(tenants) <= p.MOST_COMPARED:  # noqa: PLR2004 - one is not compared
        raise ParameterError(f"tenant is given {len(tenants)} times: give from 2 to {p.MOST_COMPARED} different ones")
    return tenants
