"""The `tracium` command and its sub-commands, each imported only when it is called."""

from __future__ import annotations

import importlib
import sys
from typing import Final

import click

from tracium.exceptions import TraciumError

COMMANDS: Final = {
    "audit": "Print who did what with an administrator's power, and who read content.",
    "demo": "Run the whole product on this machine: backend, app, traffic, table.",
    "doctor": "Say where telemetry goes, what is instrumented, and what is wrong.",
    "prices": "Print what model calls cost and which have no price; load prices of your own.",
    "reprice": "Let the prices that hold now hold for the past, too.",
    "serve": "Receive OTLP on this machine and keep it in the local store.",
    "store": "Say how long what is kept; delete, measure, back up and restore the store.",
    "token": "Make, list and revoke the tokens that let others send and read.",
    "usage": "Print what each tenant did: traces, model calls, tokens, cost, errors, latency.",
}


class _LazyGroup(click.Group):
    """A group that knows its commands by name and imports `tracium.cli.NAME` on use."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        return sorted(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - click's signature
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = importlib.import_module(f"tracium.cli.{cmd_name}").command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 - click's signature
        with formatter.section("Commands"):
            formatter.write_dl(sorted(COMMANDS.items()))


@click.group(cls=_LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="tracium", prog_name="tracium")
def cli() -> None:
    """tracium: which customer caused this trace, this error, this bill?"""


def main() -> None:
    """Run the command line; an error of ours is one sentence on stderr and exit code 1."""
    try:
        cli()
    except TraciumError as error:
        click.echo(f"tracium: {error}", err=True)
        sys.exit(1)
