"""Prices over HTTP, for administrators: what is priced, other prices, and the past at today's."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from starlette.responses import JSONResponse, Response

from tracium.exceptions import StoreError
from tracium.server.access.answer import refused
from tracium.server.access.audit import Audit
from tracium.server.body import json_object
from tracium.server.prices.book import book
from tracium.server.prices.catalogue import LookUpError
from tracium.server.prices.report import report
from tracium.server.prices.repricing import reprice
from tracium.server.refusal import Refusal

if TYPE_CHECKING:
    from starlette.requests import Request

    from tracium.server.store import Store

_MOST_BYTES: Final = 1024 * 1024
_NAME_LENGTH: Final = 255


class PricesApi:
    """The endpoints; what blocks runs in a thread."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._audit = Audit(store)

    def prices(self, _request: Request) -> Response:
        """``GET /api/v1/prices``: every price of what was seen, and what has none."""
        try:
            book(self._store).ensure()
            return JSONResponse(report(self._store).to_json())
        except StoreError as error:
            return JSONResponse({"error": str(error)}, 503)

    async def load(self, request: Request) -> Response:
        """``PUT /api/v1/prices`` with name and toml, a file of overrides: it takes the place of the one before."""
        try:
            told = await json_object(request, ("name", "toml"), most_bytes=_MOST_BYTES)
            name, toml = _text(told, "name"), _text(told, "toml")
            return await asyncio.to_thread(self._load, request, name[:_NAME_LENGTH], toml)
        except Refusal as cause:
            return refused(request.scope, cause)
        except ValueError as error:
            return JSONResponse({"error": str(error)}, 400)
        except StoreError as error:
            return JSONResponse({"error": str(error)}, 503)

    async def reprice(self, request: Request) -> Response:
        """``POST /api/v1/reprice`` with from, to and dry_run: the past at the prices that hold now, and what it changes."""
        try:
            told = await json_object(request, ("from", "to", "dry_run"))
            since, until, dry_run = _time(told, "from"), _time(told, "to"), _flag(told, "dry_run")
            _refuse_nothing(since, until)
            return await asyncio.to_thread(self._reprice, request, since, until, dry_run)
        except Refusal as cause:
            return refused(request.scope, cause)
        except ValueError as error:
            return JSONResponse({"error": str(error)}, 400)
        except (StoreError, LookUpError) as error:
            return JSONResponse({"error": str(error)}, 503)

    def _load(self, request: Request, name: str, toml: str) -> Response:
        self._note(request, "prices.load", name)
        is_changed = book(self._store).load(toml, name)
        book(self._store).ensure()
        return JSONResponse({"changed": is_changed})

    def _reprice(self, request: Request, since: datetime | None, until: datetime | None, dry_run: bool) -> Response:  # noqa: FBT001 - as to_thread calls it
        if not dry_run:
            self._note(request, "prices.reprice", f"from={since or ''} to={until or ''}")
        return JSONResponse(reprice(self._store, since, until, dry_run=dry_run).to_json())

    def _note(self, request: Request, action: str, detail: str) -> None:
        address = request.client.host if request.client else ""
        self._audit.note(request.state.principal, action, "prices", detail=detail, address=address)


def _refuse_nothing(since: datetime | None, until: datetime | None) -> None:
    if since is not None and until is not None and since >= until:
        raise ValueError(f"from={since.isoformat()} is not before to={until.isoformat()}: nothing lies between.")


def _text(told: dict[str, Any], name: str) -> str:
    text = told.get(name)
    if not isinstance(text, str):
        raise ValueError(f"{name}={text!r} is no text.")  # noqa: TRY004 - a value that came from outside
    return text


def _flag(told: dict[str, Any], name: str) -> bool:
    flag = told.get(name, False)
    if not isinstance(flag, bool):
        raise ValueError(f"{name}={flag!r} is neither true nor false.")  # noqa: TRY004 - a value that came from outside
    return flag


def _time(told: dict[str, Any], name: str) -> datetime | None:
    text = told.get(name)
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except (ValueError, TypeError) as error:
        raise ValueError(f"{name}={text!r} is not a time in ISO 8601, such as 2026-01-31T12:00:00Z.") from error
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
