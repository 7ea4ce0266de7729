"""The headers of one request, right for the host that it goes to; in a copy, so that what the app keeps has no tenant."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tracium.boundary.member import HEADER
from tracium.boundary.outgoing import is_inside, settle
from tracium.faults import fault

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, MutableMapping


def settled(pairs: Iterable[tuple[Any, Any]], host_of: Callable[[], str | None]) -> list[tuple[Any, Any]] | None:
    """The headers with the tenant written into them, or taken out.

    Args:
        pairs: Names and values, as text or as bytes; they stay as they are.
        host_of: Tells where the request goes, None where that cannot be told.

    Returns:
        None if they are right as they are.
    """
    headers = list(pairs)
    given = [_text(value) for name, value in headers if _text(name).lower() == HEADER]
    before = ",".join(given)
    after = _settled_value(headers, before, host_of)
    if after == before and len(given) <= 1:
        return None
    others = [pair for pair in headers if _text(pair[0]).lower() != HEADER]
    if not after:
        return others
    in_bytes = any(isinstance(name, bytes) for name, _ in headers)
    return [*others, (HEADER.encode(), after.encode("latin-1", "replace")) if in_bytes else (HEADER, after)]


def strip_outside(headers: MutableMapping[str, str], host_of: Callable[[], str | None]) -> None:
    """Take the tenant out of the headers of a request that goes outside, by whatever way.

    It is for what a library sends by other means than its own: there nothing adds the tenant, but an app may have copied
    it from a request that it got.
    """
    try:
        if headers.get(HEADER) and not is_inside(host_of(), headers):
            settle(headers, None)
    except Exception as error:  # noqa: BLE001 - the request is sent all the same, but never with a tenant that we could not judge
        headers.pop(HEADER, None)
        fault("taking the tenant out of a request's headers", error)


def _settled_value(headers: list[tuple[Any, Any]], before: str, host_of: Callable[[], str | None]) -> str:
    carrier: dict[str, str] = {}
    try:
        for name, value in headers:
            # Some propagators ask for a name as they write it.
            carrier[_text(name)] = carrier[_text(name).lower()] = _text(value)
        for name in [name for name in carrier if name.lower() == HEADER]:
            del carrier[name]
        if before:
            carrier[HEADER] = before
        settle(carrier, host_of())
    except Exception as error:  # noqa: BLE001 - as above
        fault("writing the tenant into a request's headers", error)
        return ""
    return carrier.get(HEADER, "")


def _text(part: Any) -> str:
    return part.decode("latin-1") if isinstance(part, bytes) else str(part)
