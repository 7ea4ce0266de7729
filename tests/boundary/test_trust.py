"""Whom an installation believes, as it is configured."""

from __future__ import annotations

import pytest

from tracium.boundary.signature import Keyring
from tracium.boundary.trust import Trust, proves
from tracium.exceptions import SettingError

REAL = "sk_live_7Qm2vX9rTz4LbN8w"
NOTHING = {
    "propagation_key": None,
    "api_key": None,
    "trusted_sources": None,
    "inside_hosts": None,
    "proven_brokers": False,
}


def trust_of(**given):
    return Trust.of(**(NOTHING | given))


@pytest.mark.parametrize(
    "api_key",
    [
        "sk_live_...",
        "sk_live_…",
        "your-api-key",
        "YOUR_TRACIUM_API_KEY_HERE",
        "<put your api key here>",
        "sk_live_xxxxxxxxxxxxxxxxxxxx",
        "sk_live_XXXXXXXXXXXXXXXXXXXX",
        "sk_live_00000000000000000000",
        "sk_live_12345678901234567890",
        "changeme-changeme-changeme",
        "an-example-of-a-long-key",
        "placeholder-for-the-api-key",
        "sk_1",
        "test",
        "demo",
        "",
        "7Qm2vX9rTz4LbN8wKpR",
        "aaaaaaaabbbbbbbbccccccccdddddddd",
    ],
)
def test_a_short_or_copied_api_key_derives_nothing(api_key):
    """Anyone could derive the same from it."""
    assert not proves(api_key)
    assert trust_of(api_key=api_key).keyring == Keyring()


@pytest.mark.parametrize("api_key", [REAL, "5f3c9a1e-7b42-4d86-9e0f-c81d2a6b37f5", "trc_9fK2mQ7vX4bN8wLz6RtY"])
def test_a_real_api_key_derives_one(api_key):
    """The same in each service that has it, and another than the API key itself."""
    ring = trust_of(api_key=api_key).keyring
    assert ring == trust_of(api_key=api_key).keyring != trust_of(api_key=api_key + "x").keyring
    assert api_key.encode() not in ring.keys
    assert len(ring.keys) == 1


def test_a_key_of_its_own_takes_the_place_of_the_derived_one():
    """More than one is a change of keys under way: the first signs."""
    ring = trust_of(api_key=REAL, propagation_key=" new-key-of-sixteen-or-more, old-key-of-sixteen-or-more ,").keyring
    assert ring == Keyring((b"new-key-of-sixteen-or-more", b"old-key-of-sixteen-or-more"))


@pytest.mark.parametrize("key", ["s3cr3t", "s3cr3t-that-is-long-enough,s3cr3t", ",", " , ", ""])
def test_a_bad_key_is_refused_and_not_repeated(key):
    """Errors land in logs; and an installation that believes to be protected must be."""
    with pytest.raises(SettingError, match=r"^TRACIUM_PROPAGATION_KEY must be .* not repeated") as refused:
        trust_of(propagation_key=key)
    assert "s3cr3t" not in str(refused.value)


def test_a_keyring_is_not_shown():
    """Not even as a part of what holds it."""
    assert "7Qm2" not in repr(trust_of(api_key=REAL))
    assert "sixteen" not in repr(trust_of(propagation_key="a-key-of-sixteen-or-more"))


@pytest.mark.parametrize(
    ("peer", "believed"),
    [
        ("10.1.2.3", True),
        ("::ffff:10.1.2.3", True),
        ("192.0.2.7", True),
        ("2001:db8::1", True),
        ("10.2.0.1", False),
        ("192.0.2.8", False),
        ("2001:db9::1", False),
        ("10.1.2.3, 8.8.8.8", False),
        ("10.1.2.3:80", False),
        ("unix:", False),
        ("testclient", False),
        ("localhost", False),
        ("", False),
        (None, False),
    ],
)
def test_a_source_is_known_by_the_address_of_the_peer(peer, believed):
    """A name is none, and what cannot be read as an address is not believed."""
    trust = trust_of(trusted_sources=" 10.1.0.0/16,192.0.2.7, 2001:db8::/32 ,")
    assert trust.believes(peer) is believed
    assert not Trust().believes(peer)


@pytest.mark.parametrize("entry", ["gateway", "*.internal", "10.0.0.0/33", "10.0.0.1:80", "http://10.0.0.1", "10.1"])
def test_a_source_that_is_no_network_is_refused_by_name(entry):
    """A name can be pointed elsewhere."""
    with pytest.raises(SettingError, match=r"^TRACIUM_TRUSTED_SOURCES has the entry ") as refused:
        trust_of(trusted_sources=f"10.0.0.1,{entry}")
    assert repr(entry) in str(refused.value)


def test_hosts_and_brokers_are_as_configured():
    """The other two settings."""
    trust = trust_of(inside_hosts="orders.example.com", proven_brokers=True)
    assert (trust.hosts.has("orders.example.com"), trust.proven_brokers) == (True, True)
    assert (Trust().hosts.has("orders.example.com"), Trust().proven_brokers) == (False, False)
    with pytest.raises(SettingError, match="TRACIUM_INSIDE_HOSTS"):
        trust_of(inside_hosts="http://orders")
