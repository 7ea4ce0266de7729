"""Which backend a command asks: a server that runs, or the store itself."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, ParamSpec, TypeVar

import click

from tracium.cli.serve import chosen_location, store_options
from tracium.exceptions import StoreError
from tracium.server.client import Endpoint
from tracium.server.extra import server_extra
from tracium.server.location import Directory, Server

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tracium.server.store import Store

_P = ParamSpec("_P")
_R = TypeVar("_R")
_L = TypeVar("_L")


def backend_options(function: Callable[_P, _R]) -> Callable[_P, _R]:
    """Give a command ``--url`` and ``--token`` beside those of the store; `chosen_backend` reads them."""
    url = click.option("--url", envvar="TRACIUM_URL", metavar="URL", help="Ask the `tracium serve` that answers there.")
    token = click.option(
        "--token",
        envvar="TRACIUM_TOKEN",
        metavar="TOKEN",
        help="What to show at --url. TRACIUM_TOKEN keeps it out of the list of processes.",
    )
    return store_options(url(token(function)))


def chosen_backend(context: click.Context) -> Endpoint | Directory | Server:
    """What the options name: with ``--url`` a server, else the store or, if one has it open, the server of the store."""
    if url := context.params["url"]:
        return Endpoint(url, context.params["token"])
    location = chosen_location(context)
    if isinstance(location, Server) or not location.engine.exists():
        return location
    return _running(location) or location


@contextlib.contextmanager
def opened(context: click.Context, location: Directory | Server, *, create: bool) -> Iterator[Store]:
    """The store itself, for a command that no server answers, while the block runs.

    Args:
        context: the command's.
        location: what `chosen_backend` answered.
        create: whether to make the store if there is none.

    Raises:
        MissingExtraError: a package of the backend is not installed.
        StoreError: there is no store, or it cannot be opened.
    """
    if isinstance(location, Directory) and not create and not location.engine.exists():
        raise StoreError(
            f"there is no store in {location}: nothing was ever received there. "
            "Start `tracium serve`, or name another directory with --data."
        )
    with server_extra(context.command_path):
        from tracium.server.store import Store  # noqa: PLC0415 - loads the engine

        store = Store(location, create=create)
    with store:
        yield store


@contextlib.contextmanager
def reached(
    context: click.Context, remote: Callable[[Endpoint], _R], local: Callable[[Store], _L], *, create: bool
) -> Iterator[_R | _L]:
    """Who carries out what a command asks for, while the block runs: the server that runs, or this process on the store.

    Args:
        context: the command's, whose options name the backend.
        remote: makes who asks a server.
        local: makes who works on the store itself.
        create: whether to make the store if there is none.

    Raises:
        MissingExtraError: a package of the backend is not installed.
        StoreError: there is no store, or it cannot be opened.
    """
    backend = chosen_backend(context)
    if isinstance(backend, Endpoint):
        yield remote(backend)
        return
    with opened(context, backend, create=create) as store:
        yield local(store)


def _running(directory: Directory) -> Endpoint | None:
    """The server that has `directory` open: whoever may read the directory is its operator."""
    from tracium.server.access.operatorkey import found  # noqa: PLC0415 - not needed with --url
    from tracium.server.lock import holder  # noqa: PLC0415 - fcntl is missing where only a server can be used

    by = holder(directory)
    if by is None or by.url is None:
        return None
    key = found(directory)
    return Endpoint(by.url) if key is None else Endpoint(by.url, key.token, key.certificate)
