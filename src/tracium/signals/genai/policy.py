"""Whose prompts and answers may be captured."""

from __future__ import annotations

import fnmatch
import logging
import re
from collections.abc import Mapping
from dataclasses import dataclass
from inspect import iscoroutinefunction
from typing import TYPE_CHECKING, Any, Final

from tracium import notices

if TYPE_CHECKING:
    from collections.abc import Callable

_EVERYBODY: Final = "*"
_EXPECTED: Final = (
    "Pass True, False, a mapping of tenants to True or False (patterns such as 'acme-*' and '*' count), or a function that "
    "takes the tenant, or None, and returns True or False."
)


@dataclass(frozen=True, slots=True)
class ContentPolicy:
    """Tells for each tenant whether its prompts and answers may be recorded; made by `ContentPolicy.of`.

    Attributes:
        given: Whether somebody said it; else nobody's may, unless an instrumentation's own variable asks for content.
        any: Whether there may be a tenant whose content is recorded.
    """

    given: bool
    any: bool
    _default: bool = False
    _tenants: Mapping[str, bool] | None = None
    _patterns: tuple[tuple[re.Pattern[str], bool], ...] = ()
    _asked: Callable[[str | None], bool] | None = None

    @classmethod
    def of(cls, value: bool | Mapping[str, bool] | Callable[[str | None], bool] | None) -> ContentPolicy:  # noqa: FBT001 - the option
        """The policy that the option `capture_content` describes.

        Args:
            value: True or False for all; a mapping of tenants to True or False, in which the name itself counts first,
                then the first pattern of `fnmatch` that fits, and all others are off; a function that takes the tenant
                (None for spans without one) and tells; None if nobody said, which is off.

        Raises:
            TypeError: It is none of these, or a coroutine function.
            ValueError: A name in the mapping is empty.
        """
        if value is None or isinstance(value, bool):
            return cls(given=value is not None, any=bool(value), _default=bool(value))
        if isinstance(value, Mapping):
            return cls._of_mapping(value)
        if not callable(value):
            raise TypeError(f"capture_content is {value!r:.80}. {_EXPECTED}")
        if iscoroutinefunction(value) or iscoroutinefunction(getattr(value, "__call__", None)):  # noqa: B004 - its method is looked at
            raise TypeError(
                f"capture_content is the coroutine function {value!r:.80}, but it is asked where a span ends and nothing can "
                "be awaited. Pass a plain function."
            )
        return cls(given=True, any=True, _asked=value)

    @classmethod
    def _of_mapping(cls, value: Mapping[Any, Any]) -> ContentPolicy:
        for tenant, on in value.items():
            if not isinstance(tenant, str) or not isinstance(on, bool):
                raise TypeError(f"capture_content has the entry {tenant!r:.80}: {on!r:.80}. {_EXPECTED}")
            if not tenant:
                raise ValueError(
                    "capture_content has an entry whose tenant is the empty string, which no tenant has. Name one."
                )
        tenants: dict[str, bool] = dict(value)
        patterns = tuple((re.compile(fnmatch.translate(tenant)), on) for tenant, on in tenants.items())
        return cls(
            given=True,
            any=any(tenants.values()),
            _default=tenants.get(_EVERYBODY, False),
            _tenants=tenants,
            _patterns=patterns,
        )

    def allows(self, tenant: str | None) -> bool:
        """Whether the content of `tenant` may be recorded; None for what belongs to no tenant.

        A function of the user's that fails, or returns neither True nor False, counts as False; this is said once.
        """
        if self._asked is not None:
            return _ask(self._asked, tenant)
        if self._tenants is None or tenant is None:
            return self._default
        on = self._tenants.get(tenant)
        if on is not None:
            return on
        return next((on for pattern, on in self._patterns if pattern.match(tenant)), False)


def _ask(asked: Callable[[str | None], Any], tenant: str | None) -> bool:
    try:
        answer = asked(tenant)
    except Exception as error:  # noqa: BLE001 - the user's function; content is left out rather than let out
        trouble = f"raised {type(error).__name__}: {error}"
    else:
        if isinstance(answer, bool):
            return answer
        trouble = f"returned {answer!r:.80}, which is neither True nor False"
    notices.say(
        "content:policy",
        logging.WARNING,
        f"The function given as capture_content {trouble} (for the tenant {tenant!r}). Prompts and answers are left out "
        "wherever it does; let it return True or False for every tenant, and for None.",
    )
    return False
