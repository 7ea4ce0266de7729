"""Whom this installation believes: its keys, the sources it trusts, and the hosts that are inside."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Final, Self

from tracium.boundary.hosts import InsideHosts, parse_address, parse_network
from tracium.boundary.signature import Keyring
from tracium.exceptions import SettingError

if TYPE_CHECKING:
    from ipaddress import IPv4Network, IPv6Network

_MIN_KEY_LENGTH: Final = 16
# An API key with fewer characters, or fewer different ones, is no secret …
_MIN_API_KEY_LENGTH: Final = 20
_MIN_DIFFERENT: Final = 8
# … nor is one that somebody copied from a page.
_PLACEHOLDERS: Final = ("...", "…", "xxxx", "your", "example", "changeme", "placeholder", "00000", "12345", "<", ">")


@dataclass(frozen=True, slots=True)
class Trust:
    """What the operator configured.

    Attributes:
        keyring: The keys that the services of this installation share.
        sources: Networks whose requests are believed without a signature.
        hosts: Hosts to which the tenant goes with a request.
        proven_brokers: Whether messages need a signature too.
    """

    keyring: Keyring = field(default_factory=Keyring)
    sources: tuple[IPv4Network | IPv6Network, ...] = ()
    hosts: InsideHosts = field(default_factory=InsideHosts)
    proven_brokers: bool = False

    @classmethod
    def of(
        cls,
        *,
        propagation_key: str | None,
        api_key: str | None,
        trusted_sources: str | None,
        inside_hosts: str | None,
        proven_brokers: bool,
    ) -> Self:
        """Read the settings of these names.

        Raises:
            SettingError: One of them has an entry that is not allowed.
        """
        return cls(
            _keyring(propagation_key, api_key),
            _sources(trusted_sources or ""),
            InsideHosts.parse(inside_hosts or "", "TRACIUM_INSIDE_HOSTS"),
            proven_brokers,
        )

    def believes(self, peer: str | None) -> bool:
        """Whether a request that comes from the address `peer` is believed as it is."""
        address = None if not peer or not self.sources else parse_address(peer)
        if address is None:
            return False
        return any(address in source for source in self.sources if source.version == address.version)


def proves(api_key: str) -> bool:
    """Whether an API key is secret enough to derive a key from: not a short one, nor a placeholder."""
    known = api_key.lower()
    return (
        len(api_key) >= _MIN_API_KEY_LENGTH
        and len(set(api_key)) >= _MIN_DIFFERENT
        and not any(part in known for part in _PLACEHOLDERS)
    )


def _keyring(propagation_key: str | None, api_key: str | None) -> Keyring:
    if propagation_key is None:
        return Keyring.derived_from(api_key) if api_key is not None and proves(api_key) else Keyring()
    keys = [key.strip() for key in propagation_key.split(",") if key.strip()]
    if not keys or any(len(key) < _MIN_KEY_LENGTH for key in keys):
        raise SettingError(
            f"TRACIUM_PROPAGATION_KEY must be one or more secrets of at least {_MIN_KEY_LENGTH} characters each, with commas "
            "between them; it is not repeated here. Make one: python -c 'import secrets; print(secrets.token_urlsafe(32))'"
        )
    return Keyring(tuple(key.encode() for key in keys))


def _sources(listed: str) -> tuple[IPv4Network | IPv6Network, ...]:
    sources = []
    for entry in filter(None, (part.strip() for part in listed.split(","))):
        network = parse_network(entry)
        if network is None:
            raise SettingError(
                f"TRACIUM_TRUSTED_SOURCES has the entry {entry!r}, but each must be a network or an address, such as 10.0.0.0/8 "
                "or 10.1.2.3: the peer's address is what a request is known by."
            )
        sources.append(network)
    return tuple(sources)


class _Installed:
    """The trust of this process, and whether a host is inside by it, for the hosts that were asked for last."""

    def __init__(self, installed: Trust) -> None:
        self.trust = installed
        self.is_inside = lru_cache(maxsize=1024)(installed.hosts.has)


_installed = _Installed(Trust())


def trust() -> Trust:
    """What holds in this process."""
    return _installed.trust


def is_inside(host: str | None) -> bool:
    """Whether `host`, a name or an address without a port, is inside; None is not."""
    return _installed.is_inside(host)


def install_trust(configured: Trust) -> None:
    """Let `configured` hold in this process."""
    global _installed  # noqa: PLW0603 - one for the process
    _installed = _Installed(configured)
