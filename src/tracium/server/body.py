"""The body of a request, read within bounds of time and size; whoever reads one reads it here."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any, Final

from starlette.requests import ClientDisconnect

from tracium.server.refusal import BadBodyError, BodyTimeoutError, BodyTooLargeError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from starlette.requests import Request

_SMALL_BYTES: Final = 64 * 1024
# Whoever has no token yet must not hold a connection for as long as they like.
_SMALL_SECONDS: Final = 10


async def receive(request: Request, seconds: float, admit: Callable[[int], None]) -> bytes:
    """The body, as it arrived.

    Args:
        request: whose.
        seconds: for all of it to arrive.
        admit: is told how many bytes are announced, and then how many have come; raises a `Refusal` if they are too many.

    Raises:
        BadBodyError: the client went away before the end.
        BodyTimeoutError: it did not arrive in time.
    """
    admit(int(request.headers.get("content-length", 0)))
    body = bytearray()
    try:
        async with asyncio.timeout(seconds):
            async for chunk in request.stream():
                body += chunk
                admit(len(body))
    except TimeoutError as error:
        raise BodyTimeoutError(f"the body did not arrive within {seconds:g} seconds. Send it again.") from error
    except ClientDisconnect as error:
        raise BadBodyError(f"the connection ended after {len(body)} bytes of the body.") from error
    return bytes(body)


async def json_object(request: Request, members: Collection[str], *, most_bytes: int = _SMALL_BYTES) -> dict[str, Any]:
    """The JSON object that a request of the API has as its body.

    Args:
        request: whose.
        members: the names that it may have: one that is written wrongly must not be taken for one that is left out.
        most_bytes: how long it may be.

    Raises:
        BadBodyError: it is no such object.
        BodyTimeoutError: it did not arrive in time.
        BodyTooLargeError: it is longer.
    """
    # No page can send this type elsewhere without asking first, and it is not told yes.
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        raise BadBodyError("the body has to be JSON: send Content-Type: application/json.")

    def admit(length: int) -> None:
        if length > most_bytes:
            raise BodyTooLargeError(most_bytes, "Send less at once.")

    told = _parsed(await receive(request, _SMALL_SECONDS, admit))
    if unknown := sorted(told.keys() - set(members)):
        raise BadBodyError(f"there is no member {unknown[0][:100]!r} here: it knows {', '.join(sorted(members))}.")
    return told


def _parsed(body: bytes) -> dict[str, Any]:
    try:
        told = json.loads(body, object_pairs_hook=_without_repeats)
        # Half of a surrogate pair can be written in JSON, and nowhere else.
        json.dumps(told, ensure_ascii=False).encode()
    except (ValueError, RecursionError) as error:
        raise BadBodyError("the body is not JSON, or repeats a member, or has text that is no Unicode.") from error
    if not isinstance(told, dict):
        raise BadBodyError("the body has to be a JSON object.")
    return told


def _without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Of two members of one name a proxy may have looked at the other one."""
    made = dict(pairs)
    if len(made) < len(pairs):
        raise ValueError("a member is there twice")
    return made
