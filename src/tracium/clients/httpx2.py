"""httpx2: as httpx, which it continues."""

from __future__ import annotations

from tracium.clients.httpx import apply


def instrument() -> None:
    """Apply OpenTelemetry's instrumentor of httpx2, unless the app has done so."""
    apply("HTTPX2ClientInstrumentor")
