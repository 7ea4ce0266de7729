"""The users' own prices: which table holds for which call, and what is refused."""

from __future__ import annotations

from decimal import Decimal

import pytest

from tracium.exceptions import SettingError
from tracium.server.prices.key import PriceKey
from tracium.server.prices.overrides import parse
from tracium.server.prices.period import Period

UNPRICED = [Period(reason="unknown")]
CALL = PriceKey("azure.ai.openai", "gpt-4o-2024-08-06", "team-a", "west.openai.azure.com", "")


def inputs(toml, key=CALL):
    """The prices of a million tokens of input, from the first period and class to the last."""
    found = parse(toml, "own.toml").over(key, UNPRICED)
    return [None if one.reason else one.prices.input * 1_000_000 for one in found]


@pytest.mark.parametrize(
    ("names", "fits"),
    [
        ('provider = "azure"', True),
        ('provider = "azure.ai.openai"', True),
        ('provider = "openai"', False),
        ('model = "gpt-4o-2024-08-06"', True),
        ('model = "GPT-4o*"', True),
        ('model = "gpt-4o"', False),
        ('account = "west.openai.azure.com"', True),
        ('account = "*.azure.com"', True),
        ('account = "east.openai.azure.com"', False),
        ('deployment = "team-a"', True),
        ('deployment = "team-b"', False),
        ('model = "gpt-4o*"\ndeployment = "team-b"', False),
        ('model = "gpt-4o*"\nservice_tier = "flex"', False),
        ('model = "gpt-4o*"\nservice_tier = "*"', True),
    ],
)
def test_a_table_is_for_what_it_names(names, fits):
    """Each name is compared with what was observed, without regard to case; a model and a host may be patterns."""
    assert inputs(f"[[price]]\n{names}\ninput = 3") == [Decimal(3) if fits else None]


@pytest.mark.parametrize("tier", ["flex", "FLEX"])
def test_a_tier_that_is_not_the_ordinary_one_has_to_be_named(tier):
    """A price that names no tier is no price of another tier."""
    key = CALL._replace(service_tier=tier)
    assert inputs('[[price]]\nmodel = "*"\ninput = 3', key) == [None]
    assert inputs('[[price]]\nmodel = "*"\nservice_tier = "flex"\ninput = 3', key) == [Decimal(3)]


def test_the_most_specific_table_holds_then_the_later_one():
    """A deployment goes before an account, that before a model's name, a name before a pattern, a pattern before a provider."""
    order = [
        'provider = "azure"',
        'model = "gpt-*"',
        'model = "gpt-4o*"',
        'model = "gpt-4o*"\nprovider = "azure"',
        'model = "gpt-4o-2024-08-06"',
        'account = "*.azure.com"',
        'deployment = "team-a"',
        'deployment = "team-a"\nmodel = "gpt-4o*"',
    ]
    tables = [f"[[price]]\n{names}\ninput = {number}" for number, names in enumerate(order)]
    for number in range(len(tables)):
        assert inputs("\n".join(reversed(tables[: number + 1]))) == [Decimal(number)]
    twice = '[[price]]\nmodel = "gpt-4o*"\ninput = 1\n[[price]]\nmodel = "gpt-4o*"\ninput = 2'
    assert inputs(twice) == [Decimal(2)]


def test_dates_tiers_and_digits():
    """Dates are UTC, tiers begin above a size of input and take over what they do not say, and no digit is lost."""
    toml = """
    [[price]]
    model = "gpt-4o*"
    from = 2026-01-01
    to = 2026-02-01T00:15:00Z
    input = 0.150000000000000006
    output = "1"
    [[price.tiers]]
    above = 200000
    input = 0.3
    """
    before, *within, after = parse(toml, "own.toml").over(CALL, UNPRICED)
    assert (before.reason, after.reason) == ("unknown", "unknown")
    assert (before.box.valid_to, after.box.valid_from) == (1767225600, 1769904900)
    low, high = sorted(within, key=lambda one: one.box.class_from)
    assert (low.box.class_to, high.box.class_from) == (200000, 200000)
    assert low.prices.input * 1_000_000 == Decimal("0.150000000000000006")
    assert (high.prices.input * 1_000_000, high.prices.output) == (Decimal("0.3"), low.prices.output)


def test_what_is_not_said_of_a_cache_is_input():
    """Tokens from a cache cost what input costs unless the table says otherwise; free is free."""
    (period,) = parse('[[price]]\nmodel = "*"\ninput = 2\ncache_read = 0', "own.toml").over(CALL, UNPRICED)
    assert (period.prices.cache_read, period.prices.cache_write) == (0, period.prices.input)
    assert period.prices.output is None


@pytest.mark.parametrize(
    ("toml", "sentence"),
    [
        ("[[price", "own.toml is no TOML: "),
        ("price = 3", "own.toml: price is no list of tables."),
        ("prices = 3", "own.toml: 'prices' is no key of the file."),
        ('currency = "EUR"', "own.toml: currency='EUR' cannot be added up."),
        ("[[price]]\ninput = 3", "own.toml, table 1 is for every call there is."),
        ('[[price]]\nmodel = "m"', "own.toml, table 1 has no price."),
        ("[[price]]\nmodel = 3\ninput = 3", "own.toml, table 1: model=3 is no name."),
        ('[[price]]\nmodel = "m"\ninput = 3\n[[price]]\nmodel = "m"\ncost = 3', "own.toml, table 2: 'cost' is no key"),
        ('[[price]]\nmodel = "m"\ninput = true', "own.toml, table 1: input=True is no price in US dollars."),
        ('[[price]]\nmodel = "m"\ninput = "2,50"', "own.toml, table 1: input='2,50' is no price"),
        ('[[price]]\nmodel = "m"\ninput = nan', "is no price in US dollars."),
        ('[[price]]\nmodel = "m"\ninput = inf', "is no price in US dollars."),
        ('[[price]]\nmodel = "m"\ninput = "1e-30"', "input=1e-30 is finer or larger than can be kept."),
        ('[[price]]\nmodel = "m"\ninput = "1e30"', "input=1e30 is finer or larger than can be kept."),
        ('[[price]]\nmodel = "m"\ninput = 3\nfrom = "soon"', "table 1: from='soon' is no date."),
        ('[[price]]\nmodel = "m"\ninput = 3\nfrom = 2026-01-01T00:07:00Z', "is no moment at which a price can change."),
        ('[[price]]\nmodel = "m"\ninput = 3\nfrom = 2026-02-01\nto = 2026-01-01', "is not after from=2026-02-01."),
        ('[[price]]\nmodel = "m"\ninput = 3\ncurrency = "EUR"', "table 1: currency='EUR' cannot be added up."),
        ('[[price]]\nmodel = "m"\ninput = 3\ntiers = 3', "table 1: tiers is no list of tables."),
        ('[[price]]\nmodel = "m"\ninput = 3\n[[price.tiers]]\nabove = 1000\ninput = 4', "table 1, tier 1: above=1000"),
        (
            '[[price]]\nmodel = "m"\ninput = 3\n[[price.tiers]]\nabove = 200000\n[[price.tiers]]\nabove = 128000',
            "table 1: tiers do not rise.",
        ),
    ],
)
def test_a_mistake_is_a_sentence(toml, sentence):
    """What cannot be a price is refused with file, table, key and value."""
    with pytest.raises(SettingError) as refused:
        parse(toml, "own.toml")
    assert sentence in str(refused.value)
