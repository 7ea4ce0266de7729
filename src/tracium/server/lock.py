"""One process at a time has a data directory open, and the others can find it."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from tracium.exceptions import StoreError

if TYPE_CHECKING:
    from types import TracebackType

    from tracium.server.location import Directory


@dataclass(frozen=True, slots=True)
class Holder:
    """The process that has a data directory open."""

    pid: int
    # Where it answers HTTP; None while it starts, and for a process that only reads.
    url: str | None


class DirectoryLock:
    """An exclusive lock on a data directory, held until `release` or the end of the process.

    The kernel drops the lock when the process dies, however it dies: a lock file that lies about is no lock.

    Raises:
        StoreError: another process has the directory open, or it cannot be written.
    """

    def __init__(self, directory: Directory) -> None:
        try:
            directory.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._fd = os.open(directory.lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise StoreError(
                f"the data directory {directory} cannot be used: {error.strerror}. "
                "Name another one with --data, or make it writable."
            ) from error
        if not _try_lock(self._fd):
            os.close(self._fd)
            raise StoreError(_in_use(directory, holder(directory)))
        self.announce(None)

    def announce(self, url: str | None) -> None:
        """Write into the lock file who holds it and where it answers."""
        text = json.dumps({"pid": os.getpid(), "url": url}).encode()
        os.ftruncate(self._fd, 0)
        os.pwrite(self._fd, text, 0)

    def release(self) -> None:
        """Give the directory back."""
        os.ftruncate(self._fd, 0)
        os.close(self._fd)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.release()


def holder(directory: Directory) -> Holder | None:
    """The process that has `directory` open now, or None."""
    try:
        fd = os.open(directory.lock, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        return None if _try_lock(fd) else _read(fd)
    finally:
        os.close(fd)


def _try_lock(fd: int) -> bool:
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _read(fd: int) -> Holder:
    # Between two writes of the holder the file is empty for a moment.
    with contextlib.suppress(ValueError, KeyError, TypeError):
        written = json.loads(os.pread(fd, 4096, 0))
        return Holder(pid=int(written["pid"]), url=written["url"])
    return Holder(pid=0, url=None)


def _in_use(directory: Directory, by: Holder | None) -> str:
    who = f"process {by.pid}" if by and by.pid else "another process"
    where = f", which answers at {by.url}" if by and by.url else ""
    return f"the data directory {directory} is in use by {who}{where}. Stop it, or name another directory with --data."
