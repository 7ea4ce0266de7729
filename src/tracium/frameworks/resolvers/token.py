"""The tenant that a verified token names."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias, runtime_checkable

from tracium import notices
from tracium.exceptions import MissingExtraError, SettingError
from tracium.frameworks.resolvers.header import check_header
from tracium.frameworks.resolvers.resolver import Found, Resolver

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tracium.frameworks.incoming import IncomingRequest


@runtime_checkable
class KeySource(Protocol):
    """Finds the key that a token is signed with: PyJWT's `PyJWKClient`, or anything like it."""

    def get_signing_key_from_jwt(self, token: str) -> Any:
        """The key of `token`; it may take time, and ask a server."""


Key: TypeAlias = "str | bytes | KeySource | object"
"""A secret or public key as PyJWT takes it, or what finds the key of a token."""


class _Claim(Resolver):
    # https://www.rfc-editor.org/rfc/rfc6750#section-3
    challenge = 'Bearer realm="tenant"'

    def __init__(self, claim: str, header: str, cookie: str | None, key: Key, options: dict[str, Any]) -> None:
        self._claim = claim
        self._header = header
        self._cookie = cookie
        self._key = key
        self._source = key if isinstance(key, KeySource) else None
        self._options = options

    def resolve(self, request: IncomingRequest) -> Found:
        token = self._token(request)
        if token is None:
            return None
        if self._source is not None and request.in_event_loop:
            return asyncio.to_thread(self._tenant, token)
        return self._tenant(token)

    def _token(self, request: IncomingRequest) -> str | None:
        values = request.headers(self._header)
        if values or self._cookie is None:
            return _after_bearer(values[0]) if len(values) == 1 else None
        cookies = request.cookies(self._cookie)
        return cookies[0] or None if len(cookies) == 1 else None

    def _tenant(self, token: str) -> str | None:
        import jwt  # noqa: PLC0415 - from_jwt_claim looked for it

        try:
            key: Any = self._key if self._source is None else self._source.get_signing_key_from_jwt(token).key
            claims = jwt.decode(token, key, **self._options)
        except (jwt.PyJWTError, TypeError, ValueError, AttributeError, RecursionError) as error:
            # Beside PyJWT's own: a source that answers with a page, a key of another kind than the token's algorithm, and a
            # head of brackets without end, which older PyJWT hand to Python's own parser of JSON.
            away = isinstance(error, jwt.PyJWKClientConnectionError | ValueError)
            notices.say(
                f"resolver:token:{type(error).__name__}",
                logging.WARNING if away else logging.INFO,
                f"{'The keys of tokens cannot be had' if away else 'A token was not believed'} ({type(error).__name__}); the "
                "request has no tenant by it.",
            )
            return None
        return self._read(claims.get(self._claim))

    def _read(self, tenant: object) -> str | None:
        """The claim's value; issuers number their tenants too."""
        if tenant is None or isinstance(tenant, str):
            return tenant
        if isinstance(tenant, int) and not isinstance(tenant, bool):
            return str(tenant)
        notices.say(
            f"resolver:claim-type:{self._claim}",
            logging.WARNING,
            f"The claim {self._claim} of a verified token is of the type {type(tenant).__name__}, but a tenant is a string or an "
            "integer; the request has no tenant by it.",
        )
        return None


