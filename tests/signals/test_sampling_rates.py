"""Which share holds for which tenant, and which shares are refused."""

from __future__ import annotations

import math
from itertools import permutations

import pytest

from tracium.signals.sampling import SampleRates
from tracium.signals.sampling.threshold import threshold_of

SHARES = [("*", 0.9), ("free-*", 0.1), ("free-vip-*", 0.5), ("free-vip-1", 1.0), ("??", 0.3), ("[ab]*", 0.2)]


@pytest.mark.parametrize("shares", [*permutations(SHARES, 6)][::60])
def test_the_most_specific_pattern_counts_in_whatever_order(shares):
    """Nobody has to think about which comes first."""
    rates = SampleRates(shares)
    expected = {
        "free-1": 0.1,
        "free-": 0.1,
        "free-vip-2": 0.5,
        "free-vip-1": 1.0,
        "Free-1": 0.9,
        "acme": 0.2,
        "xy": 0.3,
        "free-vip-1\n": 0.5,
        None: 0.9,
    }
    assert {tenant: rates.threshold(tenant) for tenant in expected} == {
        tenant: threshold_of(share) for tenant, share in expected.items()
    }


def test_a_tenants_own_id_comes_before_any_pattern():
    """Also before one that says as much and more."""
    assert SampleRates({"a*": 0.1, "[a]": 0.3, "a": 0.2}).threshold("a") == threshold_of(0.2)


def test_of_two_that_are_alike_the_first_counts():
    """And a mapping keeps its order."""
    assert SampleRates({"a*": 0.1, "*a": 0.2}).threshold("aa") == threshold_of(0.1)
    assert SampleRates({"*a": 0.2, "a*": 0.1}).threshold("aa") == threshold_of(0.2)


def test_who_fits_no_pattern_is_exported_whole():
    """Nothing is left out that nobody named; a pattern that fits all tenants but is not `*` fits nobody."""
    rates = SampleRates({"free-*": 0.0, "?*": 0.5})
    assert SampleRates({"free-*": 0.0}).threshold("acme") == 0
    assert rates.threshold("acme") == threshold_of(0.5)
    assert rates.threshold(None) == 0


def test_equal_shares_are_equal():
    """Settings are compared to see whether they changed."""
    assert SampleRates({"a": 0.5}) == SampleRates([("a", 0.5)])
    assert hash(SampleRates({"a": 0.5})) == hash(SampleRates([("a", 0.5)]))
    assert SampleRates({"a": 0.5}) != SampleRates({"a": 0.6})
    assert repr(SampleRates({"a": 0.5})) == "SampleRates({'a': 0.5})"


@pytest.mark.parametrize(
    ("shares", "error", "said"),
    [
        ({1: 0.5}, TypeError, "must be a string such as 'free-\\*', not int: 1"),
        ({"": 0.5}, ValueError, "Write '\\*' for all tenants"),
        ({"a": "0.5"}, TypeError, "'a' must be a number, not str: '0.5'"),
        ({"a": True}, TypeError, "must be a number, not bool"),
        ({"a": 1.5}, ValueError, "'a' is 1.5, but it must be from 0 \\(none\\) to 1 \\(all\\)"),
        ({"a": -0.1}, ValueError, "from 0"),
        ({"a": math.nan}, ValueError, "from 0"),
    ],
)
def test_a_wrong_share_is_refused(shares, error, said):
    """In a full sentence."""
    with pytest.raises(error, match=said):
        SampleRates(shares)
