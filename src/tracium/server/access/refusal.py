"""Why a request is not let in."""

from __future__ import annotations

from tracium.server.refusal import Refusal


class UnauthenticatedError(Refusal):
    """The request shows no token, or one that is not valid."""

    status = 401

    def __init__(self, *, shown: bool) -> None:
        """Say what to do; which part of a token is wrong is not said.

        Args:
            shown: whether the request shows a token at all.
        """
        super().__init__(
            "this token is not valid here, or no longer. Make one with: tracium token create"
            if shown
            else "this server wants a token: send it as Authorization: Bearer TOKEN. Make one with: tracium token create"
        )
        # https://www.rfc-editor.org/rfc/rfc6750#section-3
        self.challenge = 'Bearer realm="tracium"' + (', error="invalid_token"' if shown else "")


class ForbiddenError(Refusal):
    """The token is valid, and not for this."""

    status = 403


class TooManyAttemptsError(Refusal):
    """Too many wrong tokens came from one address."""

    status = 429
    retry_after = 60

    def __init__(self) -> None:
        super().__init__("too many wrong tokens came from this address. Try again in a minute.")


class UnknownTokensError(Refusal):
    """The store cannot say which tokens there are, so that nobody is let in."""

    status = 503
    retry_after = 5
