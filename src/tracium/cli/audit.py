"""`tracium audit`: what was done with an administrator's power, and who read content."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

from tracium.cli.administration import administration
from tracium.cli.backend import backend_options
from tracium.cli.moments import Since
from tracium.cli.terminal import print_table

if TYPE_CHECKING:
    from datetime import datetime

    from tracium.server.access.audit import Entry

_MOST: int = 10_000


@click.command("audit")
@click.option(
    "--since", type=Since(), default="7d", show_default=True, metavar="AGE|TIME", help="How far to look back."
)
@click.option(
    "--limit", type=click.IntRange(1, _MOST), default=1000, show_default=True, help="How many entries at most."
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@backend_options
@click.pass_context
def command(context: click.Context, /, *, since: datetime, limit: int, as_json: bool, **_: Any) -> None:
    """Print the audit log, the newest entry first: deeds of administrators, and reads of content."""
    with administration(context) as authority:
        entries = authority.entries(since, limit)
    if as_json:
        click.echo(json.dumps({"entries": [entry.to_json() for entry in entries]}, indent=2))
    elif entries:
        print_table(("Time (UTC)", "Who", "Kind", "Action", "Target", "Detail", "From"), map(_row, entries))
    else:
        click.echo(f"Nothing since {since:%Y-%m-%d %H:%M} UTC. For older entries look further back: --since 90d")


def _row(entry: Entry) -> tuple[str, ...]:
    return (
        f"{entry.time:%Y-%m-%d %H:%M:%S}",
        entry.principal,
        entry.kind,
        entry.action,
        entry.target,
        entry.detail,
        entry.address or "(this machine)",
    )
