"""The tenant that stands in front of a domain."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tracium.exceptions import SettingError
from tracium.frameworks.resolvers.claim import ClaimResolver, Known

if TYPE_CHECKING:
    from collections.abc import Collection

    from tracium.frameworks.incoming import IncomingRequest
    from tracium.frameworks.resolvers.resolver import Resolver


class _Subdomain(ClaimResolver):
    def __init__(self, domain: str, ignore: frozenset[str], known: Known | None, *, trusted_proxy: bool) -> None:
        super().__init__(f"the subdomain of {domain}", known, trusted_proxy=trusted_proxy)
        self._suffix = f".{domain}"
        self._ignore = ignore

    def claimed(self, request: IncomingRequest) -> str | None:
        host = request.host
        if host is None or not host.endswith(self._suffix):
            return None
        label = host.removesuffix(self._suffix)
        return None if "." in label or label in self._ignore else label


def from_subdomain(
    domain: str, *, ignore: Collection[str] = ("www",), known: Known | None = None, trusted_proxy: bool = False
) -> Resolver:
    """The tenant that stands in front of a domain: `acme` of `acme.example.com`, in lower case as host names are.

    It is one label: `a.b.example.com` names nobody. The host is what the client sent; behind a proxy, let the framework
    put the right one into place first.

    Args:
        domain: The domain below which tenants have their names, such as `example.com`.
        ignore: Labels that are no tenants.
        known: As for `from_header`.
        trusted_proxy: As for `from_header`.

    Raises:
        SettingError: `domain` cannot be a domain, `ignore` is a string, or `known` is neither a container nor callable.
    """
    plain = domain.strip(".").lower() if isinstance(domain, str) else ""
    if not plain or any(letter in plain for letter in "/:@* "):
        raise SettingError(
            f"The domain is {domain!r}, but it must be a name without scheme and port, such as 'example.com'."
        )
    if isinstance(ignore, str):
        raise SettingError(f"ignore is {ignore!r}, but it must be a collection of labels, such as ['www'].")
    labels = frozenset(label.lower() for label in ignore)
    return _Subdomain(plain, labels, known, trusted_proxy=trusted_proxy)
