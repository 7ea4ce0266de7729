"""Where each record of Python's `logging` was made: its context, kept with the record.

A record may be handled later and elsewhere: on the thread of a `QueueListener`, by a task that empties a queue, in
another process. What is current there says nothing about it. The context stands in a slot of the record and not among
its attributes, because formatters write those.
"""

from __future__ import annotations

import copy
import functools
import logging
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from opentelemetry.trace import format_span_id, format_trace_id

from tracium.faults import fault
from tracium.tenancy.block import here
from tracium.tenancy.standing import binding_in, recorded_tenant, span_in

if TYPE_CHECKING:
    from collections.abc import Iterator

    from opentelemetry.context import Context

_SLOT: Final = "_tracium_origin"


class Told(NamedTuple):
    """What can be said about a record; None for what it does not have.

    Attributes:
        tenant: The tenant that it belongs to.
        trace_id: 32 hexadecimal digits.
        span_id: 16 hexadecimal digits.
    """

    tenant: str | None = None
    trace_id: str | None = None
    span_id: str | None = None


class Origin:
    """Where one record was made; all copies of the record share it.

    Attributes:
        context: The context in which it was made; None if that was in another process.
        unexported: Whether it must not be exported, because it tells of exports.
        exported: Whether it has been.
        named: The attributes that our filter has written into the record.
    """

    __slots__ = ("_told", "context", "exported", "named", "unexported")

    def __init__(self, context: Context | None, told: Told | None = None) -> None:
        self.context = context
        self.unexported = _saying.about_exports
        self.exported = False
        self.named: frozenset[str] = frozenset()
        self._told = told

    @property
    def told(self) -> Told:
        """The tenant and the ids. A record has the tenant of its request also if that was set a moment later."""
        if self._told is not None:
            return self._told
        return Told() if self.context is None else told_by(self.context)


def told_by(context: Context) -> Told:
    """What can be said about a record that is made in `context`."""
    tenant, _ = recorded_tenant(context, binding_in(context), None)
    span = span_in(context)
    ids = None if span is None else span.get_span_context()
    if ids is None or not ids.is_valid:
        return Told(tenant)
    return Told(tenant, format_trace_id(ids.trace_id), format_span_id(ids.span_id))


def origin_of(record: logging.LogRecord) -> Origin | None:
    """Where `record` was made; None if nobody noted it: it was made from a dict, or before anything here began."""
    return getattr(record, _SLOT, None)


def note_origins() -> None:
    """From now on note where records are made, once in a process."""
    global _noting  # noqa: PLW0603 - one patch for the process
    with _lock:
        if _noting:
            return
        _noting = True
        original = logging.Logger.makeRecord
        logging.Logger.makeRecord = _noted_by(original)  # type: ignore[method-assign] # a record's only place of birth


_lock: Final = threading.Lock()
_noting = False


class _Saying(threading.local):
    about_exports = False


_saying: Final = _Saying()


@contextmanager
def unexported() -> Iterator[None]:
    """Keep what this thread logs from being exported as long as the block runs: it is about an export."""
    before, _saying.about_exports = _saying.about_exports, True
    try:
        yield
    finally:
        _saying.about_exports = before


def _noted_by(original: Any) -> Any:
    @functools.wraps(original)
    def make_record(*args: Any, **kwargs: Any) -> logging.LogRecord:
        record: logging.LogRecord = original(*args, **kwargs)
        try:
            return _with_origin(record, Origin(here()))
        except Exception as error:  # noqa: BLE001 - recording never breaks the app
            fault("noting where a log record is made", error)
            return record

    return make_record


def _with_origin(record: logging.LogRecord, origin: Origin) -> logging.LogRecord:
    """The same record, in a class that has a place for its origin."""
    kind = _noted_class(type(record))  # type: ignore[arg-type] # mypy takes the hash of a record for that of its class
    if kind is None:
        return record
    noted: Any = kind.__new__(kind)
    noted.__dict__ = record.__dict__
    setattr(noted, _SLOT, origin)
    return noted  # type: ignore[no-any-return] # it is a kind of `LogRecord`


@functools.lru_cache(maxsize=64)
def _noted_class(plain: type[logging.LogRecord]) -> type[logging.LogRecord] | None:
    """The class of records that was chosen, with a slot more; what is pickled of it is the class that was chosen.

    None for a class that keeps more than a record's attributes: its objects cannot be taken over.
    """
    if plain.__basicsize__ != logging.LogRecord.__basicsize__:
        return None

    def copied(record: Any) -> Any:
        return _with_origin(_as(plain, dict(record.__dict__)), getattr(record, _SLOT))

    def copied_deeply(record: Any, memo: dict[int, Any]) -> Any:
        return _with_origin(_as(plain, copy.deepcopy(record.__dict__, memo)), getattr(record, _SLOT))

    def reduced(record: Any, protocol: Any) -> Any:  # noqa: ARG001 - the signature of the method
        return _arrived, (_as(plain, dict(record.__dict__)), *getattr(record, _SLOT).told)

    methods = {"__copy__": copied, "__deepcopy__": copied_deeply, "__reduce_ex__": reduced}
    named = {"__slots__": (_SLOT,), "__module__": plain.__module__, "__qualname__": plain.__qualname__, **methods}
    return type(plain.__name__, (plain,), named)


def _as(plain: type[logging.LogRecord], values: dict[str, Any]) -> logging.LogRecord:
    record = plain.__new__(plain)
    record.__dict__ = values
    return record


def _arrived(record: logging.LogRecord, *told: str | None) -> logging.LogRecord:
    """A record that was pickled, with what was known about it where it was made."""
    return _with_origin(record, Origin(None, Told(*told)))
