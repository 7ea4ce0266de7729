"""The group that is being written: noted before the first row of it, so that a crash in the middle is finished later."""

from __future__ import annotations

import contextlib
import json
import os
import struct
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Self

from tracium.exceptions import StoreError

if TYPE_CHECKING:
    from pathlib import Path

# What begins a note: a mark, the length of the head and of the body, and a checksum of both.
_PREFIX: Final = struct.Struct("<8sQQI")
_MARK: Final = b"tracium1"
_NOTHING: Final = b"\0" * len(_MARK)


@dataclass(frozen=True, slots=True)
class Note:
    """What was about to be written."""

    signal: str
    # The engine leaves out what it has already written under the same token.
    token: str
    # A serialised request.
    body: bytes


class Journal:
    """One file that holds at most one note: the group that may be written in part.

    A table and those that are computed from it are not written at once; where the process dies in between, the next one
    writes the group again under the same token, and the engine leaves out what is there already.

    Raises:
        StoreError: the file cannot be opened.
    """

    def __init__(self, path: Path) -> None:
        try:
            self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise StoreError(f"the journal {path} cannot be opened: {error.strerror}. Make it writable.") from error

    def put(self, note: Note) -> None:
        """Note what is about to be written; on return it survives a power cut.

        Raises:
            OSError: the disk did not take it.
        """
        head = json.dumps({"signal": note.signal, "token": note.token}).encode()
        checksum = zlib.crc32(note.body, zlib.crc32(head))
        prefix = _PREFIX.pack(_MARK, len(head), len(note.body), checksum)
        _write_all(self._fd, [prefix, head, note.body])
        os.fdatasync(self._fd)

    def get(self) -> Note | None:
        """The note of a group that may be written in part; None where there is none, or it was never whole."""
        # A group is written only when its note is whole, so a broken one belongs to nothing.
        with contextlib.suppress(struct.error, ValueError, KeyError):
            mark, head_length, body_length, checksum = _PREFIX.unpack(os.pread(self._fd, _PREFIX.size, 0))
            if mark == _MARK and _PREFIX.size + head_length + body_length <= os.fstat(self._fd).st_size:
                head = os.pread(self._fd, head_length, _PREFIX.size)
                body = _read_all(self._fd, body_length, _PREFIX.size + head_length)
                if zlib.crc32(body, zlib.crc32(head)) == checksum:
                    return Note(**json.loads(head), body=body)
        return None

    def clear(self) -> None:
        """Forget the note: its group is written whole."""
        # Not synced: a note that comes back is written again under its token, which changes nothing.
        os.pwrite(self._fd, _NOTHING, 0)

    def wipe(self) -> None:
        """Forget the note and remove its bytes from the disk.

        Raises:
            OSError: the disk did not take it.
        """
        os.ftruncate(self._fd, 0)
        os.fsync(self._fd)

    def close(self) -> None:
        """Close the file."""
        os.close(self._fd)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _write_all(fd: int, parts: list[bytes]) -> None:
    offset = 0
    for part in parts:
        rest = memoryview(part)
        while rest:
            written = os.pwrite(fd, rest, offset)
            offset += written
            rest = rest[written:]


def _read_all(fd: int, length: int, offset: int) -> bytes:
    body = bytearray()
    while len(body) < length and (chunk := os.pread(fd, length - len(body), offset + len(body))):
        body += chunk
    return bytes(body)