def from_jwt_claim(  # noqa: PLR0913 - each is an option of its own, by name
    claim: str,
    *,
    key: Key,
    algorithms: Sequence[str],
    audience: str | Sequence[str] | None = None,
    issuer: str | Sequence[str] | None = None,
    leeway: float = 0,
    header: str = "Authorization",
    cookie: str | None = None,
) -> Resolver:
    """The tenant that a claim of a verified JSON Web Token names; a token that cannot be verified names nobody.

    Needs PyJWT: `pip install "tracium[jwt]"`. Signature, `exp`, `nbf`, `iat` and, where they are given, audience and
    issuer are verified: https://www.rfc-editor.org/rfc/rfc7519.

    Args:
        claim: Such as `tenant_id`; a string or an integer.
        key: The secret or public key, or a `jwt.PyJWKClient` that finds it (in async frameworks it is asked in a thread).
        algorithms: Those that the issuer signs with, such as `["RS256"]`.
        audience: What `aud` must hold. Tokens that have an audience are refused without it.
        issuer: What `iss` must be.
        leeway: Seconds by which clocks may differ.
        header: The header that holds the token, after `Bearer`.
        cookie: The cookie that holds it where the header is not sent: browsers send no header of yours with a websocket
            or an `EventSource`.

    Raises:
        MissingExtraError: PyJWT is not installed.
        SettingError: An algorithm that is not allowed or not known, `none` among them, or a key that does not fit it.
    """
    try:
        import jwt  # noqa: PLC0415, F401 - an extra
    except ImportError as error:
        raise MissingExtraError('from_jwt_claim() needs PyJWT: pip install "tracium[jwt]"') from error
    if not isinstance(claim, str) or not claim:
        raise SettingError(f"The claim is {claim!r}, but it must be a name such as 'tenant_id'.")
    names = _algorithms(algorithms)
    if not isinstance(key, KeySource):
        _try_out(key, names)
    _check_options(audience, issuer, leeway, cookie)
    options: dict[str, Any] = {"algorithms": names, "audience": audience, "issuer": issuer, "leeway": leeway}
    return _Claim(claim, check_header(header), cookie, key, options)


def _algorithms(algorithms: Sequence[str]) -> list[str]:
    import jwt  # noqa: PLC0415 - from_jwt_claim looked for it

    names = [name for name in algorithms if isinstance(name, str)] if isinstance(algorithms, list | tuple) else []
    known = {name for name in jwt.PyJWS().get_algorithms() if name.lower() != "none"}
    if not names or len(names) != len(algorithms) or any(name not in known for name in names):
        raise SettingError(
            f"algorithms is {algorithms!r}, but it must list those that the issuer signs with, of {', '.join(sorted(known))}. "
            "('none' is no signature, and is refused. RS, ES, PS and EdDSA need the package cryptography.)"
        )
    if len({name.startswith("HS") for name in names}) > 1:
        raise SettingError(
            f"algorithms is {algorithms!r}, which mixes secrets (HS…) and public keys: a public key could then be taken for a "
            "secret. Use one resolver for each, with first_of()."
        )
    return names


def _try_out(key: object, names: list[str]) -> None:
    """A key that does not fit is said at start-up, not by tokens that are never believed."""
    import jwt  # noqa: PLC0415 - from_jwt_claim looked for it

    if not key:
        raise SettingError("The key is empty, so that anyone could sign with it.")
    for name in names:
        fits = not isinstance(key, jwt.PyJWK) or key.algorithm_name == name
        try:
            if not isinstance(key, jwt.PyJWK):
                jwt.get_algorithm_by_name(name).prepare_key(key)
        except (jwt.InvalidKeyError, TypeError, ValueError):
            fits = False
        if not fits:
            # Neither the key nor what others say of it is repeated: messages end up in logs.
            raise SettingError(f"The key does not fit the algorithm {name}.")


def _check_options(audience: object, issuer: object, leeway: object, cookie: object) -> None:
    """What PyJWT would refuse with each request is refused once."""
    for name, value in (("audience", audience), ("issuer", issuer)):
        if value is not None and not isinstance(value, str | list | tuple | set | frozenset):
            raise SettingError(f"{name} is {value!r}, but it must be a string or several of them.")
    if isinstance(leeway, bool) or not isinstance(leeway, int | float):
        raise SettingError(f"leeway is {leeway!r}, but it must be a number of seconds.")
    if cookie is not None and (
        not isinstance(cookie, str) or not cookie or any(letter in cookie for letter in "=;, \t")
    ):
        raise SettingError(f"cookie is {cookie!r}, but it must be the name of a cookie.")


def _after_bearer(value: str) -> str | None:
    """The token of `Bearer TOKEN`, or of a header that holds nothing else."""
    scheme, _, rest = value.strip().partition(" ")
    if not rest:
        return scheme or None
    return rest.strip() if scheme.lower() == "bearer" else None
