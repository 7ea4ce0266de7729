"""The tenant as a member of W3C's `baggage` header, whole or not at all.

OpenTelemetry's own propagator strips spaces from values, takes a property for a part of the value and the last of two
members for the right one: each of these makes another tenant of a tenant. https://www.w3.org/TR/baggage/#header-content
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final
from urllib.parse import quote, unquote_plus, unquote_to_bytes

from tracium.attributes import TENANT_ID
from tracium.tenancy.identity import is_tenant

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

HEADER: Final = "baggage"
# https://www.w3.org/TR/baggage/#limits
_MAX_BYTES: Final = 8192
_MAX_MEMBERS: Final = 180

_NO_ESCAPE: Final = re.compile(r"%(?![0-9A-Fa-f]{2})")


class UnreadableTenantError(ValueError):
    """A header names a tenant, but not one that could be told for certain.

    Attributes:
        reason: In one word.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def add_tenant(tenant: str, header: str = "") -> str:
    """A `baggage` header with the tenant first, and of `header` what there is room for."""
    members = [f"{TENANT_ID}={quote(tenant, safe='')}"]
    room = _MAX_BYTES - len(members[0])
    for member in _members([header]):
        room -= len(member.encode()) + 1
        if room < 0 or len(members) == _MAX_MEMBERS:
            break
        if not _names_tenant(member):
            members.append(member)
    return ",".join(members)


def without_tenant_members(header: str) -> str:
    """A `baggage` header without what reads as the tenant, however it is written."""
    members = list(_members([header]))
    kept = [member for member in members if not _names_tenant(member)]
    return header if len(kept) == len(members) else ",".join(kept)


def read_tenant(headers: Iterable[str]) -> str | None:
    """The tenant that `baggage` headers name, or None.

    Raises:
        UnreadableTenantError: They name one that is too long, broken, or ambiguous.
    """
    whole = list(headers)
    found = [member for member in _members(whole) if _names_tenant(member)]
    if not found:
        return None
    if sum(len(header.encode("utf-8", "surrogatepass")) for header in whole) > _MAX_BYTES:
        raise UnreadableTenantError("oversize")
    tenants = {_value(member) for member in found}
    if len(tenants) > 1:
        raise UnreadableTenantError("ambiguous")
    return tenants.pop()


def _members(headers: Iterable[str]) -> Iterator[str]:
    for header in headers:
        for member in header.split(","):
            stripped = member.strip(" \t")
            if stripped:
                yield stripped


def _names_tenant(member: str) -> bool:
    # As OpenTelemetry's propagator reads names, so that no way to write it passes for another entry.
    return unquote_plus(member.partition("=")[0].partition(";")[0]).strip() == TENANT_ID


def _value(member: str) -> str:
    name, equals, rest = member.partition("=")
    value = rest.partition(";")[0].strip(" \t")
    if unquote_plus(name).strip(" \t") != TENANT_ID or not equals or _NO_ESCAPE.search(value):
        raise UnreadableTenantError("broken")
    if "+" in value:
        # Some write a space so, and others a plus.
        raise UnreadableTenantError("ambiguous")
    try:
        tenant = unquote_to_bytes(value).decode()
    except UnicodeError as error:
        raise UnreadableTenantError("broken") from error
    if not is_tenant(tenant):
        raise UnreadableTenantError("invalid")
    return tenant
