"""What hands work over: the function of a call is replaced by one that takes the context along."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from opentelemetry.context import Context, attach, detach

if TYPE_CHECKING:
    from collections.abc import Callable

    Call = Callable[..., Any]
    Args = tuple[Any, ...]
    KwArgs = dict[str, Any]

NOTHING: Final = Context()
"""The context of what serves everybody."""

# The methods of `multiprocessing.pool.Pool` that hand over work; `apply` and the rest call these.
POOL_METHODS: Final = ("apply_async", "map", "map_async", "starmap", "starmap_async", "imap", "imap_unordered")


def with_function(args: Args, kwargs: KwArgs, name: str, carried: Callable[[Any], Any]) -> tuple[Args, KwArgs]:
    """The arguments of a call whose function, the first of them or `name`, is replaced by what `carried` makes of it."""
    if args and callable(args[0]):
        return (carried(args[0]), *args[1:]), kwargs
    if not args and callable(kwargs.get(name)):
        return args, {**kwargs, name: carried(kwargs[name])}
    return args, kwargs


def with_nothing(call: Call, instance: object, args: Args, kwargs: KwArgs) -> Any:  # noqa: ARG001 - wrapt's signature
    """Call what starts threads or processes that serve everybody: they begin with nothing."""
    token = attach(NOTHING)
    try:
        return call(*args, **kwargs)
    finally:
        detach(token)
