"""A trace as far as it runs in this process, from the first of its spans that begins here until none of those is open."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import ReadableSpan

    from tracium.signals.sampling.verdict import Verdict
    from tracium.tenancy.request import Binding


class Began(NamedTuple):
    """What sampling needs to know of a span that has begun.

    Attributes:
        trace_id: Of the span.
        span_id: Of the span.
        local_parent: Whether its parent is in this process.
        randomness: The random bits of its trace.
        whole: Whether whoever sampled the trace before kept all of its like, or told how many.
        binding: The request that the span belongs to.
        tenant: The tenant that the span has, as yet.
    """

    trace_id: int
    span_id: int
    local_parent: bool
    randomness: int
    whole: bool
    binding: Binding | None
    tenant: str | None


class LocalTrace:
    """What is known of a trace whose spans are open in this process.

    Attributes:
        trace_id: Of the trace.
        randomness: Its random bits.
        whole: As in `Began`.
        roots: Ids of its open spans whose parents are elsewhere, or were never seen.
        bindings: The requests that its spans belong to, until it is decided.
        verdict: What was decided; None until then.
        held: Spans that wait: for the tenant, or for an error.
        since: When the first of them began to wait.
        fallback: A tenant to decide by if no other gets known: a default one.
        failed: Whether one of its spans has an error.
        full: Whether it had to give up what it held, and holds nothing any more.
    """

    __slots__ = (
        "bindings",
        "failed",
        "fallback",
        "full",
        "held",
        "randomness",
        "roots",
        "since",
        "trace_id",
        "verdict",
        "whole",
    )

    def __init__(self, began: Began, verdict: Verdict | None) -> None:
        self.trace_id = began.trace_id
        self.randomness = began.randomness
        self.whole = began.whole
        self.verdict = verdict
        self.roots: set[int] = set()
        self.bindings: list[Binding] = []
        self.held: list[ReadableSpan] = []
        self.since = 0.0
        self.fallback: str | None = None
        self.failed = False
        self.full = False

    def joins(self, binding: Binding | None) -> None:
        """Take note of the request that one of its spans belongs to."""
        if binding is not None and (not self.bindings or self.bindings[-1] is not binding):
            self.bindings.append(binding)

    def tenant(self, told: str | None, default: str | None) -> str | None:
        """The first tenant that is known: that of its request, else the one that a span of it was `told`.

        A default is no tenant that anybody set; it may still be replaced.
        """
        for binding in self.bindings:
            if binding.tenant is not None:
                return binding.tenant
        if told and (told == default or any(told == binding.default for binding in self.bindings)):
            self.fallback = told
            return None
        return told or None

    def last_resort(self) -> str | None:
        """The tenant to decide by when nothing more is waited for."""
        return self.tenant(None, None) or self.fallback

    def take_held(self) -> list[ReadableSpan]:
        """The spans that waited; they do not any more."""
        held, self.held = self.held, []
        return held
