"""`tracium usage` as a command: its options and its three forms of output."""

from __future__ import annotations

import csv
import io
import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from click.testing import CliRunner
from rich.console import Console

from tracium.cli.usage import command, print_usage, usage_csv, usage_table
from tracium.server.timerange import TimeRange
from tracium.server.usage import TenantUsage, UsageReport


def usage(tenant, **known):
    values = dict.fromkeys(TenantUsage.__dataclass_fields__, 0) | dict.fromkeys(
        ("p50_ms", "p95_ms", "p99_ms", "model_call_p50_ms", "model_call_p95_ms", "model_call_p99_ms", "last_seen")
    )
    return TenantUsage(**{**values, "tenant": tenant, "cost": Decimal(0), **known})


def drawn(*rows, width=200):
    console = Console(file=io.StringIO(), width=width, force_terminal=True, color_system=None)
    console.print(usage_table(rows))
    return console.file.getvalue()


def invoke(*options):
    return CliRunner().invoke(command, options)


def test_the_table():
    """Numbers are grouped, lower bounds and unknowns are marked, and the mark is explained."""
    text = drawn(
        usage("acme", traces=1234, input_tokens=5678, p50_ms=7.123, p95_ms=1534.0),
        usage(
            "beta",
            input_tokens=99,
            output_tokens=None,
            unknown_input=1,
            unknown_output=2,
            unknown_usage=2,
            p50_ms=250.4,
        ),
        usage(None, errors=3),
    )
    for shown in ("1,234", "5,678", "7.12 ms", "1.53 s", "≥ 99", "unknown", "250 ms", "(none)", "≥: some model calls"):
        assert shown in text
    assert "≥" not in drawn(usage("acme"))


@pytest.mark.parametrize(
    ("known", "shown"),
    [
        ({"cost": Decimal("1234.567")}, "$1,234.57"),
        ({"cost": Decimal("0.000123")}, "$0.00012"),
        ({"cost": Decimal("1.5"), "unknown_usage": 1}, "≥ $1.50"),
        ({"cost": Decimal("1.5"), "unpriced_calls": 2}, "≥ $1.50"),
        ({"cost": None, "unpriced_calls": 2}, "unpriced"),
        ({"cost": None, "unknown_usage": 2}, "unknown"),
        ({"cost": None, "unpriced_calls": None}, "–"),
    ],
)
def test_the_cost(known, shown):
    """What has no price is no money, what is not known makes a lower bound, and a hundredth of a cent is not nothing."""
    text = drawn(usage("acme", **known))
    assert shown in text
    assert ("2 model calls have no price" in text) is (known.get("unpriced_calls") == 2)


@pytest.mark.parametrize(
    "name", ["\x1b[31mred", "a\nb\rc\t", "\x9b2J", "\u202eevil", "[bold]x[/bold]", "[link=http://x]"]
)
def test_names_cannot_steer_the_terminal(name):
    """Control and direction characters are shown as escapes, and rich's markup as what it is."""
    text = drawn(usage(name))
    assert not set(text) & set("\x1b\r\t\x9b\u202e")
    assert name in text or "\\" in text


def test_a_long_name_costs_no_digits():
    """A name of 255 characters is folded, whole, beside whole numbers."""
    name = "".join(f"{at:03}" for at in range(85))
    text = drawn(usage(name, input_tokens=123_456_789), width=100)
    assert "123,456,789" in text
    assert name in "".join(line.split()[0] for line in text.splitlines() if line.strip())


def test_csv():
    """A header, plain numbers, empty cells for what is unknown, and no cell that a spreadsheet would run."""
    names = ["=1+1", "+1", "-1", "@x", "\tx", "\rx", 'a,"b"\n']
    rows = [usage(name, traces=1234, output_tokens=None, p50_ms=1.5) for name in names]
    read = list(csv.DictReader(io.StringIO(usage_csv([*rows, usage(None, cost=None)]), newline="")))
    assert [row["tenant"] for row in read] == [*(f"'{name}" for name in names[:-1]), names[-1], ""]
    assert (read[0]["traces"], read[0]["output_tokens"], read[0]["p50_ms"]) == ("1234", "", "1.5")
    assert (read[0]["cost"], read[-1]["cost"]) == ("0", "")


