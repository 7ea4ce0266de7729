"""`tracium store`: what is kept how long, what is deleted, how much there is, and its backup."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from tracium.cli import initialize
from tracium.cli.backend import backend_options, chosen_backend
from tracium.cli.keeping import keeper, progress_bar
from tracium.cli.serve import chosen_location, store_options
from tracium.cli.terminal import print_table, printable
from tracium.exceptions import StoreError
from tracium.server.client import Endpoint
from tracium.server.extra import server_extra
from tracium.server.keeping.held import Signal
from tracium.server.location import Directory

if TYPE_CHECKING:
    from tracium.server.keeping.receipt import Receipt
    from tracium.server.keeping.rules import Rule
    from tracium.server.keeping.sizes import Sizes

_AGE: Final = re.compile(r"([0-9]{1,6})([dwy]?)", re.ASCII)
_DAYS: Final = {"": 1, "d": 1, "w": 7, "y": 365}
_SHOWN_TENANTS: Final = 20
_SHOWN_DAYS: Final = 14
_THOUSAND: Final = 1000

_json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


class _Days(click.ParamType[int]):
    """A number of days: ``90``, ``90d``, ``12w`` or ``2y``."""

    name = "days"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        if isinstance(value, int):
            return value
        age = _AGE.fullmatch(value)
        if age is None:
            self.fail(f"{value!r} is no number of days such as 90, 90d, 12w or 2y", param, ctx)
        return int(age[1]) * _DAYS[age[2]]


_signal = click.argument("signal", type=click.Choice([one.value for one in Signal]))
_tenant_option = click.option("--tenant", metavar="T", help="Only for this tenant, before what holds for all.")


@click.group("store")
def command() -> None:
    """Say how long the store keeps what, delete, measure and back it up.

    Works while `tracium serve` runs, through it, and while it does not.
    """


command.add_command(initialize.command)


@command.group("retention", invoke_without_command=True)
@_json_option
@backend_options
@click.pass_context
def retention(context: click.Context, /, *, as_json: bool, **_: Any) -> None:
    """Show how long what is kept; `set`, `unset` and `apply` change it."""
    if context.invoked_subcommand is None:
        _show_rules(context, as_json=as_json)


@retention.command("set")
@_signal
@click.argument("days", type=_Days())
@_tenant_option
@backend_options
@click.pass_context
def set_rule(context: click.Context, /, *, signal: str, days: int, tenant: str | None, **_: Any) -> None:
    """Keep SIGNAL (spans, logs, metrics or rollups) for DAYS; what is older is hidden at once, and soon deleted."""
    _set(context, signal, tenant, days)


@retention.command("unset")
@_signal
@_tenant_option
@backend_options
@click.pass_context
def unset_rule(context: click.Context, /, *, signal: str, tenant: str | None, **_: Any) -> None:
    """Take a rule back: what holds for all tenants holds again, or the default."""
    _set(context, signal, tenant, None)


@retention.command("apply")
@backend_options
@click.pass_context
def apply(context: click.Context, /, **_: Any) -> None:
    """Delete now what is past its retention; a server does it every hour."""
    with keeper(context) as authority, progress_bar("Deleting"):
        expired = authority.apply()
    click.echo(f"Deleted {expired.partitions:,} whole days or months and {expired.rows:,} rows of tenants' own rules.")


@command.command("delete")
@click.option("--tenant", metavar="T", help="All that belongs to this tenant.")
@click.option("--user", metavar="U", help="What carries this user.id; with --tenant, of this tenant only.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@_json_option
@backend_options
@click.pass_context
def delete(
    context: click.Context, /, *, tenant: str | None, user: str | None, yes: bool, as_json: bool, **_: Any
) -> None:
    """Delete spans, logs, metrics and roll-ups of a tenant, or of a user, for good, and print a receipt.

    What ended before this moment and arrives later, or is sent again, is kept out; what ends later is kept.
    """
    from tracium.server.keeping.subject import Person  # noqa: PLC0415 - only this command needs it

    try:
        person = Person(tenant, user)
    except ValueError as error:
        raise click.UsageError(f"{error}. Give --tenant, --user or both.", context) from error
    whose = " of ".join(f"{what} {printable(name)}" for what, name in (("user", user), ("tenant", tenant)) if name)
    if not yes:
        click.confirm(f"Delete all that belongs to {whose}? Nothing can bring it back.", abort=True, err=True)
    with keeper(context) as authority, progress_bar("Deleting") as progress:
        receipt = authority.erase(person, progress)
    if as_json:
        click.echo(json.dumps(receipt.to_json(), indent=2))
    else:
        _print_receipt(receipt, whose)


@command.command("size")
@_json_option
@backend_options
@click.pass_context
def size(context: click.Context, /, *, as_json: bool, **_: Any) -> None:
    """Show how much there is: by tenant (estimated), by table, and spans by day."""
    with keeper(context) as authority, progress_bar("Measuring"):
        sizes = authority.sizes()
    if as_json:
        click.echo(json.dumps(sizes.to_json(), indent=2))
    else:
        _print_sizes(sizes)


@command.command("backup")
@click.argument("path", type=click.Path(path_type=Path))
@backend_options
@click.pass_context
def backup(context: click.Context, /, *, path: Path, **_: Any) -> None:
    """Copy the store of --data into a new directory PATH, while it receives or not.

    Every request that was acknowledged before is in it, and none half.
    """
    directory = _directory(context)
    if isinstance(asked := chosen_backend(context), Endpoint) and context.params["url"]:
        raise StoreError(f"{asked.url} may be on another machine: name its directory with --data.")
    with server_extra(context.command_path):
        from tracium.server.keeping.backup import copy_out, refuse_existing  # noqa: PLC0415 - needs the extra
    refuse_existing(path)
    with keeper(context) as authority, progress_bar("Copying") as progress:
        snapshot = authority.snapshot()
        try:
            made = copy_out(directory, snapshot, path, progress)
        finally:
            authority.drop_snapshot(snapshot.id)
    click.echo(
        f"Backed up {sum(made.rows.values()):,} rows to {path}. Restore it with: tracium store restore {path} --data DIR"
    )


@command.command("restore")
@click.argument("path", type=click.Path(path_type=Path))
@store_options
@click.pass_context
def restore(context: click.Context, /, *, path: Path, **_: Any) -> None:
    """Make the store of --data, where none may be yet, from the backup PATH."""
    directory = _directory(context)
    with server_extra(context.command_path):
        from tracium.server.keeping.backup import copy_in  # noqa: PLC0415 - needs the extra
        from tracium.server.lock import DirectoryLock  # noqa: PLC0415 - fcntl is missing on some platforms
        from tracium.server.store import Store  # noqa: PLC0415 - loads the engine
    with progress_bar("Copying") as progress:
        with DirectoryLock(directory):
            restored = copy_in(path, directory, progress)
        # Of an earlier release or not: what cannot be opened is no backup.
        Store(directory, create=False).close()
    click.echo(
        f"Restored {sum(restored.rows.values()):,} rows of {restored.made:%Y-%m-%d %H:%M} UTC to {directory}. "
        "What was deleted since then has to be deleted again."
    )


def _directory(context: click.Context) -> Directory:
    location = chosen_location(context)
    if isinstance(location, Directory):
        return location
    raise StoreError(
        f"the store in {location} is a ClickHouse server, which backs itself up: "
        "https://clickhouse.com/docs/operations/backup. This command is for a directory: --data DIR"
    )


def _set(context: click.Context, signal: str, tenant: str | None, days: int | None) -> None:
    try:
        with keeper(context, create=days is not None) as authority:
            authority.set_rule(Signal(signal), tenant, days)
            rules = authority.rules()
    except ValueError as error:
        raise click.UsageError(str(error), context) from error
    _print_rules(rules)


def _show_rules(context: click.Context, *, as_json: bool) -> None:
    with keeper(context) as authority:
        rules = authority.rules()
    if as_json:
        click.echo(json.dumps({"rules": [rule.to_json() for rule in rules]}, indent=2))
    else:
        _print_rules(rules)


def _print_rules(rules: tuple[Rule, ...]) -> None:
    print_table(
        ("Signal", "Tenant", "Kept"),
        (
            (rule.signal.value, rule.tenant or "(all)", f"{rule.days:,} days{' (default)' if rule.is_default else ''}")
            for rule in rules
        ),
    )


def _print_receipt(receipt: Receipt, whose: str) -> None:
    click.echo(f"Receipt {receipt.id}: deleted what belonged to {whose}")
    click.echo(f"until {receipt.before:%Y-%m-%d %H:%M:%S} UTC; finished {receipt.finished:%Y-%m-%d %H:%M:%S} UTC.\n")
    print_table(("Table", "Rows"), ((table, f"{rows:,}") for table, rows in receipt.rows.items()))
    if not receipt.files_removed:
        click.echo("The rows are deleted; the engine still holds replaced files and removes them soon.")
    for note in receipt.kept:
        click.echo(note)


def _print_sizes(sizes: Sizes) -> None:
    click.echo(f"{_shown_bytes(sizes.bytes)} on disk.\n")
    tenants = sizes.tenants[:_SHOWN_TENANTS]
    print_table(
        ("Tenant", "Spans", "Rows", "Bytes (estimated)"),
        (
            (one.tenant or "(none)", f"{one.spans:,}", f"{one.rows:,}", f"≈ {_shown_bytes(one.estimated_bytes)}")
            for one in tenants
        ),
    )
    if len(sizes.tenants) > len(tenants):
        click.echo(f"… and {len(sizes.tenants) - len(tenants):,} smaller ones: --json has them all.\n")
    print_table(
        ("Table", "Rows", "Bytes"), ((one.table, f"{one.rows:,}", _shown_bytes(one.bytes)) for one in sizes.tables)
    )
    print_table(
        ("Day (UTC)", "Spans", "Bytes"),
        ((one.day, f"{one.spans:,}", _shown_bytes(one.bytes)) for one in sizes.days[-_SHOWN_DAYS:]),
    )


def _shown_bytes(count: float) -> str:
    for unit in ("B", "kB", "MB", "GB"):
        if count < _THOUSAND:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= _THOUSAND
    return f"{count:.1f} TB"
