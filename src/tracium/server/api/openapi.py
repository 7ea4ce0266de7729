"""The OpenAPI document, made from the table of endpoints."""

from __future__ import annotations

import re
from functools import cache
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, Final

from tracium.server.api.endpoints import ENDPOINTS
from tracium.server.api.parameter import LONGEST
from tracium.server.api.schema import Schemas

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tracium.server.api.endpoint import Endpoint
    from tracium.server.api.parameter import Parameter

_CONVERTER: Final = re.compile(r":whole\}")
_SAYS: Final = """What each tenant did, cost and suffered. Times are UTC and ranges half-open; money is US dollars as a string
of decimal digits; null is what is not known, or belongs to no tenant. Every path also ends in .csv and .json; CSV has a line
for each of `rows`. Unknown parameters are refused."""


@cache
def document() -> dict[str, Any]:
    """What there is to ask under ``/api/v1``, as OpenAPI 3.1."""
    schemas = Schemas()
    paths = {described_path(endpoint): {"get": _operation(endpoint, schemas)} for endpoint in ENDPOINTS}
    paths |= {
        "/health": {"get": _simple("health", "Whether the process answers.", secured=False)},
        "/ready": {"get": _simple("ready", "Whether the store answers, too.")},
        "/openapi.json": {"get": _simple("openapi", "This document.")},
    }
    return {
        "openapi": "3.1.0",
        "info": {"title": "tracium", "version": version("tracium"), "description": _SAYS},
        "servers": [{"url": "/api/v1"}],
        "paths": paths,
        "components": {
            "schemas": {**schemas.by_name, "Error": _ERROR},
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
        "security": [{"token": []}, {}],
    }


_ERROR: Final = {
    "type": "object",
    "description": "What went wrong, and what to do, in a sentence.",
    "properties": {"error": {"type": "string"}},
    "required": ["error"],
}


def described_path(endpoint: Endpoint) -> str:
    """An endpoint's path as OpenAPI writes it."""
    return _CONVERTER.sub("}", endpoint.path)


def _operation(endpoint: Endpoint, schemas: Schemas) -> dict[str, Any]:
    # A trace's rows are without details where columns are asked for.
    schemas.of(endpoint.row)
    kinds = sorted(endpoint.audience or ())
    return {
        "operationId": endpoint.name,
        "summary": endpoint.summary,
        "description": f"Answers tokens of kind {' or '.join(kinds)}.",
        "parameters": [_parameter(one) for one in endpoint.parameters],
        "responses": {
            "200": {
                "description": "The answer.",
                "content": {
                    "application/json": {"schema": schemas.of(endpoint.report)},
                    "text/csv": {"schema": {"type": "string"}},
                },
            },
            **_failures("400", "401", "403", "404", "429", "503"),
        },
    }


def _parameter(one: Parameter[Any]) -> dict[str, Any]:
    described = {
        "name": one.name,
        "in": "path" if one.in_path else "query",
        "required": one.in_path or "minItems" in one.schema,
        "description": one.description,
        "schema": _bounded(one.schema),
    }
    if one.repeats:
        described |= {"style": "form", "explode": True}
    return described


def _bounded(schema: Mapping[str, Any]) -> dict[str, Any]:
    """A parameter's schema with the length that each text has at most."""
    if schema["type"] == "array":
        return {**schema, "items": _bounded(schema["items"])}
    return {"maxLength": LONGEST, **schema} if schema["type"] == "string" and "enum" not in schema else dict(schema)


def _simple(name: str, summary: str, *, secured: bool = True) -> dict[str, Any]:
    made: dict[str, Any] = {
        "operationId": name,
        "summary": summary,
        "responses": {
            "200": {"description": "The answer.", "content": {"application/json": {"schema": {"type": "object"}}}},
            **(_failures("401", "429", "503") if secured else {}),
        },
    }
    return made if secured else {**made, "security": []}


def _failures(*statuses: str) -> dict[str, Any]:
    body = {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}}
    return {status: {"description": "An error, in a sentence.", "content": body} for status in statuses}
