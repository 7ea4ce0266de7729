"""The proof of a tenant: what it is made of, and that nothing else passes for it."""

from __future__ import annotations

import base64
import hashlib
import hmac

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from hypothesis import example, given
from hypothesis import strategies as st

from tracium.boundary.signature import Keyring, Verdict

KEY = b"a key of at least sixteen bytes"
RING = Keyring((KEY,))
TRACE = 0x0AF7651916CD43DD8448EB211C80319C
SIGNED = RING.sign("acme", TRACE)
tenants = st.text(st.characters(exclude_categories=("Cc", "Cs")), min_size=1, max_size=255)
traces = st.integers(1, 2**128 - 1)


@given(st.text(st.characters(exclude_categories=("Cs",)), max_size=100))
@example("sk_live_7Qm2vX9rTz4LbN8w")
def test_the_derived_key_is_that_of_hkdf(api_key):
    """As another library has it: RFC 5869 with SHA-256, no salt, 32 bytes."""
    derived = HKDF(hashes.SHA256(), 32, salt=None, info=b"tracium tenant propagation v1").derive(api_key.encode())
    assert Keyring.derived_from(api_key) == Keyring((derived,))


def test_the_signature_is_what_the_documentation_says():
    """Another implementation can verify it: a MAC over version, trace id and tenant, half of it, in URL-safe base64."""
    mac = hmac.new(KEY, b"\x01" + TRACE.to_bytes(16, "big") + "café".encode(), hashlib.sha256).digest()[:16]
    assert RING.sign("café", TRACE) == f"1-{TRACE:032x}-{base64.urlsafe_b64encode(mac).decode().rstrip('=')}"


@given(tenants, traces)
def test_what_was_signed_is_valid(tenant, trace):
    """For every tenant and trace, and in letters that nothing in between writes otherwise."""
    signature = RING.sign(tenant, trace)
    assert RING.verify(signature, tenant, trace) is Verdict.VALID
    assert set(signature) <= set("0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-_")
    assert len(signature) == 57


@given(tenants, traces, tenants, traces)
@example("acme", TRACE, "globex", TRACE)
@example("acme", TRACE, "acme", 1)
def test_a_signature_is_for_one_tenant_in_one_trace(tenant, trace, other, elsewhere):
    """Every field of it matters."""
    signature = RING.sign(tenant, trace)
    if other != tenant:
        assert RING.verify(signature, other, trace) is Verdict.FORGED
    if elsewhere != trace:
        assert RING.verify(signature, tenant, elsewhere) is Verdict.TRACE_MISMATCH


@pytest.mark.parametrize("place", range(57))
def test_every_letter_of_it_counts(place):
    """Also the bits of the last one that base64 does not need, so that there is one way only to write it."""
    others = set("0123456789abcdefABCDEF-_. \t=+/é\udcff" + chr(ord(SIGNED[place]) ^ 1)) - {SIGNED[place]}
    for other in others:
        changed = SIGNED[:place] + other + SIGNED[place + 1 :]
        assert RING.verify(changed, "acme", TRACE) is Verdict.FORGED, changed


@pytest.mark.parametrize(
    "signature",
    [
        "1",
        "1--",
        "x",
        SIGNED[:-1],
        SIGNED + "=",
        SIGNED + "A",
        " " + SIGNED,
        SIGNED.upper(),
        SIGNED.replace("1-", "2-", 1),
        SIGNED.replace("1-", "", 1),
        "1-" + "0" * 32 + SIGNED[34:],
        "1-" + " " * 32 + SIGNED[34:],
        SIGNED.replace("-", "%2D"),
        "1-" + "é" * 32 + "-" + "é" * 22,
        "😀" * 57,
    ],
)
def test_what_is_no_signature_is_forged(signature):
    """And raises nothing."""
    assert RING.verify(signature, "acme", TRACE) is Verdict.FORGED


@given(st.text(max_size=80), tenants, st.integers(0, 2**128 - 1))
def test_nobody_guesses_one(signature, tenant, trace):
    """Whatever is sent."""
    assert RING.verify(signature, tenant, trace) is not Verdict.VALID


def test_a_signature_needs_a_key_and_a_trace():
    """On both sides."""
    assert RING.sign("acme", 0) is None
    assert Keyring().sign("acme", TRACE) is None
    assert RING.verify(SIGNED, "acme", 0) is Verdict.NO_TRACE
    assert Keyring().verify(SIGNED, "acme", TRACE) is Verdict.FORGED
    for nothing in (None, ""):
        assert RING.verify(nothing, "acme", TRACE) is Verdict.UNSIGNED
        assert RING.verify(nothing, "acme", 0) is Verdict.UNSIGNED


def test_keys_are_changed_one_service_at_a_time():
    """The first key signs, all of them verify; then the old one is taken away."""
    old, both, new = Keyring((b"old",)), Keyring((b"new", b"old")), Keyring((b"new",))
    assert both.sign("acme", TRACE) == new.sign("acme", TRACE) != old.sign("acme", TRACE)
    for signer in (old, both, new):
        assert both.verify(signer.sign("acme", TRACE), "acme", TRACE) is Verdict.VALID
    assert both.verify(old.sign("acme", 1), "acme", TRACE) is Verdict.TRACE_MISMATCH
    assert new.verify(old.sign("acme", TRACE), "acme", TRACE) is Verdict.FORGED


def test_a_key_is_not_shown():
    """Not where a keyring is printed, in a traceback for one."""
    assert "key of" not in repr(RING)
