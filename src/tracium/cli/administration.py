"""Who carries out what an administrator asks for: the server that runs, or this process on the store itself."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from tracium.cli.backend import chosen_backend, opened
from tracium.server.client import Endpoint

if TYPE_CHECKING:
    from collections.abc import Iterator

    import click

    from tracium.server.access.administration import Administration
    from tracium.server.access.remote import RemoteAdministration


@contextlib.contextmanager
def administration(context: click.Context, *, create: bool = False) -> Iterator[Administration | RemoteAdministration]:
    """The administration of the backend that a command's options name, while the block runs.

    Args:
        context: the command's.
        create: whether to make the store if there is none.

    Raises:
        MissingExtraError: a package of the backend is not installed.
        StoreError: the store cannot be opened.
    """
    backend = chosen_backend(context)
    if isinstance(backend, Endpoint):
        from tracium.server.access.remote import RemoteAdministration  # noqa: PLC0415 - of one of two ways

        yield RemoteAdministration(backend)
        return
    with opened(context, backend, create=create) as store:
        from tracium.server.access.administration import Administration  # noqa: PLC0415 - needs the extra
        from tracium.server.access.principal import Principal  # noqa: PLC0415 - of one of two ways

        yield Administration(store, Principal.operator())
