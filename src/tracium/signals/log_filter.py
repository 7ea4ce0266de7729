"""The tenant and the trace in an app's own log lines: `%(tenant)s`, `%(trace_id)s`, `%(span_id)s`."""

from __future__ import annotations

import logging
from typing import Final

from tracium.faults import fault
from tracium.signals.log_origin import Told, note_origins, origin_of

_NAMES: Final = frozenset(Told._fields)


class TenantLogFilter(logging.Filter):
    """Adds `tenant`, `trace_id` and `span_id` to records, for formatters. It lets every record through.

    They are strings and always there, also without an SDK and before `init`. A record has what held where it was logged,
    whichever thread, task or process formats it; one that `logging.makeLogRecord` made from a dict has nothing but what
    stands in it. Values that the app gave with `extra=` stay.

    On a handler it serves that handler's formatter. On a logger it serves what is logged by that very logger only, as
    every filter of `logging` does.
    """

    def __init__(self, missing: str = "-") -> None:
        """Make one; for `logging.config.dictConfig` it is `{"()": "tracium.TenantLogFilter"}`.

        Args:
            missing: What stands there if a record has no tenant or belongs to no span.

        Raises:
            TypeError: `missing` is not a string.
        """
        if not isinstance(missing, str):
            raise TypeError(f"missing is {missing!r}, but it must be a string: it stands in the app's log lines.")
        super().__init__()
        self._missing = missing
        note_origins()

    def filter(self, record: logging.LogRecord) -> bool:
        """Add the attributes; True."""
        self._add(record, self._told(record))
        return True

    def _add(self, record: logging.LogRecord, told: Told) -> None:
        values = vars(record)
        added = _NAMES - values.keys()
        for name in added:
            values[name] = getattr(told, name) or self._missing
        origin = origin_of(record)
        if origin is not None and added:
            origin.named |= added

    @staticmethod
    def _told(record: logging.LogRecord) -> Told:
        origin = origin_of(record)
        try:
            return Told() if origin is None else origin.told
        except Exception as error:  # noqa: BLE001 - recording never breaks the app
            fault("finding the tenant of a log line", error)
            return Told()
