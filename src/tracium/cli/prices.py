"""`tracium prices`: what model calls cost, and which have no price."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from tracium.cli.backend import backend_options
from tracium.cli.pricing import pricing
from tracium.cli.terminal import print_table
from tracium.server.extra import server_extra
from tracium.server.sheet import safe_cell

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime
    from decimal import Decimal

    from tracium.server.prices.report import Price, PriceReport, Unpriced

_PRICE_HEADINGS: Final = (
    "Provider",
    "Model",
    "Tier",
    "When",
    "Input",
    "Cached",
    "Cache write",
    "Output",
    "Request",
    "Source",
)
_UNPRICED_HEADINGS: Final = ("Provider", "Model", "Tier", "Calls", "Tokens in", "Tokens out", "Why")


@click.group("prices", invoke_without_command=True)
@click.option("--json", "form", flag_value="json", help="Print JSON.")
@click.option("--csv", "form", flag_value="csv", help="Print CSV.")
@backend_options
@click.pass_context
def command(context: click.Context, /, *, form: str | None, **_: Any) -> None:
    """Print what the models cost that were seen, and which model calls have no price.

    Prices are US dollars for a million tokens. They come from genai-prices, which is installed with tracium and asks
    nobody, and from your own file. Works while `tracium serve` runs and while it does not.
    """
    if context.invoked_subcommand is not None:
        return
    with server_extra("tracium prices"), pricing(context) as prices:
        report = prices.report()
    if form == "json":
        click.echo(json.dumps(report.to_json(), indent=2))
    elif form == "csv":
        click.echo(_csv(report), nl=False)
    else:
        _print(report)


@command.command("load")
@click.argument("path", metavar="FILE", type=click.Path(dir_okay=False, path_type=Path))
@backend_options
@click.pass_context
def load(context: click.Context, /, *, path: Path, **_: Any) -> None:
    """Take prices of your own from a TOML file, in the place of those that were loaded before.

    They hold from the next quarter of an hour on, and for the past where there was no price. An empty file takes all of
    them away. To change the past: tracium reprice.
    """
    with server_extra("tracium prices"):
        from tracium.server.prices.overrides import read_file  # noqa: PLC0415 - not needed for --help

        overrides = read_file(path)
        with pricing(context, create=True) as prices:
            is_changed = prices.load(overrides.text, overrides.name)
    if not is_changed:
        click.echo(f"{path.name} says what was loaded before: nothing changes.")
        return
    count = len(overrides.rules)
    loaded = f"{count} price of {path.name} is loaded" if count == 1 else f"{count} prices of {path.name} are loaded"
    click.echo(f"{loaded}. What cost something already keeps its cost until you run: tracium reprice")


def _print(report: PriceReport) -> None:
    if report.prices:
        click.echo("US dollars for a million tokens")
        print_table(_PRICE_HEADINGS, map(_price_row, report.prices))
    if report.unpriced:
        click.echo("Without a price")
        print_table(_UNPRICED_HEADINGS, map(_unpriced_row, report.unpriced))
    if not report.prices and not report.unpriced:
        click.echo("No model call was received yet, so nothing was priced.")


def _price_row(price: Price) -> tuple[str, ...]:
    return (
        price.provider or "–",
        price.model or "–",
        price.service_tier or "–",
        ", ".join(_when(price)) or "always",
        *(_shown(one) for one in (price.input, price.cache_read, price.cache_write, price.output, price.request)),
        f"{price.source} {price.version}",
    )


def _when(price: Price) -> Iterator[str]:
    if price.start is not None:
        yield f"from {_moment(price.start)}"
    if price.end is not None:
        yield f"until {_moment(price.end)}"
    if price.day_start is not None or price.day_end is not None:
        yield f"{price.day_start or '00:00'}–{price.day_end or '24:00'} UTC"
    if price.above:
        yield f"input > {price.above:,}"
    if price.up_to is not None:
        yield f"input ≤ {price.up_to:,}"


def _moment(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M}".removesuffix(" 00:00")


def _shown(price: Decimal | None) -> str:
    return "–" if price is None else f"{price:f}"


def _unpriced_row(one: Unpriced) -> tuple[str, ...]:
    numbers = (f"{number:,}" for number in (one.calls, one.input_tokens, one.output_tokens))
    return (one.provider or "–", one.model or "–", one.service_tier or "–", *numbers, one.reason)


def _csv(report: PriceReport) -> str:
    """Prices and unpriced calls as one table: what does not apply to a row is an empty cell."""
    from tracium.server.prices.report import Price, Unpriced  # noqa: PLC0415 - not needed for --help

    columns = list(dict.fromkeys(field.name for kind in (Price, Unpriced) for field in fields(kind)))
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, lineterminator="\r\n")
    writer.writeheader()
    told = report.to_json()
    for row in (*told["prices"], *told["unpriced"]):
        writer.writerow({name: safe_cell(value) if isinstance(value, str) else value for name, value in row.items()})
    return text.getvalue()
