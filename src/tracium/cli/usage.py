"""`tracium usage`: what each tenant did."""

from __future__ import annotations

import contextlib
import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import click

from tracium.cli.backend import backend_options, chosen_backend
from tracium.cli.moments import Since
from tracium.cli.terminal import printable
from tracium.server.client import Endpoint, fetch_usage
from tracium.server.extra import server_extra
from tracium.server.location import Directory, Server
from tracium.server.scope import TenantScope
from tracium.server.sheet import sheet
from tracium.server.timerange import TimeRange
from tracium.server.usage import TenantUsage, UsageReport

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from decimal import Decimal

    from rich.table import Table

_MILLISECONDS_PER_SECOND: Final = 1000
# With it the table fills 80 columns when the numbers are large.
_TENANT_WIDTH: Final = 14
# An id up to this length, a UUID's, is not broken in two.
_WHOLE: Final = 36
_WIDEST: Final = 10_000


@click.command("usage")
@click.option("--tenant", "tenants", multiple=True, metavar="T", help="Only this tenant; may be repeated.")
@click.option(
    "--since", type=Since(), default="24h", show_default=True, metavar="AGE|TIME", help="How far to look back."
)
@click.option("--json", "form", flag_value="json", help="Print JSON.")
@click.option("--csv", "form", flag_value="csv", help="Print CSV.")
@backend_options
@click.pass_context
def command(context: click.Context, /, tenants: tuple[str, ...], since: datetime, form: str | None, **_: Any) -> None:
    """Print what each tenant did: traces, model calls, tokens, cost, errors, latency.

    Traces are distinct trace ids. Errors and latency are those of requests: server, consumer and parentless spans.
    Model calls are inference and embeddings calls. Works while `tracium serve` runs and while it does not.
    """
    scope = _scope(tenants)
    time_range = _until_now(since)
    with server_extra("tracium usage"):
        source = chosen_backend(context)
        with _patience():
            report = _ask(source, scope, time_range)
        _print(report, form, _nothing(source, scope))


def usage_table(rows: Sequence[TenantUsage], *, title: str | None = None) -> Table:
    """The table of `tracium usage`; safe for a terminal whatever the tenants are called.

    Args:
        rows: what each tenant did.
        title: a line above the table.
    """
    from rich.box import SIMPLE_HEAD  # noqa: PLC0415 - of the extra `server`
    from rich.table import Table  # noqa: PLC0415

    table = Table(
        title=title,
        title_justify="left",
        caption=_caption(rows),
        caption_justify="left",
        box=SIMPLE_HEAD,
        pad_edge=False,
        collapse_padding=True,
    )
    longest = max((_shown_tenant(row.tenant).cell_len for row in rows), default=0)
    table.add_column("Tenant", overflow="fold", width=max(_TENANT_WIDTH, min(longest, _WHOLE)))
    for heading in ("Traces", "Calls", "Tokens in", "Tokens out", "Cost", "Errors", "p50", "p95"):
        table.add_column(heading, justify="right", no_wrap=True)
    for row in rows:
        table.add_row(
            _shown_tenant(row.tenant),
            f"{row.traces:,}",
            f"{row.model_calls:,}",
            _shown_tokens(row.input_tokens, row.unknown_input),
            _shown_tokens(row.output_tokens, row.unknown_output),
            _shown_cost(row),
            f"{row.errors:,}",
            _shown_latency(row.p50_ms),
            _shown_latency(row.p95_ms),
        )
    return table


def usage_csv(rows: Sequence[TenantUsage]) -> str:
    """The rows as CSV under a header, with plain numbers; what is unknown, and no tenant, are empty cells."""
    return "".join(sheet(TenantUsage, rows))


def _scope(tenants: tuple[str, ...]) -> TenantScope:
    if not tenants:
        return TenantScope.all()
    try:
        return TenantScope.of(*tenants)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--tenant") from error


def _until_now(since: datetime) -> TimeRange:
    try:
        return TimeRange(since, datetime.now(UTC))
    except ValueError as error:
        raise click.BadParameter(f"{since.isoformat()} is in the future", param_hint="--since") from error


def _ask(source: Endpoint | Directory | Server, scope: TenantScope, time_range: TimeRange) -> UsageReport:
    if isinstance(source, Endpoint):
        return fetch_usage(source, scope, time_range)
    if isinstance(source, Directory) and not source.engine.exists():
        return UsageReport(time_range, ())
    return _read(source, scope, time_range)


