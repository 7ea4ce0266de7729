"""An entered block of `tracium.tenant`, `user` or `session`, as the contexts inside it know it.

A block in a generator can end while its caller's own spans or blocks are current. Then the caller keeps them, and the
block is noted as left: what it put into the contexts below does not hold here any more.
"""

from __future__ import annotations

import weakref
from contextvars import ContextVar
from typing import TYPE_CHECKING, Final

from opentelemetry.context import Context, get_current

from tracium.tenancy.people import people_in
from tracium.tenancy.standing import STANDING, Standing, binding_in, said_afterwards, said_in, standing_in, write

if TYPE_CHECKING:
    from contextvars import Token

_NOTHING: Final = Context()
# A context variable and not a flag on the block: tasks that were started inside keep its tenant.
_left: Final[ContextVar[tuple[weakref.ref[Block], ...]]] = ContextVar("tracium-left-blocks", default=())


class Block:
    """One entered block.

    Attributes:
        owner: The `tracium.tenant`, `user` or `session` object that was entered.
        before: The context around the block, until it has ended.
        outer: The open block around this one.
        afterwards: Whether the request around it was over when it was opened.
        suspends: Whether it stands in a generator, whose caller runs in between.
        left: Whether it ended late somewhere: only then it is worth a second look.
        token: What puts `before` back, until it has ended.
    """

    __slots__ = ("__weakref__", "afterwards", "before", "left", "outer", "owner", "suspends", "token")

    def __init__(self, owner: object, before: Context, *, suspends: bool) -> None:
        binding = binding_in(before)
        self.owner = owner
        self.before = before
        self.outer = _open_block(innermost(before))
        self.afterwards = binding is not None and binding.over
        self.suspends = suspends
        self.left = False
        self.token: Token[Context] | None = None

    def end(self) -> None:
        """Let go of the context around it: tasks that were started inside may go on, and start others, for ever."""
        self.token = None
        self.before = _NOTHING

    def leave(self) -> None:
        """Note that the block has ended, although the context is not its own any more."""
        self.left = True
        _left.set((*(ref for ref in _left.get() if ref() is not None), weakref.ref(self)))


def innermost(context: Context) -> Block | None:
    """The innermost block that is open in `context`."""
    standing = standing_in(context)
    return None if standing is None else standing.scope


def here() -> Context:
    """The current context, without what blocks have put there that ended late."""
    context = get_current()
    standing = context.get(STANDING)
    if isinstance(standing, Standing) and standing.scope is not None and standing.scope.left:
        return without_left(context)
    return context


def without_left(context: Context) -> Context:
    """`context`, with the tenant, user and session that held before the blocks in it that have ended here."""
    left = [ref() for ref in _left.get()]
    settled, block = context, innermost(context)
    while block is not None and any(block is other for other in left):
        settled = block.before
        block = innermost(settled)
    if settled is context:
        return context
    binding = binding_in(context)
    state, tenant = said_in(settled, binding_in(settled))
    afterwards, people = said_afterwards(settled, binding), people_in(settled, binding)
    return write(context, state, tenant, binding, block, afterwards=afterwards, people=people)


def _open_block(block: Block | None) -> Block | None:
    """The nearest of `block` and those around it that has not ended; links to ended ones are shortened on the way."""
    while block is not None and block.token is None:
        block = block.outer
    if block is not None and block.outer is not None and block.outer.token is None:
        block.outer = _open_block(block.outer)
    return block
