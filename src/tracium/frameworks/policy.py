"""What becomes of a request: its tenant, or the reason why it is refused."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from inspect import iscoroutinefunction
from typing import TYPE_CHECKING, Any, Final, Literal, get_args

from tracium import notices
from tracium.exceptions import SettingError, TenantTypeError, TenantValueError
from tracium.frameworks.resolvers import as_resolver
from tracium.tenancy import MAX_TENANT_LENGTH, assume_tenant, check_tenant, get_current_tenant, set_tenant

if TYPE_CHECKING:
    from tracium.frameworks.incoming import IncomingRequest
    from tracium.frameworks.resolvers import AnyResolver
    from tracium.frameworks.resolvers.resolver import Found

Missing = Literal["allow", "reject"]
"""What to do with a request whose tenant is not known."""

MissingPolicy = Missing | Callable[[Any], Missing]
"""The same for all requests, or a callable that takes the framework's request and tells it for each."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """An answer in the app's place.

    Attributes:
        status: The HTTP status.
        sentence: What is wrong, for people. It repeats nothing that the client sent.
        challenge: What the client can authenticate with, or None.
    """

    status: int
    sentence: str
    challenge: str | None = None

    @property
    def headers(self) -> dict[str, str]:
        """Further headers: a 401 names a way to authenticate (RFC 9110, section 15.5.2)."""
        return {} if self.challenge is None else {"WWW-Authenticate": self.challenge}

    @property
    def body(self) -> dict[str, str]:
        """The same as JSON, in the form that FastAPI and Starlette give errors."""
        return {"detail": self.sentence}


_INVALID: Final = Refusal(
    400,
    f"The tenant of this request is not valid: a tenant id has 1 to {MAX_TENANT_LENGTH} characters, none of them a control "
    "character.",
)
_NOT_KNOWN: Final = "This request needs a tenant, and names none that is known here."


class Policy:
    """A resolver, and what to do when it finds no tenant.

    Args:
        resolver: Of `tracium.frameworks.resolvers`, or a callable.
        missing: `allow`, `reject`, or a callable that takes the framework's request and gives one of both.
        default: Tenant of the telemetry of requests that have none.

    Raises:
        SettingError: A value that is not allowed. It is logged too: Starlette makes its middleware when the app is called
            first, and servers take an error there for an app without lifespan.
    """

    def __init__(self, resolver: AnyResolver, missing: MissingPolicy, default: str | None) -> None:
        try:
            self._resolver = as_resolver(resolver)
            told = callable(missing) and not iscoroutinefunction(missing)
            self._missing: MissingPolicy = missing if told else _check_missing(missing)  # type: ignore[arg-type] # it is refused
            self._default = None if default is None else _check_default(default, missing)
        except SettingError as error:
            notices.say(f"middleware:{error}", logging.ERROR, f"The tenant middleware cannot be made. {error}")
            raise
        self._refusal = Refusal(401, _NOT_KNOWN, self._resolver.challenge)

    def ask(self, request: IncomingRequest) -> Found:
        """What the resolver says of a request, for `settle`."""
        return self._resolver.resolve(request)

    def settle(self, found: object, request: object) -> Refusal | None:
        """Set the tenant that was found, or say why the request is refused.

        Args:
            found: What the resolver gave.
            request: The framework's own.

        Raises:
            SettingError: The callable that was given as `missing` gave something else.
            TenantTypeError: A callable gave something that is neither a string nor None.
        """
        # An empty header names nobody.
        if found is None or found == "":
            return self._without_tenant(request)
        try:
            set_tenant(check_tenant(found))
        except TenantValueError:
            notices.say(
                "tenant:invalid",
                logging.INFO,
                "A client sent a tenant id that no tenant can have, and got 400. It is not repeated here, because logs are "
                "telemetry.",
            )
            return _INVALID
        return None

    def _without_tenant(self, request: object) -> Refusal | None:
        if get_current_tenant() is not None:
            # It came from another service of ours, which proved whom it works for.
            return None
        missing = _check_missing(self._missing(request)) if callable(self._missing) else self._missing
        if missing == "reject":
            return self._refusal
        if self._default is not None:
            assume_tenant(self._default)
        return None


def _check_missing(missing: Missing) -> Missing:
    if missing not in get_args(Missing):
        raise SettingError(
            f"missing is {missing!r}, but it must be one of {', '.join(map(repr, get_args(Missing)))}, or a callable, not async, "
            "that takes the request and gives one of them."
        )
    return missing


def _check_default(default: str, missing: object) -> str:
    if missing == "reject":
        raise SettingError(
            f"default is {default!r}, but with missing='reject' no request goes on without a tenant. Leave one of them out."
        )
    try:
        return check_tenant(default)
    except (TenantTypeError, TenantValueError) as error:
        raise SettingError(f"default is {default!r:.80}, which cannot be a tenant. {error}") from error
