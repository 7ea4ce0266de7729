"""Why a request is not taken: each reason knows its HTTP status and whether to come back."""

from __future__ import annotations

from typing import ClassVar


class Refusal(Exception):  # noqa: N818 - a refusal is an answer, not a fault of ours
    """A request that is answered with its reason and changes nothing."""

    status: ClassVar[int]
    # Seconds after which the same request may succeed; None if it never will.
    retry_after: ClassVar[int | None] = None


class BadBodyError(Refusal):
    """The body is not what is asked for."""

    status = 400


class BodyTimeoutError(Refusal):
    """The body did not arrive in time."""

    status = 408
    retry_after = 1


class BodyTooLargeError(Refusal):
    """The body is larger than is taken."""

    status = 413

    def __init__(self, limit: int, advice: str = "Send smaller batches.") -> None:
        super().__init__(f"the body has more than {limit} bytes, uncompressed. {advice}")


class UnknownEncodingError(Refusal):
    """The body is in a content type or encoding that the receiver does not read."""

    status = 415


class OverloadedError(Refusal):
    """Too much is waiting to be written."""

    status = 503
    retry_after = 1


class NotWrittenError(Refusal):
    """The store did not take it. Why is in the log: what the engine says may be about others' requests, too."""

    status = 503
    retry_after = 5

    def __init__(self) -> None:
        super().__init__("the store did not take this request. Send it again later; the log of the server says why.")
