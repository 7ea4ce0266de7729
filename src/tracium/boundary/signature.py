"""Proof that a tenant comes from a service that knows the installation's key.

It is a message authentication code over a version, the trace id and the tenant. It has no time in it, on purpose: a message
may lie in a queue for days, and clocks differ. What somebody who saw it can do with it is to name the same tenant again
within the same trace.
"""

from __future__ import annotations

import enum
import hashlib
import hmac
import re
from binascii import b2a_base64
from dataclasses import dataclass, field
from typing import Final, Self

from opentelemetry.trace import INVALID_TRACE_ID

_VERSION: Final = b"1"
_VERSION_BYTE: Final = b"\x01"
# Half of SHA-256, as RFC 2104 allows at least: https://www.rfc-editor.org/rfc/rfc2104#section-5
_MAC_BYTES: Final = 16
_TRACE_ID_BYTES: Final = 16
_INFO: Final = b"tracium tenant propagation v1"
_URL_SAFE: Final = bytes.maketrans(b"+/", b"-_")
_TRACE: Final = re.compile(r"1-([0-9a-f]{32})-")


class Verdict(enum.Enum):
    """What became of a signature; each but VALID is a reason to drop the tenant."""

    VALID = "valid"
    UNSIGNED = "unsigned"
    FORGED = "forged"
    NO_TRACE = "no_trace"
    TRACE_MISMATCH = "trace_mismatch"


@dataclass(frozen=True, slots=True)
class Keyring:
    """The keys of one installation: the first one signs, all of them verify.

    Attributes:
        keys: Secrets, as bytes; none for an installation that signs nothing.
    """

    keys: tuple[bytes, ...] = field(default=(), repr=False)

    @classmethod
    def derived_from(cls, api_key: str) -> Self:
        """A key that all services with the same API key have, and that does not tell the API key.

        HKDF with SHA-256, one block of it: https://www.rfc-editor.org/rfc/rfc5869
        """
        extracted = hmac.digest(bytes(hashlib.sha256().digest_size), api_key.encode(), "sha256")
        return cls((hmac.digest(extracted, _INFO + b"\x01", "sha256"),))

    def sign(self, tenant: str, trace_id: int) -> str | None:
        """The signature of `tenant` in a trace; None without a key or a trace."""
        if not self.keys or trace_id == INVALID_TRACE_ID:
            return None
        return _signature(self.keys[0], trace_id.to_bytes(_TRACE_ID_BYTES, "big"), tenant).decode()

    def verify(self, signature: str | None, tenant: str, trace_id: int) -> Verdict:
        """What `signature` says about `tenant` in the trace that a request finally has."""
        if not signature:
            return Verdict.UNSIGNED
        if trace_id == INVALID_TRACE_ID:
            return Verdict.NO_TRACE
        given = signature.encode("ascii", "replace")
        if self._made(given, trace_id.to_bytes(_TRACE_ID_BYTES, "big"), tenant):
            return Verdict.VALID
        # It says itself which trace it was made for; that tells a gateway in between from somebody who made it up.
        other = _TRACE.match(signature)
        known = other is not None and self._made(given, bytes.fromhex(other[1]), tenant)
        return Verdict.TRACE_MISMATCH if known else Verdict.FORGED

    def _made(self, given: bytes, trace: bytes, tenant: str) -> bool:
        # Every key is tried, so that the time does not tell which one it was.
        held = [hmac.compare_digest(_signature(key, trace, tenant), given) for key in self.keys]
        return any(held)


def _signature(key: bytes, trace: bytes, tenant: str) -> bytes:
    mac = hmac.digest(key, _VERSION_BYTE + trace + tenant.encode(), "sha256")[:_MAC_BYTES]
    # In letters that no service in between writes otherwise: https://www.rfc-editor.org/rfc/rfc4648#section-5
    encoded = b2a_base64(mac, newline=False).rstrip(b"=").translate(_URL_SAFE)
    return b"%b-%b-%b" % (_VERSION, trace.hex().encode(), encoded)
