"""`tracium reprice`: the past at the prices that hold now."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

from tracium.cli.backend import backend_options
from tracium.cli.moments import Since
from tracium.cli.pricing import pricing
from tracium.cli.terminal import print_table
from tracium.server.extra import server_extra

if TYPE_CHECKING:
    from datetime import datetime
    from decimal import Decimal

    from tracium.server.prices.repricing import Repriced, Repricing


@click.command("reprice")
@click.option("--since", type=Since(), metavar="AGE|TIME", help="Where to begin.  [default: the first call]")
@click.option("--until", type=Since(), metavar="AGE|TIME", help="Where to end.  [default: no end]")
@click.option("--dry-run", is_flag=True, help="Only say what would change.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@backend_options
@click.pass_context
def command(
    context: click.Context,
    /,
    *,
    since: datetime | None,
    until: datetime | None,
    dry_run: bool,
    as_json: bool,
    **_: Any,
) -> None:
    """Let the prices that hold now hold for the past, too, and print what that changes.

    Without it, what cost something keeps its cost when prices change. Whole quarters of an hour are repriced.
    """
    if since is not None and until is not None and until <= since:
        raise click.BadParameter(f"{until.isoformat()} is not after --since {since.isoformat()}", param_hint="--until")
    with server_extra("tracium reprice"), pricing(context) as prices:
        repricing = prices.reprice(since, until, dry_run=dry_run)
    if as_json:
        click.echo(json.dumps(repricing.to_json(), indent=2))
    else:
        _print(repricing)


def _print(repricing: Repricing) -> None:
    if not repricing.changes:
        click.echo("Every call costs what it cost before: nothing changes.")
        return
    print_table(("Tenant", "Provider", "Model", "Calls", "Before", "After", "Unpriced"), map(_row, repricing.changes))
    before = sum(one.before for one in repricing.changes)
    after = sum(one.after for one in repricing.changes)
    word = "changed" if repricing.is_done else "would change"
    click.echo(f"In sum $ {before:,.2f} {word} to $ {after:,.2f}.")


def _row(one: Repriced) -> tuple[str, ...]:
    return (
        one.tenant or "(none)",
        one.provider or "–",
        one.model or "–",
        f"{one.calls:,}",
        _money(one.before),
        _money(one.after),
        f"{one.unpriced_before:,}"
        + ("" if one.unpriced_before == one.unpriced_after else f" → {one.unpriced_after:,}"),
    )


def _money(amount: Decimal) -> str:
    # Six digits: a call often costs less than a cent.
    return f"$ {amount:,.6f}"
