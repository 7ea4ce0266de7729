"""The endpoints as routes: JSON and CSV of the same rows under the same URL."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

from starlette.responses import JSONResponse, Response, StreamingResponse

from tracium.exceptions import StoreError
from tracium.server import queries
from tracium.server.access.audit import Audit
from tracium.server.access.gate import peer_of
from tracium.server.access.route import ANYONE, EVERY_KIND, GuardedRoute
from tracium.server.api.endpoint import Asked
from tracium.server.api.endpoints import ENDPOINTS
from tracium.server.api.openapi import document
from tracium.server.api.parameter import read_all
from tracium.server.api.parameters import COLUMNS
from tracium.server.plain import columns, plain
from tracium.server.sheet import sheet
from tracium.server.unavailable import unavailable

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.requests import Request

    from tracium.server.api.endpoint import Endpoint, Report
    from tracium.server.plain import Plain
    from tracium.server.store import Store

ROOT: Final = "/api/v1"
_JSON: Final = "application/json"
_CSV: Final = "text/csv"
_CHUNK_LINES: Final = 200


class Api:
    """The endpoints that read; each runs in a thread, because the store's answers block."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def routes(self) -> list[GuardedRoute]:
        """A route for each endpoint, and one for each form of its answer, by the ending of the path."""
        made = [
            GuardedRoute("GET", f"{ROOT}{endpoint.path}{ending}", self._answering(endpoint, form), endpoint.audience)
            for ending, form in ((".csv", _CSV), (".json", _JSON), ("", None))
            for endpoint in ENDPOINTS
        ]
        return [
            *made,
            GuardedRoute("GET", f"{ROOT}/openapi.json", self.openapi, EVERY_KIND),
            *(GuardedRoute("GET", f"{root}/health", self.health, ANYONE) for root in ("", ROOT)),
            *(GuardedRoute("GET", f"{root}/ready", self.ready, EVERY_KIND) for root in ("", ROOT)),
        ]

    def openapi(self, _request: Request) -> JSONResponse:
        """``GET /api/v1/openapi.json``: what there is to ask, for programs."""
        return JSONResponse(document())

    def health(self, _request: Request) -> JSONResponse:
        """``GET /health``: the process answers."""
        return JSONResponse({"status": "ok"})

    def ready(self, request: Request) -> JSONResponse:
        """``GET /ready``: the store answers, too."""
        try:
            queries.ready(self._store)
        except StoreError as error:
            return _failed(unavailable(error, request.state.principal), 503)
        return JSONResponse({"status": "ready"})

    def _answering(self, endpoint: Endpoint, form: str | None) -> Callable[[Request], Response]:
        def answer(request: Request) -> Response:
            try:
                return self._answer(endpoint, request, form or _accepted(request))
            except StoreError as error:
                return _failed(unavailable(error, request.state.principal), 503)
            except ValueError as error:
                return _failed(str(error), 400)

        return answer

    def _answer(self, endpoint: Endpoint, request: Request, form: str) -> Response:
        values = read_all(endpoint.parameters, request.path_params, request.query_params.multi_items())
        asker = request.state.principal
        report = endpoint.answer(Asked(self._store, asker, values))
        if report is None:
            return JSONResponse({"error": "there is nothing of this id that you may see"}, 404)
        if endpoint.target is not None and getattr(report, "has_content", False):
            # Before the answer: what cannot be noted is not shown.
            Audit(self._store).note(asker, "content.read", values[endpoint.target], address=peer_of(request))
        if COLUMNS in endpoint.parameters and values[COLUMNS] and form == _JSON:
            return _json(_in_columns(endpoint, report))
        return _written(endpoint, report, form)


def _written(endpoint: Endpoint, report: Report, form: str) -> Response:
    if form == _CSV:
        row = type(report.rows[0]) if report.rows else endpoint.row
        lines = list(sheet(row, report.rows))
        chunks = ("".join(lines[at : at + _CHUNK_LINES]) for at in range(0, len(lines), _CHUNK_LINES))
        name = f"tracium-{endpoint.name}.csv"
        return StreamingResponse(
            chunks,
            media_type="text/csv; charset=utf-8; header=present",
            headers={"Content-Disposition": f'attachment; filename="{name}"'},
        )
    return _json(plain(report))


def _in_columns(endpoint: Endpoint, report: Report) -> dict[str, Plain]:
    """A list for each field of the rows, in the place of an object for each row."""
    row = type(report.rows[0]) if report.rows else endpoint.row
    body = {name: plain(getattr(report, name)) for name in columns(type(report)) if name != "rows"}
    return body | {"columns": {name: [plain(getattr(one, name)) for one in report.rows] for name in columns(row)}}


def _json(value: Plain) -> Response:
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return Response(text, media_type=_JSON)


def _accepted(request: Request) -> str:
    """The form that the Accept header wants: CSV where it is named, JSON otherwise."""
    accepted = request.headers.get("accept", "")
    return _CSV if _CSV in accepted and _JSON not in accepted else _JSON


def _failed(sentence: str, status: int) -> JSONResponse:
    return JSONResponse({"error": sentence}, status)
