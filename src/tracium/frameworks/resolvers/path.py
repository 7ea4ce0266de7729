"""The tenant that stands in the path."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from tracium.exceptions import SettingError
from tracium.frameworks.resolvers.claim import ClaimResolver, Known

if TYPE_CHECKING:
    from tracium.frameworks.incoming import IncomingRequest
    from tracium.frameworks.resolvers.resolver import Resolver

_PLACE: Final = "{tenant}"


class _Path(ClaimResolver):
    def __init__(self, template: str, known: Known | None, *, trusted_proxy: bool) -> None:
        super().__init__(f"the path {template}", known, trusted_proxy=trusted_proxy)
        before, _, after = template.rstrip("/").partition(_PLACE)
        self._pattern = re.compile(rf"{re.escape(before)}([^/]+){re.escape(after)}(?:/.*)?", re.DOTALL)

    def claimed(self, request: IncomingRequest) -> str | None:
        found = self._pattern.fullmatch(request.path)
        return None if found is None else found[1]


def from_path(template: str, *, known: Known | None = None, trusted_proxy: bool = False) -> Resolver:
    """The tenant that stands in the path: `acme` of `/t/acme/chat` for the template `/t/{tenant}`.

    Args:
        template: The beginning of the path, with `{tenant}` for one whole segment of it.
        known: As for `from_header`.
        trusted_proxy: As for `from_header`.

    Raises:
        SettingError: The template has no such segment, or `known` is neither a container nor callable.
    """
    if (
        not isinstance(template, str)
        or not template.startswith("/")
        or template.count(_PLACE) != 1
        or any(brace in template.replace(_PLACE, "") for brace in "{}")
        or _PLACE not in template.split("/")
    ):
        raise SettingError(
            f"The path is {template!r}, but it must begin with / and have {_PLACE} as one whole segment and no other place, such as '/t/{_PLACE}'."
        )
    return _Path(template, known, trusted_proxy=trusted_proxy)
