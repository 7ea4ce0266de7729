"""OTLP's values, and what the Collector's AsString makes of them, written down independently of the store's SQL."""

from __future__ import annotations

import base64
import json
import struct
from decimal import Decimal

from hypothesis import strategies as st

TEXT = st.text(max_size=40)
INTEGERS = st.integers(-(2**63), 2**63 - 1)
SCALARS = st.one_of(st.none(), TEXT, st.booleans(), INTEGERS, st.floats(), st.binary(max_size=40))
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4), max_leaves=8
)
ATTRIBUTES = st.dictionaries(
    st.text(min_size=1, max_size=20).filter(lambda key: key != "tenant.id"), VALUES, max_size=6
)


def go_string(value):
    match value:
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case float():
            return go_double(value)
        case bytes():
            return base64.b64encode(value).decode()
        case list() | dict():
            return go_json(value)
        case _:
            return str(value)


def go_double(value):
    if value != value:
        return "NaN"
    if value in {float("inf"), float("-inf")}:
        return "Infinity" if value > 0 else "-Infinity"
    # repr() has the shortest digits that give the value back, as Go's have.
    decimal = Decimal(repr(abs(value))).as_tuple()
    digits = "".join(map(str, decimal.digits)).rstrip("0") or "0"
    power = len(decimal.digits) - 1 + decimal.exponent if value else 0
    sign = "-" * _is_negative(value)
    if value != 0 and not 1e-6 <= abs(value) < 1e21:
        fraction = f".{digits[1:]}" if digits[1:] else ""
        return f"{sign}{digits[0]}{fraction}e{power:+d}"
    if power < 0:
        return f"{sign}0.{'0' * (-power - 1)}{digits}"
    whole = digits[: power + 1].ljust(power + 1, "0")
    return sign + whole + (f".{digits[power + 1 :]}" if digits[power + 1 :] else "")


def _is_negative(value):
    return struct.pack(">d", value)[0] >> 7


def go_json(value):
    """The JSON of a list or a map; empty if there is a number in it that JSON does not have."""
    try:
        return _json(value)
    except OverflowError:
        return ""


def _json(value):
    match value:
        case None | b"":
            return "null"
        case list():
            return f"[{','.join(map(_json, value))}]"
        case dict():
            return "{" + ",".join(f"{_json(key)}:{_json(value[key])}" for key in sorted(value)) + "}"
        case str():
            text = json.dumps(value, ensure_ascii=False)
            return text.replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")
        case bytes():
            return f'"{go_string(value)}"'
        case float() if value != value or abs(value) == float("inf"):
            raise OverflowError
        case _:
            return go_string(value)


def as_text(attributes):
    """A map of attributes as the exporter writes it."""
    return {key: go_string(value) for key, value in attributes.items()}
