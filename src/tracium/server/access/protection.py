"""What has to stand between a server and a network: encryption, and tokens."""

from __future__ import annotations

import ipaddress
import ssl
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from tracium.exceptions import TraciumError

if TYPE_CHECKING:
    from pathlib import Path

Network: TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network
"""The addresses that a proxy connects from."""


@dataclass(frozen=True, slots=True)
class Tls:
    """A certificate, with what leads to its authority, and its key, as PEM files.

    Raises:
        TraciumError: one cannot be read, or they do not belong together.
    """

    certificate: Path
    key: Path

    def __post_init__(self) -> None:
        try:
            ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(self.certificate, self.key, password=_no_password)
        except (OSError, ValueError) as error:
            raise TraciumError(
                f"--tls-cert {self.certificate} and --tls-key {self.key} cannot be used: {error}. "
                "Name PEM files of a certificate and its own key, without a password."
            ) from error

    @property
    def pem(self) -> str:
        """The certificate itself, for clients of this machine."""
        return self.certificate.read_text(encoding="ascii")


@dataclass(frozen=True, slots=True)
class Protection:
    """How a server is protected, as its operator said."""

    tls: Tls | None = None
    # Where the proxies are that speak TLS with the clients; nobody else is answered.
    proxies: tuple[Network, ...] = ()
    # Whether a token is wanted although there is none yet.
    require_token: bool = False

    def refuse_plain(self, address: str) -> None:
        """Refuse to be reached from other machines without encryption.

        Args:
            address: the IP address that is listened on.

        Raises:
            TraciumError: others can reach it, and nobody encrypts.
        """
        if not _is_loopback(address) and self.tls is None and not self.proxies:
            raise TraciumError(
                f"{address} is reachable from outside this machine, and tokens would travel in the clear. Add "
                "--tls-cert FILE and --tls-key FILE, or --behind-proxy NETWORK if a proxy there speaks TLS, or listen "
                "on 127.0.0.1."
            )

    def refuse_open(self, address: str, *, has_tokens: bool) -> None:
        """Refuse to be reached from other machines while nobody has to show a token.

        Args:
            address: the IP address that is listened on.
            has_tokens: whether the store has ever had one.

        Raises:
            TraciumError: others can reach it, and it would answer all of them.
        """
        if self.requires_token(address) and not (has_tokens or self.require_token):
            raise TraciumError(
                f"{address} is reachable from outside this machine, and there is no token yet. "
                "Make one first, for example: tracium token create --kind admin. "
                "Or say --require-token, and make it on this machine while the server runs."
            )

    def requires_token(self, address: str) -> bool:
        """Whether every request needs a token; a proxy brings others to a loopback address, too."""
        return self.require_token or bool(self.proxies) or not _is_loopback(address)


def network(text: str) -> Network:
    """Read an address or a network, such as ``10.0.0.0/8``.

    Raises:
        ValueError: it is neither.
    """
    return ipaddress.ip_network(text.strip(), strict=False)


def _is_loopback(address: str) -> bool:
    try:
        # A link-local IPv6 address has its interface behind a %.
        return ipaddress.ip_address(address.partition("%")[0]).is_loopback
    except ValueError:
        return False


def _no_password() -> str:
    # Without this, OpenSSL would ask at the terminal.
    raise ValueError("the key has a password")
