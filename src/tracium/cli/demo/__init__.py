"""`tracium demo`: the whole product on one machine, with real traffic."""

from tracium.cli.demo.command import command

__all__ = ["command"]
