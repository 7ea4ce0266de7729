"""Content encodings of a request body, undone within a limit."""

from __future__ import annotations

import zlib
from typing import Final

from tracium.server.refusal import BadBodyError, BodyTooLargeError, UnknownEncodingError

# zlib's window bits: 31 reads gzip, 47 reads gzip and zlib.
_WINDOW_BITS: Final = {"gzip": 31, "x-gzip": 31, "deflate": 47}


def decompress(body: bytes, encoding: str, limit: int) -> bytes:
    """Undo a ``Content-Encoding``.

    Args:
        body: what arrived.
        encoding: the header's value; empty for none.
        limit: how many bytes may come out; a small body can unfold to any size.

    Raises:
        BadBodyError: the body is not what the header says.
        BodyTooLargeError: more than `limit` bytes would come out.
        UnknownEncodingError: the encoding is none that an OTLP receiver reads.
    """
    encoding = encoding.strip().lower()
    if encoding in {"", "identity"}:
        return body
    if encoding not in _WINDOW_BITS:
        raise UnknownEncodingError(f"Content-Encoding {encoding!r} is not supported. Send gzip, deflate or none.")
    try:
        return _inflate(body, _WINDOW_BITS[encoding], limit)
    except zlib.error as error:
        raise BadBodyError(f"the body is not valid {encoding}: {error}") from error


def _inflate(body: bytes, window_bits: int, limit: int) -> bytes:
    plain = bytearray()
    # A gzip body may be several members, one behind the other.
    while body:
        member = zlib.decompressobj(window_bits)
        plain += member.decompress(body, limit + 1 - len(plain))
        if len(plain) > limit:
            raise BodyTooLargeError(limit)
        if not member.eof:
            raise zlib.error("it is cut off")
        body = member.unused_data
    return bytes(plain)
