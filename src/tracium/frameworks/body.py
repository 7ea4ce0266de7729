"""The body of a WSGI response, which the server iterates when the app has left the request already."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

from tracium.tenancy.stepping import Step

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from opentelemetry.context import Context


class Body:
    """Each step of `body` runs in a context of its own, and the thread has its own back after each.

    Args:
        body: What the app returned.
        context: The context of the first step.
        finished: Called when the server has closed the body, if anything is to be done then.
    """

    __slots__ = ("_body", "_finished", "_iterator", "_step")

    def __init__(self, body: Iterable[bytes], context: Context, finished: Callable[[], None] | None = None) -> None:
        self._body = body
        self._iterator: Iterator[bytes] | None = None
        self._step = Step(context)
        self._finished = finished

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> bytes:
        with self._step:
            if self._iterator is None:
                self._iterator = iter(self._body)
            return next(self._iterator)

    def close(self) -> None:
        """What WSGI servers call at the end, also when the client has gone."""
        try:
            close: Any = getattr(self._body, "close", None)
            if close is not None:
                with self._step:
                    close()
        finally:
            if self._finished is not None:
                self._finished()


class _SizedBody(Body):
    """A body that knows its length, by which servers tell the length of the response."""

    __slots__ = ()

    def __len__(self) -> int:
        return len(self._body)  # type: ignore[arg-type] # it has one


def stepped(body: Iterable[bytes], context: Context, finished: Callable[[], None] | None = None) -> Body:
    """`body`, as a `Body` that knows its length if `body` does."""
    return (_SizedBody if hasattr(body, "__len__") else Body)(body, context, finished)


def runs_code(body: object, environ: dict[str, Any]) -> bool:
    """Whether the app runs while the server sends `body`: not for a list, nor for a file that the server sends."""
    if isinstance(body, list | tuple):
        return False
    wrapper = environ.get("wsgi.file_wrapper")
    return not (isinstance(wrapper, type) and isinstance(body, wrapper))
