"""The options of `tracium serve` that let others reach it safely."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

import click

from tracium.server.access.protection import Network, Protection, Tls, network

if TYPE_CHECKING:
    from collections.abc import Callable

_P = ParamSpec("_P")
_R = TypeVar("_R")


class _Network(click.ParamType[Network]):
    """An address or a network."""

    name = "network"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Network:
        try:
            return network(str(value))
        except ValueError:
            self.fail(f"{value!r} is neither an address nor a network such as 10.0.0.0/8", param, ctx)


def protection_options(function: Callable[_P, _R]) -> Callable[_P, _R]:
    """Give a command the options for TLS, proxies and tokens; `chosen_protection` reads them."""
    certificate = click.option(
        "--tls-cert",
        envvar="TRACIUM_TLS_CERT",
        type=click.Path(exists=True, dir_okay=False, path_type=Path),
        metavar="FILE",
        help="Speak TLS with this certificate (PEM); needs --tls-key.",
    )
    key = click.option(
        "--tls-key",
        envvar="TRACIUM_TLS_KEY",
        type=click.Path(exists=True, dir_okay=False, path_type=Path),
        metavar="FILE",
        help="The key of --tls-cert (PEM, without a password).",
    )
    proxies = click.option(
        "--behind-proxy",
        "proxies",
        envvar="TRACIUM_BEHIND_PROXY",
        type=_Network(),
        multiple=True,
        metavar="NETWORK",
        help="A proxy that speaks TLS connects from there; nobody else is answered. May be repeated.",
    )
    require = click.option(
        "--require-token",
        envvar="TRACIUM_REQUIRE_TOKEN",
        is_flag=True,
        help="Want a token of every request although none was made yet.",
    )
    return certificate(key(proxies(require(function))))


def chosen_protection(context: click.Context) -> Protection:
    """What the options say.

    Raises:
        TraciumError: certificate and key cannot be used.
    """
    given = context.params
    if (given["tls_cert"] is None) is not (given["tls_key"] is None):
        raise click.UsageError("--tls-cert and --tls-key go together: name both.", context)
    tls = None if given["tls_cert"] is None else Tls(given["tls_cert"].absolute(), given["tls_key"].absolute())
    return Protection(tls, given["proxies"], given["require_token"])
