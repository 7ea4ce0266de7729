"""What a tenant id may be."""

from __future__ import annotations

import reprlib
import unicodedata
from typing import Final

from tracium.exceptions import TenantTypeError, TenantValueError

MAX_TENANT_LENGTH: Final = 255
"""The longest tenant id, in characters (Unicode code points)."""

_ALLOWED: Final = (
    f"A tenant id is a string of 1 to {MAX_TENANT_LENGTH} characters without control characters and lone surrogates, "
    "such as 'acme-corp' or 'org_123:workspace_456'."
)
# Unicode general categories: https://www.unicode.org/reports/tr44/#General_Category_Values
_REFUSED: Final = {"Cc": "the control character", "Cs": "the lone surrogate"}


def check_tenant(tenant: object) -> str:
    """Give `tenant` back as a plain string if it can be a tenant id.

    Raises:
        TenantTypeError: It is not a string.
        TenantValueError: It is empty, longer than 255 characters, or has a control character or a lone surrogate.
    """
    if type(tenant) is str and 0 < len(tenant) <= MAX_TENANT_LENGTH and tenant.isprintable():
        # What is usual, in one look.
        return tenant
    if not isinstance(tenant, str):
        raise TenantTypeError(
            f"A tenant id must be a string, not {type(tenant).__name__}: {reprlib.repr(tenant)}. {_ALLOWED}"
        )
    if not tenant:
        raise TenantValueError(f"A tenant id must not be empty. {_ALLOWED} To clear the tenant, use set_tenant(None).")
    if len(tenant) > MAX_TENANT_LENGTH:
        raise TenantValueError(f"This tenant id has {len(tenant)} characters: {tenant[:40]!r}…. {_ALLOWED}")
    if not tenant.isprintable():
        _refuse_characters(tenant)
    return str.__str__(tenant)


def is_tenant(value: object) -> bool:
    """Tell whether `value` can be a tenant id, without raising: for what comes from elsewhere."""
    try:
        check_tenant(value)
    except (TenantTypeError, TenantValueError):
        return False
    return True


def _refuse_characters(tenant: str) -> None:
    for place, character in enumerate(tenant):
        name = _REFUSED.get(unicodedata.category(character))
        if name is not None:
            raise TenantValueError(
                f"A tenant id must not contain {name} {character!r} (at {place} in {tenant!r:.80}). {_ALLOWED}"
            )
