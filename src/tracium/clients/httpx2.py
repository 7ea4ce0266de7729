"""httpx2: as httpx, which it continues."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tracium.clients.httpx import apply

if TYPE_CHECKING:
    from opentelemetry.metrics import MeterProvider


def instrument(meter_provider: MeterProvider | None = None) -> None:
    """Apply OpenTelemetry's instrumentor of httpx2, unless the app has done so."""
    apply("HTTPX2ClientInstrumentor", meter_provider)
