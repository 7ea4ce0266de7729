"""Values of options, as arguments and as text of the environment: read, or refused in a full sentence."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from tracium.attributes import TENANT_ID
from tracium.exceptions import SettingError, TenantTypeError, TenantValueError
from tracium.tenancy.identity import check_tenant

_FIRST_PRINTABLE: Final = 0x21
_LAST_PRINTABLE: Final = 0x7E
_ATTRIBUTE: Final = re.compile(r"[A-Za-z][\w.\-/]{0,254}", re.ASCII)


def text(value: object, name: str) -> str | None:
    """A string that is not empty."""
    if value is None:
        return None
    if not isinstance(value, str) or not value.strip():
        raise SettingError(f"{name} is {value!r}, but it must be a string that is not empty.")
    return value


def key(value: object, name: str) -> str | None:
    """What can stand in an HTTP header."""
    read = text(value, name)
    if read is not None and any(not _FIRST_PRINTABLE <= ord(letter) <= _LAST_PRINTABLE for letter in read):
        # The key itself is not repeated: messages end up in logs.
        raise SettingError(
            f"{name} has a space, line break or other character that cannot stand in an HTTP header. Pass the key as "
            "it was issued: printable ASCII without spaces."
        )
    return read


def tenant(value: object, name: str) -> str | None:
    """What can be a tenant."""
    if value is None:
        return None
    try:
        return check_tenant(value)
    except (TenantTypeError, TenantValueError) as error:
        raise SettingError(f"{name} is {value!r:.80}, which cannot be a tenant. {error}") from error


def seconds(value: object, name: str, default: float) -> float:
    """A number of seconds from 0 on."""
    if value is None:
        return default
    read = _number(value)
    if not 0 <= read < math.inf:
        raise SettingError(f"{name} is {value!r}, but it must be a number of seconds from 0 on, such as 5.")
    return read


def count(value: object, name: str, default: int) -> int:
    """A whole number from 1 on."""
    if value is None:
        return default
    read = _number(value)
    if not 1 <= read < math.inf or read != int(read):
        raise SettingError(f"{name} is {value!r}, but it must be a whole number from 1 on, such as {default}.")
    return int(read)


def truth(value: object, name: str) -> bool:
    """A switch that is off unless it is on."""
    if value is None or isinstance(value, bool):
        return bool(value)
    word = value.strip().lower() if isinstance(value, str) else ""
    if word not in {"true", "false"}:
        raise SettingError(f"{name} is {value!r}, but it must be true or false.")
    return word == "true"


def words(value: object, name: str, default: tuple[str, ...] = ()) -> tuple[str, ...]:
    """Words: a sequence of strings, or one string with commas between them."""
    if value is None:
        return default
    parts = value.split(",") if isinstance(value, str) else value
    if not isinstance(parts, Sequence | set | frozenset) or not all(isinstance(part, str) for part in parts):
        raise SettingError(
            f"{name} is {value!r:.80}, but it must be a sequence of strings, or one string with commas between them."
        )
    return tuple(dict.fromkeys(part.strip() for part in parts if part.strip()))


def attribute_names(value: object, name: str, default: tuple[str, ...]) -> tuple[str, ...]:
    """Names of attributes besides `tenant.id`, which need not be named."""
    names = tuple(one for one in words(value, name, default) if one != TENANT_ID)
    for one in names:
        if not _ATTRIBUTE.fullmatch(one):
            raise SettingError(
                f"{name} names the attribute {one!r:.80}, but a name begins with a letter and has letters, digits, dots, "
                "underscores, dashes and slashes after it, such as customer.id."
            )
    return names


def pairs(value: object, name: str) -> Mapping[str, Any]:
    """Names and values: a mapping, or a string such as `team=search,tier=gold`."""
    if value is None:
        return {}
    if isinstance(value, str):
        split = [part.partition("=") for part in value.split(",") if part.strip()]
        if all(sign and one.strip() for one, sign, _ in split):
            return {one.strip(): rest.strip() for one, _, rest in split}
    elif isinstance(value, Mapping) and all(isinstance(one, str) and one for one in value):
        return dict(value)
    raise SettingError(
        f"{name} is {value!r:.80}, but it must be a mapping whose keys are strings, or a string such as team=search,tier=gold."
    )


def shares(value: object, name: str) -> tuple[tuple[str, float], ...]:
    """Patterns and the share of traces that is kept for each: a mapping, or a string such as `free-*=0.1,*=1`."""
    if value is None:
        return ()
    if isinstance(value, int | float) and not isinstance(value, bool):
        value = {"*": value}
    read = tuple((pattern, _number(share)) for pattern, share in pairs(value, name).items())
    for pattern, share in read:
        if not 0 <= share <= 1:
            raise SettingError(
                f"{name} gives {pattern!r} a share of traces that is no number from 0 to 1. Write it such as "
                f"{{{pattern!r}: 0.1}}, or in the environment {pattern}=0.1."
            )
    return read


def content(value: object, name: str) -> bool | Mapping[str, bool] | Callable[[str | None], bool] | None:
    """Whose prompts and answers are captured: everybody's, some tenants', or what a function says; None if nobody said."""
    if value is None or isinstance(value, bool) or callable(value):
        return value
    if isinstance(value, str):
        if value.strip().lower() in {"true", "false"}:
            return value.strip().lower() == "true"
        return dict.fromkeys(words(value, name), True)
    if isinstance(value, Mapping) and all(isinstance(one, str) and isinstance(on, bool) for one, on in value.items()):
        return dict(value)
    raise SettingError(
        f"{name} is {value!r:.80}, but it must be True, False, a mapping of tenants to True or False, or a function that "
        "takes the tenant and tells; in the environment true, false, or tenants with commas between them."
    )


def redaction(value: object, name: str) -> bool | Callable[[str], str]:
    """How captured text is redacted: by the built-in patterns (True), not at all, or by a function."""
    if value is None:
        return True
    if callable(value):
        return value
    return truth(value, name)


def _number(value: object) -> float:
    try:
        return float(value) if isinstance(value, str | int | float) and not isinstance(value, bool) else math.nan
    except ValueError:
        return math.nan
