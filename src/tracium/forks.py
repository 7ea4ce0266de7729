"""Forked children of this process: what they must not take over as it was in the moment of the fork."""

from __future__ import annotations

import os
import weakref
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable


def in_children(renew: Callable[[], object]) -> None:
    """Call `renew` in every child that is forked from now on, before any other of its code runs.

    A lock that another thread held when the child was forked is held there for ever. Calls come in the order of
    registration. A bound method does not keep its object alive.
    """
    register: Any = getattr(os, "register_at_fork", None)
    if register is not None:
        method: Any = weakref.WeakMethod(renew) if hasattr(renew, "__self__") else lambda: renew
        register(after_in_child=lambda: _call(method()))


def around(before: Callable[[], object], after_in_parent: Callable[[], object]) -> None:
    """Call `before` in this process before every fork, and `after_in_parent` after it. Both are bound methods, not kept alive."""
    register: Any = getattr(os, "register_at_fork", None)
    if register is not None:
        first, last = weakref.WeakMethod(before), weakref.WeakMethod(after_in_parent)
        register(before=lambda: _call(first()), after_in_parent=lambda: _call(last()))


def _call(renew: Callable[[], object] | None) -> None:
    if renew is not None:
        renew()
