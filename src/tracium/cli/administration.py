"""Who carries out what an administrator asks for: the server that runs, or this process on the store itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tracium.cli.backend import reached

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    import click

    from tracium.server.access.administration import Administration
    from tracium.server.access.remote import RemoteAdministration
    from tracium.server.client import Endpoint
    from tracium.server.store import Store


def administration(
    context: click.Context, *, create: bool = False
) -> AbstractContextManager[Administration | RemoteAdministration]:
    """The administration of the backend that a command's options name; as `backend.reached`."""
    return reached(context, _remote, _local, create=create)


def _remote(endpoint: Endpoint) -> RemoteAdministration:
    from tracium.server.access.remote import RemoteAdministration  # noqa: PLC0415 - of one of two ways

    return RemoteAdministration(endpoint)


def _local(store: Store) -> Administration:
    from tracium.server.access.administration import Administration  # noqa: PLC0415 - needs the extra
    from tracium.server.access.principal import Principal  # noqa: PLC0415 - of one of two ways

    return Administration(store, Principal.operator())
