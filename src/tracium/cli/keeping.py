"""Who carries out what concerns the store as a whole: the server that runs, or this process on the store itself."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from tracium.cli.backend import reached

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

    import click

    from tracium.server.client import Endpoint
    from tracium.server.keeping.keeper import Keeper
    from tracium.server.keeping.remote import RemoteKeeper
    from tracium.server.store import Store


def keeper(context: click.Context, *, create: bool = False) -> AbstractContextManager[Keeper | RemoteKeeper]:
    """The keeper of the store that a command's options name; as `backend.reached`."""
    return reached(context, _remote, _local, create=create)


@contextlib.contextmanager
def progress_bar(what: str) -> Iterator[Callable[[int, int], None]]:
    """Draw on a terminal how far something is, while the block runs; what it gives takes done and total."""
    from rich.console import Console  # noqa: PLC0415 - of the extra `server`
    from rich.progress import Progress  # noqa: PLC0415

    # What a script reads stands on the standard output.
    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(what, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total or None)


def _remote(endpoint: Endpoint) -> RemoteKeeper:
    from tracium.server.keeping.remote import RemoteKeeper  # noqa: PLC0415 - of one of two ways

    return RemoteKeeper(endpoint)


def _local(store: Store) -> Keeper:
    from tracium.server.access.principal import Principal  # noqa: PLC0415 - of one of two ways
    from tracium.server.keeping.keeper import Keeper  # noqa: PLC0415 - needs the extra

    return Keeper(store, Principal.operator())
