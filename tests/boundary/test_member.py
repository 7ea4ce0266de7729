"""The tenant in a `baggage` header: whole or not at all."""

from __future__ import annotations

import re
from urllib.parse import quote, unquote, unquote_to_bytes

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from opentelemetry.baggage import get_all
from opentelemetry.baggage.propagation import W3CBaggagePropagator
from opentelemetry.context import Context

from tracium.boundary.member import UnreadableTenantError, add_tenant, claim_in, without_ours
from tracium.tenancy.identity import is_tenant

LIMIT = 8192
tenants = st.text(st.characters(exclude_categories=("Cc", "Cs")), min_size=1, max_size=255)
# What stands in headers, more often than chance has it.
pieces = st.sampled_from(
    ["tenant.id", "tenant%2Eid", "Tenant.Id", "=", ",", ";", "%", "%2", "%FF", "%C3%A9", "%2C", "+", " ", "\t", "\xa0"]
) | st.sampled_from(["acme", "globex", "é", "😀", "\udcff", "\0", "x", "=", "a" * 255, "a" * 4096])
headers = st.lists(pieces | st.text(max_size=4), max_size=14).map("".join)


def read_tenant(headers):
    """The tenant that headers name for certain."""
    claim = claim_in(headers)
    return None if claim is None else claim.certain


def read(*sent):
    """The tenant that headers name, or the reason why it cannot be told."""
    try:
        return read_tenant(sent), None
    except UnreadableTenantError as unreadable:
        return None, unreadable.reason


@given(tenants)
@example(" acme ")
@example("a+b,c;d=e%f")
@example("%2C")
@example("\u2028\xa0\u3000")
@example("😀" * 255)
@example("é" * 255)
def test_every_tenant_comes_back_as_it_was(tenant):
    """And what carries it is plain ASCII that any broker takes."""
    header = add_tenant(tenant)
    assert re.fullmatch(r"tenant\.id=[A-Za-z0-9_.~%-]+", header)
    assert read(header) == (tenant, None)


@given(tenants, st.dictionaries(st.from_regex(r"[a-z]{1,8}", fullmatch=True), st.text(max_size=40), max_size=6))
def test_other_baggage_stays_beside_it(tenant, others):
    """As OpenTelemetry's propagator writes it, and reads it again."""
    before = ",".join(f"{name}={quote(value, safe='')}" for name, value in others.items() if value)
    header = add_tenant(tenant, before)
    assert read(header) == (tenant, None)
    entries = get_all(W3CBaggagePropagator().extract({"baggage": header}, Context()))
    assert {name for name in entries if name != "tenant.id"} == {name for name, value in others.items() if value}


@given(tenants, st.lists(st.integers(1, 5000), max_size=12), st.integers(0, 300))
@example("😀" * 255, [4096, 4096], 0)
@example("a", [], 300)
def test_however_much_baggage_there_is_the_tenant_has_its_place(tenant, sizes, small):
    """What there is no room for stays behind, and never the tenant; the limits of W3C hold."""
    others = [f"big{number}={'x' * size}" for number, size in enumerate(sizes)]
    others += [f"small{number}=1" for number in range(small)]
    header = add_tenant(tenant, ",".join(others))
    members = header.split(",")
    assert (len(header.encode()) <= LIMIT, len(members) <= 180) == (True, True)
    assert members[1:] == others[: len(members) - 1]
    assert read(header) == (tenant, None)


@given(headers)
def test_adding_a_tenant_takes_away_what_named_another(header):
    """Whatever stood there before."""
    try:
        added = add_tenant("acme", header)
    except UnicodeEncodeError:
        assert re.search("[\ud800-\udfff]", header)  # no propagator writes such a header
        return
    assert read(added) == ("acme", None)


def names(member):
    """How a member's name reads to the most generous reader."""
    return unquote(re.split("[=;]", member)[0].replace("+", " ")).strip()


def exactly(member):
    """The tenant that a member says without any doubt, as bytes; the rule written down a second time."""
    value = member.partition("=")[2].partition(";")[0].strip(" \t")
    return None if "+" in value else unquote_to_bytes(value.encode("utf-8", "surrogatepass"))


