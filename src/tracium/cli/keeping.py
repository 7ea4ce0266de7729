"""Who carries out what concerns the store as a whole: the server that runs, or this process on the store itself."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from tracium.cli.backend import chosen_backend, opened
from tracium.server.client import Endpoint

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import click

    from tracium.server.keeping.keeper import Keeper
    from tracium.server.keeping.remote import RemoteKeeper


@contextlib.contextmanager
def keeper(context: click.Context, *, create: bool = False) -> Iterator[Keeper | RemoteKeeper]:
    """The keeper of the store that a command's options name, while the block runs.

    Args:
        context: the command's.
        create: whether to make the store if there is none.

    Raises:
        MissingExtraError: a package of the backend is not installed.
        StoreError: the store cannot be opened.
    """
    backend = chosen_backend(context)
    if isinstance(backend, Endpoint):
        from tracium.server.keeping.remote import RemoteKeeper  # noqa: PLC0415 - of one of two ways

        yield RemoteKeeper(backend)
        return
    with opened(context, backend, create=create) as store:
        from tracium.server.access.principal import Principal  # noqa: PLC0415 - of one of two ways
        from tracium.server.keeping.keeper import Keeper  # noqa: PLC0415 - needs the extra

        yield Keeper(store, Principal.operator())


@contextlib.contextmanager
def progress_bar(what: str) -> Iterator[Callable[[int, int], None]]:
    """Draw on a terminal how far something is, while the block runs; what it gives takes done and total."""
    from rich.console import Console  # noqa: PLC0415 - of the extra `server`
    from rich.progress import Progress  # noqa: PLC0415

    # What a script reads stands on the standard output.
    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(what, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total or None)
