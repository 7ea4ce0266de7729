"""Which hosts are inside."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracium.boundary.hosts import InsideHosts
from tracium.exceptions import SettingError

LISTED = InsideHosts.parse(
    " orders.example.com, .example.net,*.example.org ,203.0.113.0/24, 2001:db8::/32,, 198.51.100.7", "X"
)
INSIDE = """
localhost LOCALHOST localhost. api.localhost 127.0.0.1 127.1.2.3 10.0.0.1 10.255.255.255 172.16.0.1 172.31.255.255
192.168.0.1 ::1 [::1] fc00::1 fd12:3456::1 [fd12:3456::1] ::ffff:10.0.0.1 ::ffff:a00:1 [::ffff:127.0.0.1]
0:0:0:0:0:0:0:1 ::1%lo fd00::1%eth0 orders redis-1 my_service evil-internal 3scale x2 a.internal orders.prod.internal
ORDERS.INTERNAL orders.internal. orders.local orders.svc orders.default.svc orders.default.svc.cluster.local
cluster.svc _dns.internal
"""
OUTSIDE = """
metadata metadata. METADATA instance-data fd00:ec2::254 fd20:ce::254 [fd00:ec2::254] ai. uz. orders.
example.com api.openai.com internal.evil.com evilinternal.com local.evil.com svc.evil.com localhost.evil.com
internal.com cluster.local.evil.com 10.0.0.1.nip.io 127.0.0.1.nip.io 10-0-0-1.example.com 8.8.8.8 172.15.0.1
172.32.0.1 192.169.0.1 11.0.0.1 9.255.255.255 126.0.0.1 128.0.0.1 169.254.169.254 fe80::1 fe80::1%eth0 ::ffff:8.8.8.8
::ffff:169.254.169.254 64:ff9b::a00:1 2002:a00:1::1 2001:db8::1 0.0.0.0 :: 255.255.255.255 100.64.0.1 fec0::1
metadata.google.internal METADATA.GOOGLE.INTERNAL. instance-data.ec2.internal google.internal 2130706433 0x7f000001
0x7f.1 0x7F.1 127.1 127.0.1 0177.0.0.1 017700000001 010.0.0.1 10.1 1 0 0x 127.0.0.1. 10.0.0.1.. 127.0.0.0/8
10.0.0.1:80 localhost:80 [::1]:80 [::1 ::1] [localhost] [10.0.0.1 1.2.3.4.5 10.0.0.256 user@localhost
localhost@evil.com http://localhost localhost/evil localhost#x localhost?x %6cocalhost localhost%00
localhost%2eevil.com 10.0.0.1%2e 10%2e0.0.1 %31%30.0.0.1 .internal internal..internal a..local .. . -a.internal
a-.internal -localhost *.internal * bücher xn--bcher-kva.de löcalhost ｌocalhost localhost。 localhoſt 127。0。0。1
１２７.0.0.1 ①②⑦.0.0.1 a．internal orders.example.com example.net a.example.org 203.0.113.9
"""
ODD = [
    "localhost\\evil",
    None,
    "",
    " ",
    " localhost",
    "localhost ",
    "local host",
    "localhost\n",
    "localhost\x00",
    "localhost\t.evil.com",
    "a" * 64,
    "a" * 64 + ".internal",
    "a\udcff.internal",
]
VENDORS = """
api.openai.com API.OPENAI.COM. openai.com eu.api.openai.com api.anthropic.com bedrock-runtime.eu-west-1.amazonaws.com
sqs.eu-west-1.amazonaws.com generativelanguage.googleapis.com aiplatform.googleapis.com my.openai.azure.com
my.services.ai.azure.com my.cognitiveservices.azure.com api.mistral.ai api.groq.com openrouter.ai api.x.ai
api.together.xyz api.cohere.com api.deepseek.com api.fireworks.ai api.perplexity.ai
"""


@pytest.mark.parametrize("host", INSIDE.split())
def test_these_are_inside(host):
    """Without any setting: loopback, private addresses, names that public DNS does not have."""
    assert InsideHosts().has(host) is True


@pytest.mark.parametrize("host", [*OUTSIDE.split(), *ODD])
def test_these_are_outside(host):
    """What belongs to others, what only looks as if it were inside, and what cannot be told."""
    assert InsideHosts().has(host) is False


@pytest.mark.parametrize(
    "host",
    [
        "orders.example.com",
        "ORDERS.example.com.",
        "a.example.net",
        "a.b.example.org",
        "203.0.113.9",
        "198.51.100.7",
        "::ffff:203.0.113.9",
        "2001:db8::7",
        "[2001:db8::7]",
        "localhost",
    ],
)
def test_what_is_listed_is_inside_too(host):
    """Exact names, endings of names, networks and addresses."""
    assert LISTED.has(host) is True


@pytest.mark.parametrize(
    "host",
    [
        "example.com",
        "evilorders.example.com",
        "orders.example.com.evil.com",
        "sub.orders.example.com",
        "example.net",
        "evilexample.net",
        "203.0.114.9",
        "198.51.100.8",
        "2001:db9::7",
        None,
    ],
)
def test_what_only_resembles_it_is_not(host):
    """A name is no ending, and an ending begins with its dot."""
    assert LISTED.has(host) is False


@pytest.mark.parametrize("host", VENDORS.split())
def test_a_model_vendor_is_never_inside(host):
    """Whatever the operator lists."""
    everything = InsideHosts.parse(
        f"{host.lower().removesuffix('.')}, .com, .ai, .xyz, .azure.com, 0.0.0.0/0, ::/0", "X"
    )
    assert everything.has(host) is False
    assert InsideHosts().has(host) is False


@pytest.mark.parametrize(
    "entry",
    [
        "http://orders.example.com",
        "orders.example.com:8080",
        "orders.example.com/path",
        "10.0.0.0/33",
        "10.0.0.0/-1",
        "2130706433",
        "0x7f.1",
        "*",
        ".",
        "*.",
        "..example.com",
        "*example.com",
        "a.*.example.com",
        "-a.example.com",
        "orders example.com",
        "bücher.de",
        "user@host",
        "[::1]",
        "a;b",
    ],
)
def test_an_entry_that_is_none_of_the_three_is_refused_by_name(entry):
    """A typing error must not open or close anything."""
    with pytest.raises(SettingError, match=re.escape(repr(entry))) as refused:
        InsideHosts.parse(f"localhost,{entry}", "TRACIUM_INSIDE_HOSTS")
    assert str(refused.value).startswith("TRACIUM_INSIDE_HOSTS ")


@given(st.text(max_size=40) | st.from_regex(r"[a-z0-9.:%\[\]-]{0,30}", fullmatch=True))
def test_whatever_a_client_library_has_as_host_raises_nothing(host):
    """It is asked just before a request is sent."""
    assert LISTED.has(host) in {True, False}
