"""Which hosts are inside: where the tenant may go with a request."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from typing import Final, Self

from tracium.exceptions import SettingError

_Network = ipaddress.IPv4Network | ipaddress.IPv6Network
_Address = ipaddress.IPv4Address | ipaddress.IPv6Address

# Loopback and private networks: RFC 1122, RFC 1918, RFC 4193. Not link-local ones, where clouds have their metadata.
_NETWORKS: Final = tuple(
    ipaddress.ip_network(network)
    for network in ("127.0.0.0/8", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "::1/128", "fc00::/7")
)
# Names that public DNS does not have: RFC 6762 (local), ICANN's internal, and those of Kubernetes.
_SUFFIXES: Final = (".internal", ".local", ".svc", ".cluster.local", ".localhost")
# Hosts of model vendors: never inside, whatever the operator lists.
_VENDORS: Final = (
    ".ai.azure.com",
    ".amazonaws.com",
    ".anthropic.com",
    ".cognitiveservices.azure.com",
    ".cohere.ai",
    ".cohere.com",
    ".deepseek.com",
    ".fireworks.ai",
    ".googleapis.com",
    ".groq.com",
    ".mistral.ai",
    ".openai.azure.com",
    ".openai.com",
    ".openrouter.ai",
    ".perplexity.ai",
    ".together.ai",
    ".together.xyz",
    ".x.ai",
)
# Names that end as if they were inside, and lead to the clouds' own metadata.
_METADATA: Final = (".google.internal", ".instance-data", ".instance-data.ec2.internal", ".metadata")
_METADATA_ADDRESSES: Final = frozenset(
    {int(ipaddress.ip_address("fd00:ec2::254")), int(ipaddress.ip_address("fd20:ce::254"))}
)
_ELSEWHERE: Final = _VENDORS + _METADATA
_LABEL: Final = r"(?!-)[a-z0-9_-]{1,63}(?<!-)"
_NAME: Final = re.compile(rf"{_LABEL}(?:\.{_LABEL})*")
# What some resolvers take for an address: 2130706433, 0x7f000001, 0177.1.
_NUMERIC: Final = re.compile(r"(?:0x[0-9a-f]*|[0-9]+)(?:\.(?:0x[0-9a-f]*|[0-9]+))*")


@dataclass(frozen=True, slots=True)
class InsideHosts:
    """Hosts inside, besides those that always are.

    Attributes:
        names: Exact names.
        suffixes: Endings of names, each with its dot.
        networks: Networks of addresses.
    """

    names: frozenset[str] = frozenset()
    suffixes: tuple[str, ...] = ()
    networks: tuple[_Network, ...] = ()

    @classmethod
    def parse(cls, listed: str, name: str) -> Self:
        """Read a list: `orders.example.com, .example.net, 203.0.113.0/24`.

        Args:
            listed: Entries with commas between them.
            name: Of the setting, for its refusal.

        Raises:
            SettingError: An entry is none of the three.
        """
        names, suffixes, networks = set(), [], []
        for entry in filter(None, (part.strip().lower() for part in listed.split(","))):
            suffix = entry.removeprefix("*")
            network = parse_network(entry)
            if network is not None:
                networks.append(network)
            elif suffix.startswith(".") and _is_name(suffix[1:]):
                suffixes.append(suffix)
            elif _is_name(entry):
                names.add(entry)
            else:
                raise SettingError(
                    f"{name} has the entry {entry!r}, but each must be a host (orders.example.com), an ending of hosts "
                    "(.example.com) or a network (203.0.113.0/24), without a scheme, a port or a path."
                )
        return cls(frozenset(names), tuple(suffixes), tuple(networks))

    def has(self, host: str | None) -> bool:
        """Whether a request to `host` stays inside. What cannot be told is outside.

        Args:
            host: A name or an address, as a client library has it, without a port.
        """
        if not host:
            return False
        host = host.lower()
        if host.startswith("[") and host.endswith("]") and ":" in host:
            host = host[1:-1]
        address = parse_address(host)
        if address is not None and int(address) in _METADATA_ADDRESSES:
            return False
        if address is not None:
            return any(
                address in network for network in (*_NETWORKS, *self.networks) if network.version == address.version
            )
        absolute = host.endswith(".")
        host = host.removesuffix(".")
        if not _is_name(host) or f".{host}".endswith(_ELSEWHERE):
            return False
        # With a dot at its end, a name of one label is a top-level domain.
        alone = "." not in host and (not absolute or host == "localhost")
        return alone or host.endswith((*_SUFFIXES, *self.suffixes)) or host in self.names


def parse_network(entry: str) -> _Network | None:
    """A network or a single address, or None."""
    try:
        return ipaddress.ip_network(entry, strict=False)
    except ValueError:
        return None


def parse_address(host: str) -> _Address | None:
    """An address, or None for a name."""
    if ":" not in host and not host[-1:].isdecimal():
        # No address ends with a letter, but for those with colons.
        return None
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped or address


def _is_name(host: str) -> bool:
    return _NAME.fullmatch(host) is not None and _NUMERIC.fullmatch(host) is None
