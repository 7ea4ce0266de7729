"""`tracium.tenant`, `user` and `session`: a stretch of code in which one of them holds."""

from __future__ import annotations

import functools
import inspect
from typing import TYPE_CHECKING, Any, ClassVar, Final, Self, TypeVar, cast

from opentelemetry.context import Context, attach, get_current

from tracium.tenancy.attachment import restore
from tracium.tenancy.block import Block, here, innermost, without_left
from tracium.tenancy.identity import SESSION, TENANT, USER
from tracium.tenancy.people import say
from tracium.tenancy.standing import SPAN, State
from tracium.tenancy.stepping import step_async_generator, step_generator

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType, TracebackType

    from tracium.tenancy.identity import Identity

_GENERATOR: Final = inspect.CO_GENERATOR | inspect.CO_ASYNC_GENERATOR
_Function = TypeVar("_Function", bound="Callable[..., object]")


class Scope:
    """A stretch of code in which one tenant, user or session holds, as `with`, `async with` or decorator."""

    _identity: ClassVar[Identity]

    def __init__(self, value: str | None) -> None:
        self._value = None if value is None else self._identity.check(value)

    def __enter__(self) -> Self:
        self._enter(_runs_in_generator(inspect.currentframe()))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        context = get_current()
        inner = innermost(context)
        block = inner
        while block is not None and block.owner is not self:
            block = block.outer
        # A block that is closed late may not be in the context any more: then it has nothing to restore.
        if block is None or block.token is None:
            return
        if block.suspends and (block is not inner or context.get(SPAN) is not block.before.get(SPAN)):
            # The generator's caller has a span or a block of its own open, and keeps it.
            block.leave()
            attach(without_left(context))
        else:
            token = block.token
            block.end()
            restore(token)

    async def __aenter__(self) -> Self:
        self._enter(_runs_in_generator(inspect.currentframe()))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.__exit__(kind, error, trace)

    def __call__(self, function: _Function) -> _Function:
        """Decorate a function, coroutine function, generator function or async generator function."""
        return cast("_Function", self._decorate(function))

    def _enter(self, suspends: bool) -> None:  # noqa: FBT001 - the one thing to know
        context = here()
        block = Block(self, context, suspends=suspends)
        block.token = attach(self._inside(context, block))

    def _begin(self) -> Context:
        context = here()
        block = Block(self, context, suspends=False)
        # The generator's steps put their contexts back themselves.
        block.end()
        return self._inside(context, block)

    def _inside(self, context: Context, block: Block) -> Context:
        state = State.NONE if self._value is None else State.SET
        return say(context, self._identity, state, self._value, block, block.afterwards)

    def _decorate(self, function: Callable[..., Any]) -> Callable[..., Any]:
        if inspect.isasyncgenfunction(function):
            return step_async_generator(function, self._begin)
        if inspect.isgeneratorfunction(function):
            return step_generator(function, self._begin)
        if inspect.iscoroutinefunction(function):

            @functools.wraps(function)
            async def coroutine(*args: Any, **kwargs: Any) -> Any:
                with self:
                    return await function(*args, **kwargs)

            return coroutine

        @functools.wraps(function)
        def call(*args: Any, **kwargs: Any) -> Any:
            with self:
                return function(*args, **kwargs)

        return call


class tenant(Scope):  # noqa: N801 - it reads as a verb: with tracium.tenant("acme"):
    """A stretch of code in which one tenant holds, as `with`, `async with` or decorator.

    What held before holds again afterwards. Only spans that start inside are marked: the request around it, if any,
    keeps what it has. `tracium.tenant(None)` marks nothing inside, also in a request that has a tenant. A user or session
    of another tenant does not hold inside.

    As a decorator it serves functions, coroutines, generators and async generators; a decorated generator has the
    tenant while it runs, and its caller never has it. (A plain `with` around a `yield` cannot do that in Python: the
    block's tenant shows in the caller while the generator is suspended. Decorate the generator instead.)

    Args:
        tenant: As for `tracium.set_tenant`.

    Raises:
        TenantTypeError: `tenant` is neither a string nor None.
        TenantValueError: No tenant can have this id.
    """

    _identity = TENANT

    def __init__(self, tenant: str | None) -> None:
        super().__init__(tenant)


class user(Scope):  # noqa: N801 - as above
    """A stretch of code in which one user holds, as `with`, `async with` or decorator, by the rules of `tracium.tenant`.

    The user is one of the tenant that holds outside the block, or of the one that is set next if none does. Where another
    tenant holds, the user does not.

    Args:
        user: As for `tracium.set_user`; None marks no user inside.

    Raises:
        IdentityTypeError: `user` is neither a string nor None.
        IdentityValueError: No user can have this id.
    """

    _identity = USER

    def __init__(self, user: str | None) -> None:
        super().__init__(user)


class session(Scope):  # noqa: N801 - as above
    """A stretch of code in which one session holds, as `with`, `async with` or decorator, by the rules of `tracium.user`.

    Args:
        session: As for `tracium.set_session`; None marks no session inside.

    Raises:
        IdentityTypeError: `session` is neither a string nor None.
        IdentityValueError: No session can have this id.
    """

    _identity = SESSION

    def __init__(self, session: str | None) -> None:
        super().__init__(session)


def _runs_in_generator(frame: FrameType | None) -> bool:
    """Whether the code that entered the block is a generator's; `frame` is that of the block's own method."""
    caller = None if frame is None else frame.f_back
    return caller is not None and bool(caller.f_code.co_flags & _GENERATOR)
