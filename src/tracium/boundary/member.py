"""The tenant as members of W3C's `baggage` header, whole or not at all.

OpenTelemetry's own propagator strips spaces from values, takes a property for a part of the value and the last of two
members for the right one: each of these makes another tenant of a tenant. https://www.w3.org/TR/baggage/#header-content
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from urllib.parse import quote, unquote_plus, unquote_to_bytes

from tracium.attributes import TENANT_ID, TENANT_SIGNATURE
from tracium.tenancy.identity import is_tenant

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

HEADER: Final = "baggage"
# https://www.w3.org/TR/baggage/#limits
_MAX_BYTES: Final = 8192
_MAX_MEMBERS: Final = 180

OURS: Final = frozenset({TENANT_ID, TENANT_SIGNATURE})
"""The names of members that are ours."""

# What a member's name or an escape in it must have for the name to be one of ours.
_IN_OURS: Final = "tenant"
# What tracium sends for most tenants.
_USUAL: Final = re.compile(
    rf"{re.escape(TENANT_ID)}=([A-Za-z0-9_.~-]{{1,255}})(?:,{re.escape(TENANT_SIGNATURE)}=([A-Za-z0-9_-]{{1,255}}))?(?=,|\Z)"
)
# How a name of ours can be written: no other letters, and no percent sign that stays one.
_OURS_WRITTEN: Final = re.compile(r"(?:[a-z.+\s]|%[0-9A-Fa-f]{2})*")
_BLANKS: Final = re.compile(r"[ \t]{2,}")
_NO_ESCAPE: Final = re.compile(r"%(?![0-9A-Fa-f]{2})")


class UnreadableTenantError(ValueError):
    """A header names a tenant, but not one that could be told for certain.

    Attributes:
        reason: In one word.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Claim:
    """The tenant that a header names.

    Attributes:
        readings: What it may mean: a plus may be a space, depending on who wrote it.
        signature: What shall prove it, if anything.
    """

    readings: tuple[str, ...]
    signature: str | None

    @property
    def certain(self) -> str:
        """The tenant, where there is only one reading.

        Raises:
            UnreadableTenantError: There are two.
        """
        if len(self.readings) > 1:
            raise UnreadableTenantError("ambiguous")
        return self.readings[0]


def add_tenant(tenant: str, header: str = "", signature: str | None = None) -> str:
    """A `baggage` header with the tenant first, and of `header` what there is room for."""
    ours = f"{TENANT_ID}={quote(tenant, safe='')}"
    if signature is not None:
        ours = f"{ours},{TENANT_SIGNATURE}={signature}"
    if not header:
        return ours
    members = [ours]
    room, places = _MAX_BYTES - len(ours), _MAX_MEMBERS - ours.count(",") - 1
    for member in _members([header]):
        room -= len(member.encode()) + 1
        if room < 0 or len(members) > places:
            break
        if not _is_ours(member):
            members.append(member)
    return ",".join(members)


def without_ours(header: str) -> str:
    """A `baggage` header without what reads as the tenant, however it is written; empty if nothing else is in it."""
    if not _may_have_ours(header):
        return header
    usual = _USUAL.match(header)
    if usual is not None and usual.end() == len(header):
        return ""
    members = list(_members([header]))
    kept = [member for member in members if not _is_ours(member)]
    return header if len(kept) == len(members) else ",".join(kept)


def others_in(header: str) -> str:
    """What there is for OpenTelemetry's own propagator in a `baggage` header that came from anywhere.

    It raises for what is no text, and the time that it takes grows with the square of the blanks in a row.
    """
    others = without_ours(header)
    try:
        others.encode()
    except UnicodeEncodeError:
        return ""
    return _BLANKS.sub(" ", others) if "  " in others or "\t" in others else others


def claim_in(headers: Iterable[str]) -> Claim | None:
    """What `baggage` headers say about the tenant, or None.

    Raises:
        UnreadableTenantError: They name one that is too long, broken, or two different ones.
    """
    whole = list(headers)
    if not any(map(_may_have_ours, whole)):
        return None
    return (_usual_claim(whole[0]) if len(whole) == 1 else None) or _claim(whole)


def _usual_claim(header: str) -> Claim | None:
    """What a header says that begins as tracium writes it; None where that needs a closer look."""
    usual = _USUAL.match(header)
    if usual is None or len(header) > _MAX_BYTES or not header.isascii() or _may_have_ours(header[usual.end() :]):
        return None
    return Claim((usual[1],), usual[2])


def _claim(headers: list[str]) -> Claim | None:
    members = [(_name(member), member) for member in _members(headers) if _is_ours(member)]
    found = [member for name, member in members if name == TENANT_ID]
    if not found:
        return None
    if sum(len(header.encode("utf-8", "surrogatepass")) for header in headers) > _MAX_BYTES:
        raise UnreadableTenantError("oversize")
    claimed = {_readings(member) for member in found}
    signatures = {_text(member) for name, member in members if name == TENANT_SIGNATURE}
    if len(claimed) > 1 or len(signatures) > 1:
        raise UnreadableTenantError("ambiguous")
    return Claim(claimed.pop(), signatures.pop() if signatures else None)


def _members(headers: Iterable[str]) -> Iterator[str]:
    for header in headers:
        for member in header.split(","):
            stripped = member.strip(" \t")
            if stripped:
                yield stripped


def _may_have_ours(text: str) -> bool:
    return _IN_OURS in text or "%" in text


def _is_ours(member: str) -> bool:
    return _may_have_ours(member) and _name(member) in OURS


def _name(member: str) -> str:
    # As OpenTelemetry's propagator reads names, so that no way to write it passes for another entry.
    name = member.partition("=")[0].partition(";")[0]
    if "%" in name or "+" in name:
        # What is long and nobody's is not decoded: anyone can send it.
        return unquote_plus(name).strip() if _OURS_WRITTEN.fullmatch(name) else ""
    return name.strip()


def _text(member: str) -> str:
    return member.partition("=")[2].partition(";")[0].strip(" \t")


def _readings(member: str) -> tuple[str, ...]:
    name, equals, _ = member.partition("=")
    value = _text(member)
    if unquote_plus(name).strip(" \t") not in OURS or not equals or _NO_ESCAPE.search(value):
        raise UnreadableTenantError("broken")
    # Some write a space as a plus, and others a plus.
    written = (value, value.replace("+", " ")) if "+" in value else (value,)
    try:
        tenants = tuple(unquote_to_bytes(text).decode() for text in written)
    except UnicodeError as error:
        raise UnreadableTenantError("broken") from error
    if not all(map(is_tenant, tenants)):
        raise UnreadableTenantError("invalid")
    return tenants
