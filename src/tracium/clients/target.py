"""Where a gRPC channel leads to, from its target.

https://github.com/grpc/grpc/blob/master/doc/naming.md
"""

from __future__ import annotations

import re
from typing import Final

from tracium.boundary.trust import trust

# What is on this machine.
_LOCAL: Final = ("unix:", "unix-abstract:")
_ADDRESSES: Final = ("ipv4:", "ipv6:")
# Names that something else than DNS resolves, to anywhere.
_FOREIGN: Final = ("xds:", "vsock:", "google-c2p:", "google-c2p-experimental:")
_PORT: Final = re.compile(r"[0-9]+|https?")


def host_of(target: str) -> str | None:
    """The host of a target, without a port; of several addresses one that is outside, if any is.

    Returns:
        None where it cannot be told.
    """
    if target.startswith(_LOCAL):
        return "localhost"
    if target.startswith(_ADDRESSES):
        hosts = [_without_port(address) for address in target[5:].lstrip("/").split(",")]
        return next((host for host in hosts if not trust().hosts.has(host)), hosts[0])
    if target.startswith(_FOREIGN):
        return None
    if target.startswith("dns:"):
        target = target[4:]
        if target.startswith("//"):
            # The part before the path is the name server that is asked.
            target = target[2:].partition("/")[2]
        target = target.removeprefix("/")
    return _without_port(target)


def _without_port(address: str) -> str | None:
    if address.startswith("["):
        host, _, rest = address[1:].partition("]")
        return host if not rest or _is_port(rest) else None
    if address.count(":") > 1:
        return address
    host, colon, port = address.partition(":")
    return host if not colon or _is_port(colon + port) else None


def _is_port(text: str) -> bool:
    return text.startswith(":") and _PORT.fullmatch(text[1:]) is not None
