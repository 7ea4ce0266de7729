"""Thresholds and weights are those of OpenTelemetry's consistent probability sampling."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.sdk.trace._sampling_experimental._trace_state import OtelTraceState
from opentelemetry.trace import TraceState

from tracium.signals.sampling.threshold import (
    KEEP_NONE,
    encoded,
    entry_in,
    randomness_of,
    threshold_of,
    with_threshold,
)

# The table of the specification: digits to four and five places of precision, and 1-in-N.
EXAMPLES = [(1, "0"), (2, "8"), (4, "c"), (8, "e"), (16, "f")]
ROUNDED = [(3, "aaab"), (5, "cccd"), (10, "e666"), (100, "fd70a"), (1000, "ffbe77"), (10_000, "fff9724")]


@pytest.mark.parametrize(("one_in", "digits"), EXAMPLES)
def test_exact_thresholds_are_the_specifications(one_in, digits):
    """https://opentelemetry.io/docs/specs/otel/trace/tracestate-probability-sampling/."""
    assert encoded(threshold_of(1 / one_in)) == digits


@pytest.mark.parametrize(("one_in", "digits"), ROUNDED)
def test_others_agree_to_the_digits_that_it_prints(one_in, digits):
    """It rounds to four significant digits, and we do not round."""
    unit = 16 ** (14 - len(digits))
    assert round(threshold_of(1 / one_in) / unit) == int(digits, 16)
    assert len(encoded(threshold_of(1 / one_in))) <= 14


def test_nothing_is_kept_by_0_alone():
    """The smallest share is 2^-56."""
    assert threshold_of(0) == KEEP_NONE
    assert threshold_of(1e-300) == KEEP_NONE - 1
    assert threshold_of(1) == 0


@given(st.floats(min_value=2**-56, max_value=1))
def test_a_threshold_survives_the_trace_state(ratio):
    """What is written is what is read, by us and by the SDK."""
    threshold = threshold_of(ratio)
    state = with_threshold(TraceState(), threshold)
    assert entry_in(state).threshold == threshold
    assert OtelTraceState.parse(state).threshold == threshold
    assert abs((KEEP_NONE - threshold) / KEEP_NONE - ratio) < 2**-52


@given(st.text(st.characters(min_codepoint=33, max_codepoint=126, exclude_characters=",="), min_size=1, max_size=60))
def test_whatever_stands_there_is_read_without_an_error(text):
    """It comes from others; what is written over it can be read."""
    state = TraceState([("ot", text), ("vendor", "1")])
    after = with_threshold(state, threshold_of(0.5))
    assert entry_in(after).threshold == threshold_of(0.5)
    assert after["vendor"] == "1"
    assert set(entry_in(after).rest) == {member for member in text.split(";") if not member.startswith("th:")}
    assert entry_in(with_threshold(state, None)).threshold is None


def test_everything_else_in_the_trace_state_stays():
    """Explicit randomness above all, or another sampler would decide otherwise."""
    state = TraceState([("vendor", "x"), ("ot", "rv:0123456789abcd;th:8;p:1")])
    assert with_threshold(state, threshold_of(0.25)).to_header() == "ot=th:c;rv:0123456789abcd;p:1,vendor=x"
    assert with_threshold(state, None).to_header() == "ot=rv:0123456789abcd;p:1,vendor=x"
    assert with_threshold(TraceState([("ot", "th:8")]), None).to_header() == ""


def test_a_trace_state_that_is_full_keeps_its_limits():
    """At most 32 entries, and 256 characters in ours: without room there is no weight, and nothing else is lost."""
    many = TraceState([(f"v{number}", "1") for number in range(32)])
    after = with_threshold(many, 0)
    assert len(after) == 32
    assert after["ot"] == "th:0"
    assert "v31" not in after
    long = TraceState([("ot", "x:" + "y" * 250)])
    assert with_threshold(long, threshold_of(0.1)) == long


def test_randomness_is_explicit_or_in_the_id():
    """The last seven bytes; what is malformed counts as not said."""
    trace_id = 0xFFFF_FFFF_FFFF_FFFF_FF00_0000_0000_0007
    assert randomness_of(trace_id, None) == 7
    assert randomness_of(trace_id, entry_in({"ot": "rv:00000000000010"})) == 16
    for malformed in ("rv:10", "rv:0000000000001g", "rv:0x000000000010", "rv:"):
        assert randomness_of(trace_id, entry_in({"ot": malformed})) == 7


@pytest.mark.parametrize("ratio", [0.01, 0.1, 0.5, 0.9])
def test_of_20_000_traces_the_share_is_kept(ratio):
    """As many as asked for, within five standard deviations; who is kept by a share is kept by every greater one."""
    chance = random.Random(7)
    ids = [chance.getrandbits(128) for _ in range(20_000)]
    kept = {one for one in ids if randomness_of(one, None) >= threshold_of(ratio)}
    deviation = (20_000 * ratio * (1 - ratio)) ** 0.5
    assert abs(len(kept) - 20_000 * ratio) < 5 * deviation
    assert kept <= {one for one in ids if randomness_of(one, None) >= threshold_of(min(1, ratio * 1.1))}
