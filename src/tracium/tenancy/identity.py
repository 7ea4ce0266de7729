"""On whose behalf work is done: a tenant, one of its users, a session of theirs; and what their ids may be."""

from __future__ import annotations

import reprlib
import unicodedata
from typing import Final

from tracium.attributes import SESSION_ID, TENANT_ID, USER_ID
from tracium.exceptions import (
    IdentityTypeError,
    IdentityValueError,
    TenantTypeError,
    TenantValueError,
)

MAX_TENANT_LENGTH: Final = 255
"""The longest id of a tenant, user or session, in characters (Unicode code points)."""

# Unicode general categories: https://www.unicode.org/reports/tr44/#General_Category_Values
_REFUSED: Final = {"Cc": "the control character", "Cs": "the lone surrogate"}


class Identity:
    """One of the three: what it is called, where it is written, and what is said of an id that cannot be.

    Attributes:
        name: `tenant`, `user` or `session`.
        attribute: The key of its id on telemetry.
    """

    __slots__ = ("_allowed", "_type_error", "_value_error", "attribute", "name")

    def __init__(
        self,
        name: str,
        attribute: str,
        examples: tuple[str, str],
        type_error: type[IdentityTypeError] = IdentityTypeError,
        value_error: type[IdentityValueError] = IdentityValueError,
    ) -> None:
        self.name = name
        self.attribute = attribute
        self._type_error = type_error
        self._value_error = value_error
        self._allowed = (
            f"A {name} id is a string of 1 to {MAX_TENANT_LENGTH} characters without control characters and lone "
            f"surrogates, such as {examples[0]!r} or {examples[1]!r}."
        )

    def check(self, value: object) -> str:
        """Give `value` back as a plain string if it can be an id.

        Raises:
            IdentityTypeError: It is not a string.
            IdentityValueError: It is empty, longer than 255 characters, or has a control character or a lone surrogate.
        """
        if type(value) is str and 0 < len(value) <= MAX_TENANT_LENGTH and value.isprintable():
            # What is usual, in one look.
            return value
        if not isinstance(value, str):
            raise self._type_error(
                f"A {self.name} id must be a string, not {type(value).__name__}: {reprlib.repr(value)}. {self._allowed}"
            )
        if not value:
            raise self._value_error(
                f"A {self.name} id must not be empty. {self._allowed} To clear the {self.name}, use set_{self.name}(None)."
            )
        if len(value) > MAX_TENANT_LENGTH:
            raise self._value_error(
                f"This {self.name} id has {len(value)} characters: {value[:40]!r}…. {self._allowed}"
            )
        if not value.isprintable():
            self._refuse_characters(value)
        return str.__str__(value)

    def _refuse_characters(self, value: str) -> None:
        for place, character in enumerate(value):
            name = _REFUSED.get(unicodedata.category(character))
            if name is not None:
                raise self._value_error(
                    f"A {self.name} id must not contain {name} {character!r} (at {place} in {value!r:.80}). {self._allowed}"
                )


TENANT: Final = Identity("tenant", TENANT_ID, ("acme-corp", "org_123:workspace_456"), TenantTypeError, TenantValueError)
USER: Final = Identity("user", USER_ID, ("u-1", "8f14e45f-ceea"))
SESSION: Final = Identity("session", SESSION_ID, ("s-1", "chat_2048"))


def check_tenant(tenant: object) -> str:
    """Give `tenant` back as a plain string if it can be a tenant id.

    Raises:
        TenantTypeError: It is not a string.
        TenantValueError: It is empty, longer than 255 characters, or has a control character or a lone surrogate.
    """
    return TENANT.check(tenant)


def is_tenant(value: object) -> bool:
    """Tell whether `value` can be a tenant id, without raising: for what comes from elsewhere."""
    try:
        check_tenant(value)
    except (TenantTypeError, TenantValueError):
        return False
    return True