def _read(location: Directory | Server, scope: TenantScope, time_range: TimeRange) -> UsageReport:
    from tracium.server.access.principal import Principal  # noqa: PLC0415 - loads the engine
    from tracium.server.queries import Question, TenantFilter, usage_report  # noqa: PLC0415 - loads the engine
    from tracium.server.store import Store  # noqa: PLC0415 - loads the engine

    asked = Question(time_range, TenantFilter.of(*(scope.tenants or ())))
    with Store(location, create=False) as store:
        return usage_report(store, Principal.operator(), asked)


@contextlib.contextmanager
def _patience() -> Iterator[None]:
    """Show on a terminal that something is going on: opening a store takes seconds."""
    from rich.console import Console  # noqa: PLC0415 - of the extra `server`

    console = Console(stderr=True)
    with console.status("Asking the store …") if console.is_terminal else contextlib.nullcontext():
        yield


def _print(report: UsageReport, form: str | None, if_empty: str) -> None:
    if form == "json":
        click.echo(json.dumps(report.to_json(), indent=2))
    elif form == "csv":
        click.echo(usage_csv(report.tenants), nl=False)
    elif report.tenants:
        print_usage(report.tenants, title=_shown_range(report.range))
    else:
        click.echo(f"Nothing from {_shown_range(report.range)}.\n{if_empty}")


def print_usage(rows: Sequence[TenantUsage], *, title: str | None = None) -> None:
    """Print the table as wide as it has to be."""
    table = usage_table(rows, title=title)
    from rich.console import Console  # noqa: PLC0415 - of the extra `server`
    from rich.measure import Measurement  # noqa: PLC0415 - of the extra `server`

    console = Console(highlight=False)
    # Rather a line that the terminal wraps than a number that lost its last digits.
    needed = Measurement.get(console, console.options.update(width=_WIDEST), table).maximum
    wide = Console(highlight=False, width=max(console.width, needed))
    wide.print(table)


def _nothing(source: Endpoint | Directory | Server, scope: TenantScope) -> str:
    """What to do where there is no usage to print."""
    whose = "" if scope.tenants is None else f" as {', '.join(map(printable, scope.tenants))}"
    endpoint = source.url if isinstance(source, Endpoint) else "http://localhost:4318"
    start = "" if isinstance(source, Endpoint) else "run `tracium serve`, then "
    return (
        f"To see usage, {start}start your app with tracium.trace() and OTEL_EXPORTER_OTLP_ENDPOINT={endpoint}, "
        f"use it{whose}, and ask again. For older data look further back: tracium usage --since 30d"
    )


def _shown_range(time_range: TimeRange) -> str:
    return f"{time_range.start:%Y-%m-%d %H:%M} to {time_range.end:%Y-%m-%d %H:%M} UTC"


def _caption(rows: Sequence[TenantUsage]) -> str | None:
    said = []
    if any(row.unknown_usage for row in rows):
        said.append("≥: some model calls did not report their tokens, so the true sum is higher.")
    if count := sum(row.unpriced_calls or 0 for row in rows):
        said.append(f"{count:,} model calls have no price and are not in the cost: `tracium prices` says why.")
    return "\n".join(said) or None


def _shown_tenant(tenant: str | None) -> Any:
    from rich.text import Text  # noqa: PLC0415 - of the extra `server`

    # Text is never read as rich's markup.
    return Text("(none)", style="dim italic") if tenant is None else Text(printable(tenant))


def _shown_tokens(known: int | None, unknown: int) -> str:
    if known is None:
        return "unknown"
    return f"≥ {known:,}" if unknown else f"{known:,}"


def _shown_cost(row: TenantUsage) -> str:
    """What it cost, as a lower bound where a part of it is unknown; no price is not no cost."""
    if row.cost is None:
        # Without a count, who asks may not see money.
        return "–" if row.unpriced_calls is None else "unpriced" if row.unpriced_calls else "unknown"
    shown = _dollars(row.cost)
    return f"≥ {shown}" if row.unknown_usage or row.unpriced_calls else shown


def _dollars(amount: Decimal) -> str:
    """Cents where they say something, else the first two digits that do: a call may cost a hundredth of a cent."""
    if not amount or amount >= 1:
        return f"${amount:,.2f}"
    return f"${amount:.{max(2, 1 - amount.adjusted())}f}"


def _shown_latency(milliseconds: float | None) -> str:
    if milliseconds is None:
        return "–"
    if milliseconds < _MILLISECONDS_PER_SECOND:
        return f"{milliseconds:.3g} ms" if milliseconds < 10 else f"{milliseconds:.0f} ms"  # noqa: PLR2004 - three digits
    return f"{milliseconds / _MILLISECONDS_PER_SECOND:,.2f} s"