def test_json_round_trip():
    """A report survives its own JSON, and fields of a newer release are passed over."""
    now = datetime.now(UTC)
    report = UsageReport(TimeRange(now - timedelta(hours=1), now), (usage("acme"), usage(None)))
    value = json.loads(json.dumps(report.to_json()))
    value["tenants"][0]["a_newer_field"] = 1
    assert UsageReport.from_json(value) == report


def test_an_empty_store(tmp_path):
    """It says what to do next, and asking creates nothing."""
    result = invoke("--data", str(tmp_path / "none"))
    assert result.exit_code == 0
    assert "Nothing from " in result.output
    assert "run `tracium serve`, then start your app with tracium.trace()" in result.output
    assert not (tmp_path / "none").exists()


def test_an_empty_store_for_programs(tmp_path):
    """JSON is an object without tenants, CSV a header."""
    value = json.loads(invoke("--data", str(tmp_path), "--json").output)
    assert value["tenants"] == []
    assert datetime.fromisoformat(value["to"]) - datetime.fromisoformat(value["from"]) >= timedelta(hours=24)
    assert invoke("--data", str(tmp_path), "--csv").output.startswith("tenant,traces,requests,")


@pytest.mark.parametrize(
    ("since", "start"),
    [
        ("2026-01-31", "2026-01-31T00:00:00+00:00"),
        ("2026-01-31T12:00", "2026-01-31T12:00:00+00:00"),
        ("2026-01-31T12:00+02:00", "2026-01-31T10:00:00+00:00"),
        ("2026-01-31T12:00:00Z", "2026-01-31T12:00:00+00:00"),
    ],
)
def test_since_a_time(tmp_path, since, start):
    """A time is read as ISO 8601, in UTC unless it says otherwise."""
    assert json.loads(invoke("--data", str(tmp_path), "--json", "--since", since).output)["from"] == start


@pytest.mark.parametrize(
    ("since", "age"), [("90s", 90), ("30m", 1800), ("24h", 86400), ("7d", 604800), ("2w", 1209600)]
)
def test_since_an_age(tmp_path, since, age):
    """An age counts back from now."""
    value = json.loads(invoke("--data", str(tmp_path), "--json", "--since", since).output)
    seconds = (datetime.fromisoformat(value["to"]) - datetime.fromisoformat(value["from"])).total_seconds()
    assert seconds == pytest.approx(age, abs=1)


@pytest.mark.parametrize("since", ["yesterday", "24", "-1h", "999999999999d", "9999-01-01", ""])
def test_since_nonsense(tmp_path, since):
    """What is neither is refused with both forms, and the future with a word."""
    result = invoke("--data", str(tmp_path), "--since", since)
    assert result.exit_code == 2
    assert "neither an age such as" in result.output or "is in the future" in result.output


def test_an_empty_tenant(tmp_path):
    """No tenant has an empty name, so asking for one is a mistake."""
    result = invoke("--data", str(tmp_path), "--tenant", "")
    assert result.exit_code == 2
    assert "at least one tenant" in result.output


@pytest.mark.parametrize("tenant", ["550e8400-e29b-41d4-a716-446655440000", "org_123:workspace_456"])
def test_an_id_of_usual_length_is_whole_in_a_narrow_terminal(tenant, capsys, monkeypatch):
    """It can be copied and searched for, also in a pipe."""
    monkeypatch.setenv("COLUMNS", "60")
    print_usage([usage(tenant), usage("acme")])
    assert tenant in capsys.readouterr().out
