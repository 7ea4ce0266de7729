"""A real server in processes of its own that runs one of the apps."""

import os
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).parent
UVICORN = ("-m", "uvicorn", "--log-level", "error", "--no-access-log", "--port")
GUNICORN = (
    *("-m", "gunicorn", "--worker-class", "gthread", "--workers", "2", "--threads", "8", "--preload"),
    *("--keep-alive", "60", "--log-level", "error", "--bind"),
)


class Server:
    """Started by `with`, and asked to end when the block ends.

    Args:
        app: The app, as servers take it: `module:name`.
        runner: `UVICORN` or `GUNICORN`.
        endpoint: Where its spans go.
        variables: What the app reads from the environment.
    """

    def __init__(self, app, runner, endpoint, **variables):
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("OTEL_", "TRACIUM_"))}
        self.environment = kept | {
            "PYTHONPATH": os.pathsep.join([str(HERE), os.environ.get("PYTHONPATH", "")]).rstrip(os.pathsep),
            "OTEL_EXPORTER_OTLP_ENDPOINT": endpoint,
            "OTEL_BSP_MAX_QUEUE_SIZE": "100000",
            "OTEL_BSP_SCHEDULE_DELAY": "200",
            "TRACIUM_FLUSH_TIMEOUT": "60",
            **variables,
        }
        self.port = _free_port()
        where = f"127.0.0.1:{self.port}" if runner is GUNICORN else str(self.port)
        self.command = [sys.executable, *runner, where, app]

    def __enter__(self):
        self.log = tempfile.TemporaryFile("w+")
        self.process = subprocess.Popen(
            self.command, env=self.environment, stdout=self.log, stderr=subprocess.STDOUT, cwd=HERE
        )
        for _ in range(600):
            with socket.socket() as probe:
                if self.process.poll() is not None or not probe.connect_ex(("127.0.0.1", self.port)):
                    break
            time.sleep(0.05)
        if self.process.poll() is not None:
            raise SystemExit(self.said())
        return self

    def __exit__(self, *error):
        self.process.terminate()
        self.process.wait(60)

    def cpu_seconds(self):
        """What the process and its workers have used, user and system, with threads that have ended."""
        return sum(map(_cpu_seconds, self._processes()))

    def said(self):
        """The server's log."""
        self.log.seek(0)
        return self.log.read()

    def _processes(self):
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text()
        return [self.process.pid, *map(int, children.split())]


def _cpu_seconds(process):
    # The clock of another process, in nanoseconds where /proc counts in hundredths: clock_getcpuclockid(3), on Linux.
    return time.clock_gettime((~process << 3) | 2)


def _free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]
