"""An open bridge from Python's `logging` to log records in memory."""

from __future__ import annotations

import logging

from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import InMemoryLogRecordExporter, SimpleLogRecordProcessor

from tracium.signals import TenantLogRecordProcessor
from tracium.signals.log_bridge import LogBridge

app = logging.getLogger("app.orders")


class Bridge:
    """An open bridge, and what came over it."""

    def __init__(self, *processors, level=logging.NOTSET):
        self.kept_out = False
        self._exporter = InMemoryLogRecordExporter()
        self.provider = LoggerProvider(shutdown_on_exit=False)
        for processor in (TenantLogRecordProcessor(), *processors, SimpleLogRecordProcessor(self._exporter)):
            self.provider.add_log_record_processor(processor)
        self.bridge = LogBridge(self.provider, lambda: self.kept_out, level)

    def __enter__(self):
        self._level = logging.root.level
        logging.root.setLevel(logging.NOTSET)
        self.bridge.open()
        return self

    def __exit__(self, *_):
        self.bridge.close()
        logging.root.setLevel(self._level)

    @property
    def logs(self):
        return self._exporter.get_finished_logs()

    @property
    def records(self):
        return [log.log_record for log in self.logs]

    @property
    def bodies(self):
        return [record.body for record in self.records]

    @property
    def tenants(self):
        return [record.attributes.get("tenant.id") for record in self.records]
