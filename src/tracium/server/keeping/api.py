"""Retention, erasure, sizes and snapshots over HTTP, for administrators."""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from starlette.responses import JSONResponse, Response

from tracium.exceptions import StoreError
from tracium.server.access.answer import refused
from tracium.server.body import json_object
from tracium.server.keeping.held import Signal
from tracium.server.keeping.keeper import Keeper
from tracium.server.keeping.snapshot import is_id
from tracium.server.keeping.subject import Person
from tracium.server.refusal import Refusal
from tracium.server.scope import MAX_TENANT_LENGTH

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.requests import Request

    from tracium.server.keeping.receipt import Receipt
    from tracium.server.store import Store

_logger: Final = logging.getLogger(__name__)
_RULE: Final = ("signal", "tenant", "days")
_PERSON: Final = ("tenant", "user")
# How many erasures can be asked about after they have ended.
_REMEMBERED: Final = 100


@dataclass(slots=True)
class _Erasing:
    """One erasure that was begun here."""

    done: int = 0
    total: int = 0
    receipt: Receipt | None = None
    error: str | None = None

    def advance(self, done: int, total: int) -> None:
        self.done, self.total = done, total

    def to_json(self, number: str) -> dict[str, Any]:
        receipt = None if self.receipt is None else self.receipt.to_json()
        return {"id": number, "done": self.done, "total": self.total, "receipt": receipt, "error": self.error}


class KeepingApi:
    """The endpoints; what blocks runs in a thread."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._erasing: OrderedDict[str, _Erasing] = OrderedDict()
        self._tasks: set[asyncio.Task[None]] = set()
        self._numbers = 0

    def retention(self, request: Request) -> Response:
        """``GET /api/v1/store/retention``: every rule that holds."""
        return _answered(request, lambda: {"rules": [rule.to_json() for rule in self._keeper(request).rules()]})

    async def set_retention(self, request: Request) -> Response:
        """``PUT /api/v1/store/retention`` with signal, days (null takes the rule back) and tenant (null: all)."""
        try:
            told = await json_object(request, _RULE)
            signal, tenant, days = _signal(told), _name(told, "tenant"), _days(told)
            await asyncio.to_thread(self._keeper(request).set_rule, signal, tenant, days)
        except (ValueError, Refusal, StoreError) as error:
            return _failed(request, error)
        return await asyncio.to_thread(self.retention, request)

    def apply_retention(self, request: Request) -> Response:
        """``POST /api/v1/store/retention/apply``: delete now what is past its retention."""

        def applied() -> dict[str, Any]:
            expired = self._keeper(request).apply()
            return {"partitions": expired.partitions, "rows": expired.rows}

        return _answered(request, applied)

    async def erase(self, request: Request) -> Response:
        """``POST /api/v1/store/erasures`` with tenant, user or both: begins; the answer says where to ask how far it is."""
        try:
            told = await json_object(request, _PERSON)
            person = Person(_name(told, "tenant"), _name(told, "user"))
        except (ValueError, Refusal) as error:
            return _failed(request, error)
        self._numbers += 1
        number, erasing = str(self._numbers), _Erasing()
        self._erasing[number] = erasing
        while len(self._erasing) > _REMEMBERED:
            self._erasing.popitem(last=False)
        task = asyncio.create_task(_run(self._keeper(request), person, erasing), name="tracium-erasing")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return JSONResponse(erasing.to_json(number), 201)

    def erasing(self, request: Request) -> Response:
        """``GET /api/v1/store/erasures/{id}``: how far it is, and in the end the receipt."""
        number: str = request.path_params["id"]
        erasing = self._erasing.get(number)
        if erasing is None:
            return JSONResponse({"error": f"this server began no erasure {number!r} of late."}, 404)
        return JSONResponse(erasing.to_json(number))

    def size(self, request: Request) -> Response:
        """``GET /api/v1/store/size``: how much there is, by table, tenant and day."""
        return _answered(request, lambda: self._keeper(request).sizes().to_json())

    def snapshot(self, request: Request) -> Response:
        """``POST /api/v1/store/snapshots``: hold this moment fast, for whoever can read the data directory to copy."""
        return _answered(request, lambda: self._keeper(request).snapshot().to_json())

    def drop_snapshot(self, request: Request) -> Response:
        """``DELETE /api/v1/store/snapshots/{id}``: let it go."""
        snapshot_id: str = request.path_params["id"]
        if not is_id(snapshot_id):
            return JSONResponse({"error": f"{snapshot_id[:100]!r} is no snapshot's id."}, 404)

        def dropped() -> dict[str, Any]:
            self._keeper(request).drop_snapshot(snapshot_id)
            return {}

        return _answered(request, dropped)

    def _keeper(self, request: Request) -> Keeper:
        return Keeper(self._store, request.state.principal, request.client.host if request.client else "")


async def _run(keeper: Keeper, person: Person, erasing: _Erasing) -> None:
    try:
        erasing.receipt = await asyncio.to_thread(keeper.erase, person, erasing.advance)
    except Exception as error:  # noqa: BLE001 - whatever it is, somebody asks how far it is
        _logger.error("an erasure is not finished yet: %s", error)  # noqa: TRY400 - the message says it
        erasing.error = str(error)


def _answered(request: Request, answer: Callable[[], dict[str, Any]]) -> Response:
    try:
        return JSONResponse(answer())
    except StoreError as error:
        return _failed(request, error)


def _failed(request: Request, error: Exception) -> Response:
    if isinstance(error, Refusal):
        return refused(request.scope, error)
    return JSONResponse({"error": str(error)}, 503 if isinstance(error, StoreError) else 400)


def _signal(told: dict[str, Any]) -> Signal:
    try:
        return Signal(str(told.get("signal")))
    except ValueError as error:
        raise ValueError(f"signal={told.get('signal')!r} is none of {', '.join(Signal)}.") from error


def _name(told: dict[str, Any], name: str) -> str | None:
    value = told.get(name)
    if value is not None and (not isinstance(value, str) or len(value) > MAX_TENANT_LENGTH):
        raise ValueError(f"{name} has to be text of at most {MAX_TENANT_LENGTH} characters, or null.")
    return value


def _days(told: dict[str, Any]) -> int | None:
    if "days" not in told:
        # Left out by mistake it would take the rule back.
        raise ValueError("days is missing: say for how many, or null to take the rule back.")
    days = told["days"]
    if days is not None and (not isinstance(days, int) or isinstance(days, bool)):
        raise ValueError(f"days={days!r} is neither a whole number nor null.")
    return days
