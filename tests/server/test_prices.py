"""Prices over a store: looked up for what was seen, kept as they were shown, changed on demand."""

from __future__ import annotations

import time
import uuid
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from tracium.exceptions import SettingError
from tracium.server import prices
from tracium.server.prices import catalogue, timelines
from tracium.server.prices.book import PriceBook
from tracium.server.prices.calls import CALLS
from tracium.server.prices.key import PriceKey
from tracium.server.prices.period import NO_TIME, Box, Period, UnitPrices, continued, joined, overlay
from tracium.server.prices.report import PriceReport, report
from tracium.server.prices.repricing import Repricing, reprice
from tracium.server.scope import TenantScope

COLUMNS = [
    "TenantId",
    "Bucket",
    "Provider",
    "Model",
    "RequestModel",
    "ServerAddress",
    "ServiceTier",
    "InputClass",
    "OtherUnits",
    "Calls",
    "InputTokens",
    "PlainInputTokens",
    "OutputTokens",
]
LAST_MONTH = datetime(2026, 10, 31, 12, tzinfo=UTC)


@pytest.fixture
def tenant():
    return f"prices-{uuid.uuid4()}"


@pytest.fixture
def model():
    return f"own-{uuid.uuid4()}"


@pytest.fixture(autouse=True)
def no_overrides(store):
    yield
    prices.book(store).load("", "none.toml")


def add(store, tenant, provider="openai", model="gpt-4o", at=LAST_MONTH, **other):
    row = {
        "TenantId": tenant,
        "Bucket": at,
        "Provider": provider,
        "Model": model,
        "RequestModel": "",
        "ServerAddress": "",
        "ServiceTier": "",
        "InputClass": 0,
        "OtherUnits": "",
        "Calls": 1,
        "InputTokens": 1000,
        "PlainInputTokens": 1000,
        "OutputTokens": 100,
        **other,
    }
    store.insert("tracium_calls_15m", COLUMNS, [[row[name] for name in COLUMNS]])


def costs(store, tenant):
    prices.ensure(store)
    rows = store.rows(TenantScope.of(tenant), f"SELECT * FROM ({prices.priced(CALLS)}) ORDER BY Bucket")
    return [row["Cost"] if row["Cost"] is not None else row["UnpricedReason"] for row in rows]


def own(model, price, **other):
    lines = [f"model = {model!r}", f"input = {price}", f"output = {price}"]
    return "\n".join(["[[price]]", *lines, *(f"{key} = {value!r}" for key, value in other.items())])


def soon():
    return datetime.now(UTC) + timedelta(hours=1)


def test_a_call_is_priced_when_it_was_seen(store, tenant):
    """What a model costs is looked up when its first call is there, and again for the next model."""
    add(store, tenant)
    assert costs(store, tenant) == [Decimal("0.0035")]
    add(
        store,
        tenant,
        provider="gcp.gemini",
        model="gemini-2.5-pro",
        at=LAST_MONTH + timedelta(days=1),
        InputClass=200000,
    )
    assert costs(store, tenant) == [Decimal("0.0035"), Decimal("0.004")]


def test_nothing_new_is_cheap(store, tenant):
    """When all prices are there, being asked again starts no process and writes nothing."""
    add(store, tenant)
    prices.ensure(store)
    before = timelines.read(store)
    started = time.process_time()
    for _ in range(20):
        prices.ensure(store)
    assert time.process_time() - started < 1
    assert timelines.read(store) == before


@pytest.mark.parametrize(
    ("call", "reason"),
    [
        ({"model": "no-such-model"}, "genai-prices has no model 'no-such-model' of openai"),
        ({"provider": "ibm.watsonx.ai"}, "genai-prices has no provider 'ibm.watsonx.ai'"),
        ({"provider": ""}, "genai-prices is not asked: the span names no provider"),
        ({"model": ""}, "the span names no model"),
        ({"ServiceTier": "scale"}, "has no price of openai/gpt-4o for the service tier 'scale'"),
        ({"OtherUnits": "audio,images"}, "no price for audio, images"),
        ({"model": "text-embedding-3-small"}, "no price for output tokens"),
        ({"provider": "google", "model": "gemini-2.5-flash-image"}, "bills images apart from other output"),
    ],
)
def test_what_nobody_can_price_is_unpriced(store, tenant, call, reason):
    """A model, a provider, a tier or a unit without a price gives no cost, and says why."""
    add(store, tenant, **call)
    (told,) = costs(store, tenant)
    assert reason in told


@pytest.mark.parametrize(
    ("call", "cost"),
    [
        ({"ServiceTier": "default"}, "0.0035"),
        ({"ServiceTier": "priority", "at": datetime(2026, 11, 20, tzinfo=UTC)}, "0.00595"),
        ({"provider": "azure.ai.openai"}, "0.0035"),
        ({"ServerAddress": "mine.openai.azure.com"}, "0.0035"),
        ({"ServerAddress": "gateway.internal"}, "0.0035"),
        ({"model": "gpt-4o-2024-08-06"}, "0.0035"),
        ({"model": "deepseek-chat", "ServerAddress": "api.deepseek.com"}, "0.00038"),
        ({"model": "deepseek-chat", "ServerAddress": "api.deepseek.com", "at": LAST_MONTH.replace(hour=17)}, "0.00019"),
    ],
)
def test_who_bills_and_when(store, tenant, call, cost):
    """The provider behind the address, the tier and the time of the day decide."""
    add(store, tenant, **call)
    assert costs(store, tenant) == [Decimal(cost)]


