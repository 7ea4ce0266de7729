"""Flask: every app that is made from now on is instrumented, however its class was imported.

Its instrumentor puts another class into the place of `flask.Flask`. An app that did `from flask import Flask` before gets
no span then, and `flask run` does not find it any more, because it is no instance of the new class.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from opentelemetry.instrumentation.flask import FlaskInstrumentor
from wrapt import wrap_function_wrapper

if TYPE_CHECKING:
    from collections.abc import Callable


def instrument() -> None:
    """Instrument every Flask app when it is made, unless another distribution has put its class into place."""
    if not FlaskInstrumentor().is_instrumented_by_opentelemetry:
        wrap_function_wrapper("flask", "Flask.__init__", _make_and_instrument)


def _make_and_instrument(make: Callable[..., None], app: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    make(*args, **kwargs)
    FlaskInstrumentor.instrument_app(app)  # type: ignore[no-untyped-call] # it is not typed
