"""The tenant onto every log record: a log record processor that does this one thing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from opentelemetry.context import get_current
from opentelemetry.sdk._logs import LogRecordProcessor

from tracium.attributes import TENANT_ID
from tracium.faults import fault
from tracium.tenancy.block import here
from tracium.tenancy.marking import say_cut
from tracium.tenancy.standing import binding_in, recorded_tenant

if TYPE_CHECKING:
    from opentelemetry.sdk._logs import ReadWriteLogRecord


class TenantLogRecordProcessor(LogRecordProcessor):
    """Adds `tenant.id` to each record that has none, by the context that the record was made in.

    Attributes:
        default: The tenant of records that have none, or None.
    """

    def __init__(self, default: str | None = None) -> None:
        self.default = default

    def on_emit(self, log_record: ReadWriteLogRecord) -> None:
        """Mark `log_record`; this runs where the app logs."""
        try:
            record = log_record.log_record
            current = record.context is None or record.context is get_current()
            context = here() if current else record.context
            tenant, _ = recorded_tenant(context, binding_in(context), self.default)
            attributes: Any = record.attributes
            if tenant is None or TENANT_ID in attributes:
                return
            attributes[TENANT_ID] = tenant
            if attributes[TENANT_ID] != tenant:
                # A part of an id is another tenant.
                del attributes[TENANT_ID]
                say_cut()
        except Exception as error:  # noqa: BLE001 - recording never breaks the app
            fault("marking a log record", error)

    def shutdown(self) -> None:
        """Nothing is held back."""

    def force_flush(self, timeout_millis: int = 30000) -> bool:  # noqa: ARG002 - the interface's
        """Nothing is held back."""
        return True
