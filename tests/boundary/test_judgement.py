"""A tenant that a request brings: believed if it is proven, else dropped with the reason."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.propagators.textmap import default_getter
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from tracium import notices
from tracium.boundary.judgement import judge
from tracium.boundary.member import add_tenant
from tracium.boundary.signature import Keyring
from tracium.boundary.trust import Trust, install_trust

RING, OTHER = Keyring((b"a key of at least sixteen bytes",)), Keyring((b"another key of the same length",))
TRACE = 0x1234
PARENT = f"00-{TRACE:032x}-{0x5678:016x}-01"
ELSEWHERE = f"00-{0xABC:032x}-{0x5678:016x}-01"
SIGNATURE = RING.sign("acme", TRACE)
SIGNED = add_tenant("acme", "", SIGNATURE)


@pytest.fixture(autouse=True)
def _shared():
    install_trust(Trust(RING))
    yield
    install_trust(Trust())


def judged(*baggage, parent=PARENT, believed=False):
    """The tenant, and the reasons that were said."""
    notices.reset()
    carrier = {"baggage": list(baggage), "traceparent": [parent]}
    extract = TraceContextTextMapPropagator().extract
    tenant = judge(carrier, default_getter, lambda: extract(carrier, Context()), believed=believed)
    return tenant, *(notice.key for notice in notices.notices())


@pytest.mark.parametrize(
    ("header", "parent", "reason"),
    [
        ("tenant.id=acme", PARENT, "unsigned"),
        ("tenant.id=acme,tracium.tenant.signature=", PARENT, "unsigned"),
        (add_tenant("acme", "", OTHER.sign("acme", TRACE)), PARENT, "forged"),
        (add_tenant("globex", "", SIGNATURE), PARENT, "forged"),
        (SIGNED + "x", PARENT, "forged"),
        (SIGNED, ELSEWHERE, "trace_mismatch"),
        (SIGNED, "broken", "no_trace"),
        (SIGNED, "", "no_trace"),
        (SIGNED + ",tenant.id=globex", PARENT, "ambiguous"),
        ("tenant.id=globex," + SIGNED, PARENT, "ambiguous"),
        (SIGNED + ",tracium.tenant.signature=x", PARENT, "ambiguous"),
        (SIGNED + ",tracium%2Etenant.signature=x", PARENT, "ambiguous"),
        (SIGNED + ",tenant.id", PARENT, "broken"),
        (SIGNED + ",x=" + "y" * 9000, PARENT, "oversize"),
        (SIGNED.replace("acme", "%zz"), PARENT, "broken"),
        (SIGNED.replace("acme", ""), PARENT, "invalid"),
    ],
)
def test_what_is_not_proven_is_dropped_with_its_reason(header, parent, reason):
    """Each has another cure."""
    assert judged(header, parent=parent) == (None, f"tenant:{reason}")


@pytest.mark.parametrize(
    "headers",
    [
        [SIGNED],
        [SIGNED + ",color=blue"],
        ["color=%62lue," + SIGNED],
        [SIGNED.replace(",", " , ").replace("=", " = ")],
        [SIGNED + ";ttl=1"],
        SIGNED.split(","),
        [*reversed(SIGNED.split(","))],
        [SIGNED, SIGNED],
        [SIGNED.replace("tenant.id", "tenant%2Eid", 1)],
        [SIGNED.replace("acme", "%61cme")],
        ["color=blue", SIGNED, "size=9"],
    ],
)
def test_what_is_proven_is_believed_however_it_was_rewritten(headers):
    """What stands between two services may join, split, order and encode as HTTP allows."""
    assert judged(*headers) == ("acme",)


@pytest.mark.parametrize("tenant", ["a b", "a+b", " a+ b+"])
def test_the_signature_tells_a_plus_from_a_space(tenant):
    """Without one nobody can."""
    signed = add_tenant(tenant, "", RING.sign(tenant, TRACE))
    assert judged(signed.replace("%20", "+")) == (tenant,)
    assert judged(signed.replace("%2B", "+")) == (tenant,)


@pytest.mark.parametrize("ring", [RING, Keyring()])
def test_a_trusted_source_needs_no_proof_but_has_to_be_readable(ring):
    """What it names is believed, also beside a signature of somebody else's."""
    install_trust(Trust(ring))
    assert judged("tenant.id=acme", believed=True) == ("acme",)
    assert judged(add_tenant("acme", "", OTHER.sign("acme", TRACE)), believed=True) == ("acme",)
    assert judged("tenant.id=a+b", believed=True) == (None, "tenant:ambiguous")
    assert judged("tenant.id=a,tenant.id=b", believed=True) == (None, "tenant:ambiguous")


def test_without_a_key_nothing_is_proven():
    """Also what another service has signed."""
    install_trust(Trust())
    assert judged(SIGNED) == judged("tenant.id=acme") == (None, "tenant:unproven")


@pytest.mark.parametrize("headers", [[], [""], ["color=blue"], ["tracium.tenant.signature=" + SIGNATURE]])
def test_what_names_no_tenant_is_not_judged(headers):
    """A proof of nobody is nothing."""
    assert judged(*headers) == (None,)


pieces = st.sampled_from(
    [
        SIGNED,
        SIGNATURE,
        "tenant.id=acme",
        "tenant.id=",
        "tracium.tenant.signature=",
        ",",
        ";",
        "=",
        "%2E",
        " ",
        "globex",
    ]
)


@given(st.lists(st.lists(pieces | st.text(max_size=3), max_size=8).map("".join), max_size=3), st.booleans())
def test_nothing_but_what_was_signed_is_believed(headers, whole):
    """Whatever is around it."""
    tenant = judged(*headers, parent=PARENT if whole else ELSEWHERE)[0]
    assert tenant in ({None, "acme"} if whole and any(SIGNATURE in header for header in headers) else {None})


def test_the_trace_is_only_looked_at_where_a_key_needs_it():
    """Most requests bring no tenant."""

    def extract():
        raise AssertionError

    assert judge({}, default_getter, extract, believed=False) is None
    assert judge({"baggage": "a=1"}, default_getter, extract, believed=False) is None
    install_trust(Trust())
    assert judge({"baggage": "tenant.id=acme"}, default_getter, extract, believed=True) == "acme"
    assert trace.get_current_span() is trace.INVALID_SPAN
