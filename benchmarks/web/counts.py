"""How many spans ended in the processes of a server, to tell spans that were dropped from spans that never were."""

import mmap
import os
import threading
from pathlib import Path

from opentelemetry.sdk.trace import SpanProcessor


class Counting(SpanProcessor):
    """Counts in a file for each process, which is there however the process ends."""

    def __init__(self, folder):
        self.folder = Path(folder)
        self.lock = threading.Lock()
        self.process = None

    def on_end(self, span):  # noqa: ARG002 - the interface's
        with self.lock:
            if self.process != os.getpid():
                self._begin()
            self.count += 1
            self.memory[:] = self.count.to_bytes(8, "little")

    def _begin(self):
        self.process, self.count = os.getpid(), 0
        with (self.folder / str(self.process)).open("w+b") as file:
            file.write(bytes(8))
            file.flush()
            self.memory = mmap.mmap(file.fileno(), 8)


def ended_in(folder):
    """The spans that ended in all processes together."""
    return sum(int.from_bytes(file.read_bytes(), "little") for file in Path(folder).iterdir())