@given(st.lists(headers, max_size=3))
@example(["tenant.id=acme", "tenant.id=globex"])
@example(["tenant.id=acme,tenant%2Eid=globex"])
def test_no_header_gives_a_tenant_that_it_does_not_name_exactly(sent):
    """Nor raises anything but that the tenant cannot be told."""
    tenant, reason = read(*sent)
    naming = [member for header in sent for member in header.split(",") if names(member) == "tenant.id"]
    assert (tenant is None and reason is None) == (not naming)
    if tenant is not None:
        assert is_tenant(tenant)
        assert {exactly(member) for member in naming} == {tenant.encode()}


@pytest.mark.parametrize(
    ("sent", "tenant"),
    [
        (["tenant.id=acme"], "acme"),
        ([" tenant.id = acme "], "acme"),
        (["tenant.id=acme;ttl=1;x"], "acme"),
        (["tenant%2Eid=acme"], "acme"),
        (["tenant.id=a%20b"], "a b"),
        (["tenant.id=%20acme%20"], " acme "),
        (["tenant.id=a=b"], "a=b"),
        (["tenant.id=caf%C3%A9"], "café"),
        (["tenant.id=café"], "café"),
        (["color=blue,tenant.id=acme,size=9"], "acme"),
        (["tenant.id=acme", "tenant.id=acme"], "acme"),
        (["tenant.id=acme,tenant%2eid=%61cme"], "acme"),
        (["color=blue", "tenant.id=acme"], "acme"),
        ([], None),
        ([""], None),
        ([",, ,"], None),
        (["Tenant.Id=acme"], None),
        (["my.tenant.id=acme"], None),
        (["color=tenant.id%3Dacme"], None),
        (["color=blue;tenant.id=acme"], None),
        (["color=" + "x" * 9000], None),
    ],
)
def test_what_is_read(sent, tenant):
    """W3C's grammar, and no more than that."""
    assert read(*sent) == (tenant, None)


@pytest.mark.parametrize(
    ("sent", "reason"),
    [
        (["tenant.id=a,tenant.id=b"], "ambiguous"),
        (["tenant.id=a", "tenant.id=b"], "ambiguous"),
        (["tenant.id=a+b"], "ambiguous"),
        (["tenant.id=a%2"], "broken"),
        (["tenant.id=%zz"], "broken"),
        (["tenant.id=%FF"], "broken"),
        (["tenant.id=%ED%B3%BF"], "broken"),
        (["tenant.id=\udcff"], "broken"),
        (["tenant.id"], "broken"),
        (["tenant.id;x=acme"], "broken"),
        (["\xa0tenant.id=acme"], "broken"),
        (["tenant.id="], "invalid"),
        (["tenant.id=;x=1"], "invalid"),
        (["tenant.id=%00"], "invalid"),
        (["tenant.id=a\nb"], "invalid"),
        (["tenant.id=" + "a" * 256], "invalid"),
        (["tenant.id=acme,color=" + "x" * 9000], "oversize"),
        (["tenant.id=acme", "color=" + "x" * 5000, "size=" + "x" * 5000], "oversize"),
    ],
)
def test_what_is_refused(sent, reason):
    """For one tenant that is wrong a hundred without do not make up."""
    assert read(*sent) == (None, reason)


@given(headers, st.sampled_from(["", "s", "1-" + "a" * 32 + "-" + "b" * 22]))
@example("tenant.id=acme\n", "")
@example("tracium%2Etenant.signature=x,tenant.id=a", "s")
def test_what_is_taken_out_is_what_would_be_read(header, signature):
    """No way to write it passes one and not the other; what is left says nothing about anybody."""
    others = without_ours(f"{header},tracium.tenant.signature={signature}")
    assert claim_in([others]) is None
    entries = get_all(
        W3CBaggagePropagator().extract({"baggage": others.encode("utf-8", "replace").decode()}, Context())
    )
    assert not {"tenant.id", "tracium.tenant.signature"} & set(entries)


@pytest.mark.parametrize("after", ["", ",color=blue", ",color=%62lue", ", a=1;tenant=2"])
def test_the_usual_header_is_read_as_any_other(after):
    """A short cut for what tracium writes gives what the long way gives."""
    usual = add_tenant("acme-1", "", "1-" + "a" * 32 + "-" + "b" * 22) + after
    assert claim_in([usual]) == claim_in([" " + usual]) == claim_in(usual.split(","))
    assert without_ours(usual) == without_ours(" " + usual) == after.lstrip(", ")
