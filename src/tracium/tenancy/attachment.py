"""Putting back the context that an attach replaced, also where it cannot be put back any more."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from opentelemetry.context import Context, detach

if TYPE_CHECKING:
    from contextvars import Token


def restore(token: Token[Context]) -> None:
    """Put back what held before the attach that gave `token`.

    In a generator, or a context manager that outlives its task, the attach may have happened in another task's or
    thread's context. This one is a copy then, which ends with its own work: nothing has to be put back, and nothing is
    logged.
    """
    var: Any = getattr(token, "var", None)
    if var is None:
        # Another runtime context than OpenTelemetry's default has tokens of its own.
        detach(token)
        return
    try:
        var.reset(token)
    except (ValueError, RuntimeError):
        return
