"""The files of the pages: named by what is in them, compressed once, kept by the browser."""

from __future__ import annotations

import gzip
import hashlib
import importlib.resources
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Final

from starlette.responses import PlainTextResponse, Response

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from importlib.resources.abc import Traversable

    from starlette.requests import Request

_TYPES: Final = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".LICENSE": "text/plain; charset=utf-8",
}
_FOREVER: Final = "public, max-age=31536000, immutable"
_NOT_AT_ALL: Final = "no-cache"


@dataclass(frozen=True, slots=True)
class Asset:
    """One file."""

    media_type: str
    plain: bytes
    packed: bytes


class Assets:
    """All files below ``static/``, read once.

    Their URLs begin with a hash over all of them: modules import each other by relative names, and a page never runs
    files of two releases.
    """

    def __init__(self) -> None:
        self._files: Final[Mapping[str, Asset]] = dict(_read(importlib.resources.files(__package__) / "static"))
        whole = hashlib.sha256()
        for name, asset in sorted(self._files.items()):
            whole.update(name.encode() + b"\0" + asset.plain)
        self._version: Final = whole.hexdigest()[:12]

    def url(self, name: str) -> str:
        """Where a browser finds a file.

        Raises:
            KeyError: there is no such file.
        """
        _ = self._files[name]
        return f"/static/{self._version}/{name}"

    async def answer(self, request: Request) -> Response:
        """``GET /static/{version}/{name}``; what is asked for by an older hash is not to be kept."""
        asset = self._files.get(request.path_params["name"])
        if asset is None:
            return PlainTextResponse("There is no such file.\n", 404)
        known = request.path_params["version"] == self._version
        headers = {"Cache-Control": _FOREVER if known else _NOT_AT_ALL, "Vary": "Accept-Encoding"}
        if "gzip" not in request.headers.get("accept-encoding", ""):
            return Response(asset.plain, media_type=asset.media_type, headers=headers)
        return Response(asset.packed, media_type=asset.media_type, headers={**headers, "Content-Encoding": "gzip"})


def _read(folder: Traversable, prefix: str = "") -> Iterator[tuple[str, Asset]]:
    for entry in folder.iterdir():
        name = f"{prefix}{entry.name}"
        if entry.is_dir():
            yield from _read(entry, f"{name}/")
        elif media_type := _TYPES.get(PurePosixPath(name).suffix):
            plain = entry.read_bytes()
            # No time stamp: two servers give the same bytes.
            yield name, Asset(media_type, plain, gzip.compress(plain, 9, mtime=0))
