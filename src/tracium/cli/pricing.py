"""Who answers questions about prices: the server that runs, or this process on the store itself."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Protocol

from tracium.cli.backend import reached
from tracium.exceptions import StoreError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager
    from datetime import datetime

    import click

    from tracium.server.client import Endpoint
    from tracium.server.prices.report import PriceReport
    from tracium.server.prices.repricing import Repricing
    from tracium.server.store import Store


class Pricing(Protocol):
    """What can be asked about prices."""

    def report(self) -> PriceReport:
        """Every price of what was seen, and what has none."""

    def load(self, text: str, name: str) -> bool:
        """Take a TOML file of prices; answer whether it says anything new."""

    def reprice(self, since: datetime | None, until: datetime | None, *, dry_run: bool) -> Repricing:
        """Let the prices that hold now hold for a stretch of the past."""


def pricing(context: click.Context, *, create: bool = False) -> AbstractContextManager[Pricing]:
    """The prices of the backend that a command's options name; as `backend.reached`."""
    return reached(context, _Remote, _Local, create=create)


class _Local:
    """Prices of a store that this process has open."""

    def __init__(self, store: Store) -> None:
        from tracium.server.access.audit import Audit  # noqa: PLC0415 - of one of two ways
        from tracium.server.access.principal import Principal  # noqa: PLC0415
        from tracium.server.prices.book import book  # noqa: PLC0415

        self._store = store
        self._book = book(store)
        self._audit = Audit(store)
        self._operator = Principal.operator()

    def report(self) -> PriceReport:
        from tracium.server.prices.report import report  # noqa: PLC0415 - of one of two ways

        self._book.ensure()
        return report(self._store)

    def load(self, text: str, name: str) -> bool:
        self._note("prices.load", name)
        is_changed = self._book.load(text, name)
        self._book.ensure()
        return is_changed

    def reprice(self, since: datetime | None, until: datetime | None, *, dry_run: bool) -> Repricing:
        from tracium.server.prices.repricing import reprice  # noqa: PLC0415 - of one of two ways

        if not dry_run:
            self._note("prices.reprice", f"from={since or ''} to={until or ''}")
        return reprice(self._store, since, until, dry_run=dry_run)

    def _note(self, action: str, detail: str) -> None:
        self._audit.note(self._operator, action, "prices", detail=detail)


class _Remote:
    """Prices of a server that runs, over its API."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint

    def report(self) -> PriceReport:
        from tracium.server.prices.report import PriceReport  # noqa: PLC0415 - of one of two ways

        with self._understood():
            return PriceReport.from_json(self._endpoint.ask("GET", "/api/v1/prices"))

    def load(self, text: str, name: str) -> bool:
        with self._understood():
            return bool(self._endpoint.ask("PUT", "/api/v1/prices", {"name": name, "toml": text})["changed"])

    def reprice(self, since: datetime | None, until: datetime | None, *, dry_run: bool) -> Repricing:
        from tracium.server.prices.repricing import Repricing  # noqa: PLC0415 - of one of two ways

        told = {
            "from": None if since is None else since.isoformat(),
            "to": None if until is None else until.isoformat(),
            "dry_run": dry_run,
        }
        with self._understood():
            return Repricing.from_json(self._endpoint.ask("POST", "/api/v1/reprice", told, timeout=600))

    @contextlib.contextmanager
    def _understood(self) -> Iterator[None]:
        try:
            yield
        except (KeyError, TypeError, ValueError) as error:
            raise StoreError(
                f"{self._endpoint.url} answers, but not about prices: is it a `tracium serve` of this release?"
            ) from error
