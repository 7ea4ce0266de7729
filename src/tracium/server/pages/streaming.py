"""A page that is sent as far as it is known, and then goes on."""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING, Final

from markupsafe import Markup
from starlette.responses import StreamingResponse

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from starlette.requests import Request

FLUSH: Final = Markup("\0")
"""What a template writes where what stands before it is to be sent: a piece of its own, and no character of a page."""

_LEVEL: Final = 5
# zlib's window bits: 31 writes gzip.
_GZIP: Final = 31


def streamed(pieces: Iterable[str], request: Request, headers: Mapping[str, str]) -> StreamingResponse:
    """Answer with pieces of HTML, of which those before a `FLUSH` are in the browser while the next ones are made.

    Compressed here: the middleware that does it for whole answers keeps what is little until there is more.

    Args:
        pieces: what a template generates.
        request: what is answered.
        headers: further headers.
    """
    parts = _parts(pieces)
    # A proxy that collects an answer before it passes it on would undo it.
    told = {**headers, "X-Accel-Buffering": "no"}
    if "gzip" in request.headers.get("accept-encoding", ""):
        told |= {"Content-Encoding": "gzip", "Vary": "Accept-Encoding"}
        return StreamingResponse(_packed(parts), media_type="text/html", headers=told)
    return StreamingResponse(parts, media_type="text/html", headers=told)


def _parts(pieces: Iterable[str]) -> Iterator[bytes]:
    held: list[str] = []
    for piece in pieces:
        if piece != FLUSH:
            held.append(piece)
        elif held:
            yield "".join(held).encode()
            held.clear()
    yield "".join(held).encode()


def _packed(parts: Iterable[bytes]) -> Iterator[bytes]:
    packer = zlib.compressobj(_LEVEL, zlib.DEFLATED, _GZIP)
    for part in parts:
        yield packer.compress(part) + packer.flush(zlib.Z_SYNC_FLUSH)
    yield packer.flush()
