"""The tenant that a header names."""

from __future__ import annotations

import logging
import re
from typing import TYPE_CHECKING, Final

from tracium import notices
from tracium.exceptions import SettingError
from tracium.frameworks.incoming import SPACE
from tracium.frameworks.resolvers.claim import ClaimResolver, Known

if TYPE_CHECKING:
    from tracium.frameworks.incoming import IncomingRequest
    from tracium.frameworks.resolvers.resolver import Resolver

# RFC 9110, section 5.6.2, without the underscore: WSGI servers cannot tell it from a dash.
_NAME: Final = re.compile(r"[!#$%&'*+.^`|~0-9A-Za-z-]+")


class _Header(ClaimResolver):
    def __init__(self, name: str, known: Known | None, *, trusted_proxy: bool) -> None:
        super().__init__(f"the header {name}", known, trusted_proxy=trusted_proxy)
        self._name = name
        self.challenge = f'Tenant header="{name}"'

    def claimed(self, request: IncomingRequest) -> str | None:
        values = request.headers(self._name)
        if len(values) > 1:
            notices.say(
                f"resolver:twice:{self._name}",
                logging.INFO,
                f"A client sent {self._said} more than once; which one counts would be a guess, so none does.",
            )
            return None
        return values[0].strip(SPACE) if values else None


def from_header(name: str, *, known: Known | None = None, trusted_proxy: bool = False) -> Resolver:
    """The tenant that a header names, such as `X-Tenant-ID`.

    A header that is sent more than once names nobody. In WSGI, and so in Flask and Django, one with a comma does not either:
    servers join what was sent twice with one.

    Args:
        name: The header; the case does not matter.
        known: The tenants that there are: a set, or a callable, sync or async, that tells whether it is given one.
        trusted_proxy: A proxy in front of the app sets the header and takes away what clients send. Without this and
            without `known` any client can name any tenant; that is warned of once.

    Raises:
        SettingError: `name` cannot be a header's name, or `known` is neither a container nor callable.
    """
    return _Header(check_header(name), known, trusted_proxy=trusted_proxy)


def check_header(name: str) -> str:
    """Give `name` back if it can be the name of a header.

    Raises:
        SettingError: It cannot.
    """
    if not isinstance(name, str) or _NAME.fullmatch(name) is None:
        raise SettingError(
            f"The header's name is {name!r}, but it must be letters, digits and dashes, such as 'X-Tenant-ID' (with an "
            "underscore, WSGI servers would mix it up with another header)."
        )
    return name
