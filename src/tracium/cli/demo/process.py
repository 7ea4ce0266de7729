"""The processes of the demo: started, awaited, and ended in the order in which they need each other."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from tracium.exceptions import TraciumError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

_START_SECONDS: Final = 60.0
_STOP_SECONDS: Final = 15.0
_POLL: Final = 0.05


@contextmanager
def running(
    name: str, command: Sequence[str], environ: Mapping[str, str], *, listener: socket.socket | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a command while the block runs; it inherits `listener`.

    Raises:
        TraciumError: It could not be started; with the end of what it printed.
    """
    with tempfile.TemporaryFile() as output:
        process = subprocess.Popen(  # noqa: S603 - our own command
            command,
            env=dict(environ),
            stdout=output,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            pass_fds=() if listener is None else (listener.fileno(),),
            # Ctrl-C is for the demo, which ends the others itself.
            start_new_session=True,
        )
        try:
            yield process
        except _EndedError:
            output.seek(0)
            said = output.read().decode(errors="replace").strip()[-2000:]
            raise TraciumError(f"{name} ended with exit code {process.returncode}: {said}") from None
        finally:
            _end(process)


@contextmanager
def serving_app(name: str, app: str, environ: Mapping[str, str]) -> Iterator[str]:
    """Serve an ASGI app with uvicorn on a free port of loopback while the block runs; gives its URL."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        command = [sys.executable, "-m", "uvicorn", app, "--fd", str(listener.fileno()), "--log-level", "warning"]
        with running(name, command, environ, listener=listener) as process:
            await_answer(process, f"{url}/ready")
            yield url


@contextmanager
def serving_backend(data: str, port: int) -> Iterator[str]:
    """Run `tracium serve` on loopback while the block runs; gives its URL."""
    command = [sys.executable, "-m", "tracium", "serve", "--data", data, "--port", str(port)]
    url = f"http://127.0.0.1:{port}"
    with running("tracium serve", command, clean_environ()) as process:
        await_answer(process, f"{url}/ready")
        yield url


def await_answer(process: subprocess.Popen[bytes], url: str) -> None:
    """Wait until something answers at `url`, whatever it answers.

    Raises:
        TraciumError: Nothing does within a minute.
    """
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise _EndedError
        try:
            opener.open(url, timeout=1).close()
        except urllib.error.HTTPError as answer:
            if answer.code < 500:  # noqa: PLR2004 - HTTP's server errors: not ready yet
                return
        except OSError:
            pass
        else:
            return
        time.sleep(_POLL)
    raise TraciumError(f"Nothing answered at {url} within {_START_SECONDS:.0f} seconds.")


def free_port(wanted: int) -> int:
    """`wanted` if nobody listens there, else any free port of loopback."""
    for port in (wanted, 0):
        try:
            with socket.create_server(("127.0.0.1", port)) as listener:
                found: int = listener.getsockname()[1]
                return found
        except OSError:
            continue
    raise TraciumError("No port of 127.0.0.1 is free.")


def clean_environ() -> dict[str, str]:
    """This environment without what would send the demo's telemetry elsewhere."""
    return {key: value for key, value in os.environ.items() if not key.startswith(("OTEL_", "TRACIUM_"))}


class _EndedError(Exception):
    """The process that something waits for has ended."""


def _end(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