def test_calls_that_others_wrote_are_priced_alike(store, tenant):
    """A span that the Collector wrote costs what one of ours costs, and its outer span nothing."""
    columns = [
        "Timestamp",
        "TraceId",
        "SpanId",
        "ParentSpanId",
        "SpanName",
        "SpanKind",
        "ServiceName",
        "SpanAttributes",
        "Duration",
    ]
    attributes = {
        "tenant.id": tenant,
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "gen_ai.response.model": "gpt-4o",
        "gen_ai.usage.input_tokens": "1000",
        "gen_ai.usage.output_tokens": "100",
    }
    trace = uuid.uuid4().hex
    rows = [
        [LAST_MONTH, trace, "a" * 16, "", "chat", "Client", "shop", attributes, 10],
        [LAST_MONTH, trace, "b" * 16, "a" * 16, "chat", "Client", "shop", attributes, 5],
    ]
    store.insert("otel_traces", columns, rows)
    assert costs(store, tenant) == [Decimal("0.0035")]


def test_a_first_price_holds_for_the_past(store, tenant, model):
    """What was unpriced gets its price at once, also for calls that came before the price."""
    add(store, tenant, model=model)
    assert "has no model" in costs(store, tenant)[0]
    prices.book(store).load(own(model, 2), "own.toml")
    assert costs(store, tenant) == [Decimal("0.0022")]


def test_another_price_holds_from_now_on_and_reprice_takes_it_to_the_past(store, tenant, model):
    """Money that was shown stays as it was until it is repriced, which says what it changes."""
    add(store, tenant, model=model)
    add(store, tenant, model=model, at=soon())
    prices.book(store).load(own(model, 2), "own.toml")
    assert costs(store, tenant) == [Decimal("0.0022"), Decimal("0.0022")]
    prices.book(store).load(own(model, 4), "own.toml")
    assert costs(store, tenant) == [Decimal("0.0022"), Decimal("0.0044")]

    rehearsal = reprice(store, None, None, dry_run=True)
    assert costs(store, tenant) == [Decimal("0.0022"), Decimal("0.0044")]
    done = reprice(store, None, None)
    assert costs(store, tenant) == [Decimal("0.0044"), Decimal("0.0044")]
    (change,) = [one for one in done.changes if one.tenant == tenant]
    assert (change.before, change.after, change.calls) == (Decimal("0.0066"), Decimal("0.0088"), 2)
    assert change in rehearsal.changes
    assert Repricing.from_json(done.to_json()) == done
    assert reprice(store, None, None).changes == ()


def test_a_part_of_the_past_is_repriced(store, tenant, model):
    """Only the stretch that was asked for changes."""
    days = [LAST_MONTH + timedelta(days=day) for day in range(3)]
    for day in days:
        add(store, tenant, model=model, at=day)
    prices.book(store).load(own(model, 2), "own.toml")
    prices.ensure(store)
    prices.book(store).load(own(model, 4), "own.toml")
    reprice(store, days[1], days[2])
    assert costs(store, tenant) == [Decimal("0.0022"), Decimal("0.0044"), Decimal("0.0022")]


def test_a_price_with_dates_holds_between_them(store, tenant, model):
    """An override holds from its first day up to, and without, its last one."""
    toml = own(model, 2, to="2026-11-01") + "\n" + own(model, 3, **{"from": "2026-11-01"})
    add(store, tenant, model=model, at=datetime(2026, 10, 31, 23, 45, tzinfo=UTC))
    add(store, tenant, model=model, at=datetime(2026, 11, 1, tzinfo=UTC))
    prices.book(store).load(toml, "own.toml")
    assert costs(store, tenant) == [Decimal("0.0022"), Decimal("0.0033")]


def test_a_new_release_of_genai_prices_leaves_the_past(store, tenant, monkeypatch):
    """After an upgrade the new prices hold from the next quarter of an hour on; an older process does not turn it back."""
    add(store, tenant, model="gpt-4.1")
    add(store, tenant, model="gpt-4.1", at=soon())
    before = costs(store, tenant)
    lines = timelines.read(store)

    def dearer(keys):
        return [
            [Period(prices=UnitPrices(input=Decimal(1), output=Decimal(1)), source="genai-prices", version="9.0")]
            for _ in keys
        ]

    with monkeypatch.context() as upgraded:
        upgraded.setattr(catalogue, "package_version", lambda: "9.0")
        upgraded.setattr(catalogue, "look_up", dearer)
        PriceBook(store).ensure()
    assert costs(store, tenant) == [before[0], Decimal(1100)]
    PriceBook(store).ensure()
    assert costs(store, tenant) == [before[0], Decimal(1100)]
    timelines.write(store, lines.values())


