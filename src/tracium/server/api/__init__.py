"""Questions over HTTP: every endpoint is declared once, and routes, validation and the OpenAPI document follow from it."""

from __future__ import annotations

from tracium.server.api.routes import Api

__all__ = ["Api"]
