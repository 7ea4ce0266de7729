"""The tenant onto every log record, with its user and session: a log record processor that does this one thing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from opentelemetry.context import get_current
from opentelemetry.sdk._logs import LogRecordProcessor

from tracium.attributes import TENANT_ID
from tracium.faults import fault
from tracium.signals.spans import further_names
from tracium.tenancy.block import here
from tracium.tenancy.identity import is_tenant
from tracium.tenancy.marking import say_cut
from tracium.tenancy.people import recorded_people
from tracium.tenancy.standing import binding_in, recorded_tenant

if TYPE_CHECKING:
    from collections.abc import Sequence

    from opentelemetry.sdk._logs import ReadWriteLogRecord


class TenantLogRecordProcessor(LogRecordProcessor):
    """Adds `tenant.id` to each record that has none, by the context that the record was made in.

    `user.id` and `session.id` are added likewise, where they were set.

    Attributes:
        default: The tenant of records that have none, or None.
    """

    def __init__(self, default: str | None = None, aliases: Sequence[str] = ()) -> None:
        self.default = default
        self.aliases = tuple(aliases)

    @property
    def aliases(self) -> tuple[str, ...]:
        """The attributes besides `tenant.id` that hold a record's tenant; one that the caller gave stays."""
        return self._aliases

    @aliases.setter
    def aliases(self, aliases: Sequence[str]) -> None:
        self._aliases = further_names(aliases)

    def on_emit(self, log_record: ReadWriteLogRecord) -> None:
        """Mark `log_record`; this runs where the app logs."""
        try:
            record = log_record.log_record
            current = record.context is None or record.context is get_current()
            context = here() if current else record.context
            binding = binding_in(context)
            tenant, by_default = recorded_tenant(context, binding, self.default)
            attributes: Any = record.attributes
            if TENANT_ID in attributes:
                tenant, by_default = _given(attributes), False
                if tenant is None:
                    return
            for attribute, value in recorded_people(context, binding, None if by_default else tenant):
                _add(attributes, attribute, value)
            if tenant is not None:
                # The tenant comes last: where there are too many attributes, the oldest go.
                for attribute in (*self._aliases, TENANT_ID):
                    _add(attributes, attribute, tenant)
        except Exception as error:  # noqa: BLE001 - recording never breaks the app
            fault("marking a log record", error)

    def shutdown(self) -> None:
        """Nothing is held back."""

    def force_flush(self, timeout_millis: int = 30000) -> bool:  # noqa: ARG002 - the interface's
        """Nothing is held back."""
        return True


def _given(attributes: Any) -> str | None:
    """The tenant that the caller gave to a record; None if it cannot be one, or the SDK may have cut it to a part."""
    given = attributes[TENANT_ID]
    return given if is_tenant(given) and len(given) != getattr(attributes, "max_value_len", None) else None


def _add(attributes: Any, attribute: str, value: str) -> None:
    if attribute in attributes:
        return
    attributes[attribute] = value
    if attributes.get(attribute, value) != value:
        # A part of an id is another one.
        del attributes[attribute]
        say_cut(attribute)