def test_two_processes_write_the_same(store, tenant):
    """Prices that two books of one store wrote at once count once."""
    add(store, tenant, model="o3")
    prices.ensure(store)
    lines = [line for line in timelines.read(store).values() if line.key.model == "o3"]
    timelines.write(store, lines)
    timelines.write(store, lines)
    assert costs(store, tenant) == [Decimal("0.0028")]


def test_a_failed_look_up_is_said_and_the_question_answered(store, tenant, monkeypatch, caplog):
    """Where genai-prices cannot be asked, calls are unpriced, and are priced when it can be again."""
    add(store, tenant, model="o4-mini")
    book = PriceBook(store)

    def broken(keys):
        raise catalogue.LookUpError("it is broken.")

    with monkeypatch.context() as failing:
        failing.setattr(catalogue, "look_up", broken)
        book.ensure()
    assert "it is broken" in caplog.text
    rows = store.rows(TenantScope.of(tenant), prices.priced(CALLS))
    assert [row["UnpricedReason"] for row in rows] == ["the price was not looked up yet"]
    assert costs(store, tenant) == [Decimal("0.00154")]


def test_a_question_about_a_span_is_the_same_sql(store, tenant):
    """Columns that the relation has besides pass through, and a moment within a quarter is priced as its bucket is."""
    add(store, tenant)
    prices.ensure(store)
    relation = f"SELECT * REPLACE (toDateTime64(Bucket, 9, 'UTC') + 61 AS Bucket), 'x' AS SpanId FROM ({CALLS})"
    (row,) = store.rows(TenantScope.of(tenant), prices.priced(relation))
    assert (row["SpanId"], row["Cost"], row["PriceSource"]) == ("x", Decimal("0.0035"), "genai-prices")
    assert row["PriceVersion"] == catalogue.package_version()
    assert row["UnpricedCalls"] == 0


def test_the_report_lists_prices_and_what_has_none(store, tenant, model):
    """Prices are listed for a million tokens with their source, and unpriced calls with their reason and tokens."""
    add(store, tenant)
    add(store, tenant, model=model, Calls=3)
    prices.ensure(store)
    told = report(store)
    (price,) = {
        one for one in told.prices if (one.model, one.matched) == ("gpt-4o", "openai/gpt-4o") and not one.service_tier
    }
    assert (price.input, price.output, price.source, price.matched) == (
        Decimal("2.5"),
        10,
        "genai-prices",
        "openai/gpt-4o",
    )
    (unpriced,) = [one for one in told.unpriced if one.model == model]
    assert (unpriced.calls, unpriced.input_tokens, unpriced.output_tokens) == (3, 1000, 100)
    assert PriceReport.from_json(told.to_json()) == told


def test_numbers_beyond_all_sense_break_nothing(store, tenant):
    """A sender may claim as many tokens as 64 bits hold: the cost is large, and right."""
    most = 2**64 - 1
    add(store, tenant, PlainInputTokens=most, OutputTokens=most)
    add(store, tenant, at=datetime(2105, 1, 1, tzinfo=UTC))
    assert costs(store, tenant)[0] == most * Decimal("0.0000125")


def test_a_file_that_cannot_be_used_changes_nothing(store, tenant, model):
    """A mistake in the overrides is a sentence, and the prices before stay in force."""
    add(store, tenant, model=model)
    prices.book(store).load(own(model, 2), "own.toml")
    with pytest.raises(SettingError, match=r"own\.toml, table 1: input='x' is no price in US dollars"):
        prices.book(store).load(own(model, "'x'"), "own.toml")
    assert costs(store, tenant) == [Decimal("0.0022")]


def test_boxes_are_cut_and_joined_without_a_gap():
    """Laying prices over others and back leaves one box, and what had no price takes the news for all of time."""
    cheap, dear = (Period(prices=UnitPrices(input=Decimal(price)), source="x", version="1") for price in (1, 2))
    halves = overlay([cheap], [dear], 900, 1800)
    assert [(one.box.valid_from, one.box.valid_to) for one in halves] == [(0, 900), (900, 1800), (1800, NO_TIME)]
    assert overlay(halves, [cheap], 0, NO_TIME) == [cheap]
    nothing = Period(reason="unknown")
    assert continued([nothing], [dear], 900) == [dear]
    assert continued([dear], [nothing], 900) == overlay([dear], [nothing], 900, NO_TIME)
    more = Period(prices=UnitPrices(input=Decimal(2), output=Decimal(3)), source="x", version="1")
    assert continued([dear], [more], 900) == [more]
    quarters = [
        Period(Box(class_from=c, class_to=c + 1, day_from=d, day_to=d + 15)) for c in range(3) for d in (0, 15, 30)
    ]
    assert joined(quarters) == [Period(Box(class_to=3, day_to=45))]


def test_keys_are_looked_up_by_a_process_of_their_own():
    """The look-up needs 100 MB, which the server does not keep: another process answers, for names of any characters."""
    keys = [PriceKey("openai", "gpt-4o", "", "", ""), PriceKey("openai", "ünicode '\"\\\n", "", "", "")]
    assert catalogue.look_up(keys) == [catalogue.compiled(key) for key in keys]
