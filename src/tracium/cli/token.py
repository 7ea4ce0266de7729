"""`tracium token`: who may send to and read from the backend."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from tracium.cli.administration import administration
from tracium.cli.backend import backend_options
from tracium.cli.moments import Until
from tracium.cli.terminal import print_table, printable
from tracium.exceptions import StoreError
from tracium.server.access.permit import Permit
from tracium.server.access.principal import Grant, Kind

if TYPE_CHECKING:
    from tracium.server.access.token import Token


@click.group("token")
def command() -> None:
    """Make, list and revoke the tokens by which others send to and read from the backend.

    Once there is one, every request needs one. Works while `tracium serve` runs and while it does not; what is revoked
    is refused from that moment on.
    """


@command.command("create")
@click.option(
    "--kind",
    type=click.Choice([kind.value for kind in Kind]),
    required=True,
    help="ingest: send OTLP. usage: read numbers. read: read traces too. admin: everything.",
)
@click.option(
    "--tenant",
    "tenants",
    multiple=True,
    metavar="T",
    help="Bind it to this tenant, or to all below one: org_123:*; may be repeated.",
)
@click.option(
    "--grant",
    "grants",
    multiple=True,
    type=click.Choice([grant.value for grant in Grant]),
    help="Show this too to a token that is bound to a tenant; may be repeated.",
)
@click.option("--expires", type=Until(), metavar="AGE|TIME", help="Until when it holds: 90d, or a time.")
@click.option("--name", default="", metavar="TEXT", help="What you call it.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@backend_options
@click.pass_context
def create(  # noqa: PLR0913 - one for each option
    context: click.Context,
    /,
    *,
    kind: str,
    tenants: tuple[str, ...],
    grants: tuple[str, ...],
    expires: datetime | None,
    name: str,
    as_json: bool,
    **_: Any,
) -> None:
    """Make a token and print it: it is shown this once, and kept nowhere."""
    try:
        permit = Permit.of(kind, tenants, grants)
        with administration(context, create=True) as authority:
            made = authority.make(permit, name, expires)
    except ValueError as error:
        raise click.UsageError(str(error), context) from error
    if as_json:
        click.echo(json.dumps({"secret": made.secret, "token": made.token.to_json()}, indent=2))
        return
    click.echo(made.secret)
    # Not to where a script that catches the token would catch it too.
    click.echo(f"\nToken {made.token.id} of kind {kind}. {_how_to_use(permit)}", err=True)


@command.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@backend_options
@click.pass_context
def list_tokens(context: click.Context, /, *, as_json: bool, **_: Any) -> None:
    """List the tokens that were made, without their secrets."""
    with administration(context) as authority:
        tokens = authority.tokens()
    if as_json:
        click.echo(json.dumps({"tokens": [token.to_json() for token in tokens]}, indent=2))
    elif tokens:
        print_table(("Id", "Kind", "Tenants", "Grants", "Name", "Created", "State"), map(_row, tokens))
    else:
        click.echo("There is no token. Make one with: tracium token create --kind admin")


@command.command("revoke")
@click.argument("token_id", metavar="ID")
@backend_options
@click.pass_context
def revoke(context: click.Context, /, *, token_id: str, **_: Any) -> None:
    """End a token for good, and every browser's session that came from it."""
    with administration(context) as authority:
        token = authority.revoke(token_id)
    if token is None:
        raise StoreError(f"there is no token of the id {token_id!r}. See them with: tracium token list")
    click.echo(f"Token {printable(token_id)} is revoked.")


def _how_to_use(permit: Permit) -> str:
    if permit.kind is Kind.INGEST:
        return (
            "Apps send it with: OTEL_EXPORTER_OTLP_HEADERS=authorization=Bearer%20TOKEN\n"
            "From now on every request needs a token."
        )
    return "Send it as Authorization: Bearer TOKEN.\nFrom now on every request needs a token."


def _row(token: Token) -> tuple[str, ...]:
    permit = token.permit
    return (
        token.id,
        permit.kind.value,
        ", ".join(permit.tenants) or "(all)",
        ", ".join(sorted(permit.grants)) or ("–" if permit.tenants else "(all)"),
        token.name,
        f"{token.created:%Y-%m-%d %H:%M}",
        _state(token),
    )


def _state(token: Token) -> str:
    if token.revoked is not None:
        return f"revoked {token.revoked:%Y-%m-%d %H:%M}"
    if token.expires is None:
        return "valid"
    word = "expires" if token.expires > datetime.now(UTC) else "expired"
    return f"{word} {token.expires:%Y-%m-%d %H:%M}"
