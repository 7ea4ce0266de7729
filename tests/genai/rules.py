"""What holds for every library: each rule gives the calls, requests or texts that break it, so none is good."""

from __future__ import annotations

from collections import Counter
from typing import ClassVar

from genai.harness import CONTENT, customer

# What may come with a request that is traced: https://www.w3.org/TR/trace-context/, and AWS's own header for it.
_PROPAGATED = {"traceparent", "tracestate", "baggage", "x-amzn-trace-id"}


def miscounted(ran, calls):
    """Calls whose usage is not there exactly once; `calls` gives the number of model calls, and tokens in and out."""
    wrong = {}
    for call, (number, *tokens) in calls.items():
        found = (len(ran.counted(call)), *ran.usage(call))
        if found != (number, *(number * each for each in tokens)):
            wrong[call] = found
    return wrong


def mismetered(ran, calls):
    """Calls whose tokens are not on the metric, once, for their customer."""
    return {
        call: ran.metered(call)
        for call, (number, *tokens) in calls.items()
        if ran.metered(call) != tuple(number * each for each in tokens)
    }


def misplaced(ran, calls):
    """Spans that are not their customer's."""
    return [
        (call, span.name, span.tenant) for call in calls for span in ran.trace(call) if span.tenant != customer(call)
    ]


def told(ran):
    """Pieces of what was asked and answered that were exported."""
    return [piece for piece in CONTENT if any(piece in body for body in ran.received.bodies)]


def leaked(ran):
    """Requests in which the vendors could see a customer."""
    return [request for request in ran.requests if request.says("customer-") or request.says("tenant")]


def altered(ran):
    """Requests that are not as they are without tracium, trace headers aside."""
    with_tracium, without = (Counter(map(_essence, vendor)) for vendor in (ran.requests, _plain(ran)))
    return [*(with_tracium - without), *(without - with_tracium)]


def _plain(ran):
    return [request for vendor in ran.plain for request in vendor.requests]


def _essence(request):
    names = frozenset(request.headers) - _PROPAGATED
    return request.path, request.raw, names


class Accounting:
    """The rules as tests, for a library whose app ran as the fixture `ran`.

    Attributes:
        library: Its name in the table.
        calls: By call: the number of model calls in it, and the tokens in and out of each.
        streams: Those of `calls` that are streamed.
        unknown: Calls that were billed, but whose usage (or part of it) nobody was told.
        failed: Calls that were not billed.
        beside: How many answers more the vendor billed.
        metered: What the library's metric has, as in `calls`; nothing if it has no metric.
    """

    library = ""
    calls: ClassVar = {}
    streams: ClassVar = ()
    unknown: ClassVar = ()
    failed: ClassVar = ()
    beside = 0
    metered: ClassVar = {}

    @property
    def all_calls(self):
        return [*self.calls, *self.unknown, *self.failed]

    def test_each_call_is_counted_once(self, ran):
        """With what the vendor billed; and the vendor billed nothing else."""
        assert miscounted(ran, self.calls) == {}
        known = sum(number for number, *_ in self.calls.values())
        assert len(ran.billed) == known + len(self.unknown) + self.beside

    def test_what_nobody_was_told_is_unknown(self, ran):
        """Not zero, not a guess, and not said of a call whose usage is known."""
        marked = {
            call
            for call in self.all_calls
            for span in ran.counted(call)
            if span.attributes.get("tracium.usage.unknown")
        }
        assert marked == set(self.unknown)

    def test_every_span_is_its_customers(self, ran):
        """Those of transports, tools and agents too."""
        assert misplaced(ran, self.all_calls) == []

    def test_every_token_on_the_metric_is_its_customers(self, ran):
        """The metric's sums are the spans'."""
        assert mismetered(ran, self.metered) == {}
        found = {point.tenant for point in ran.received.points_of("gen_ai.client.token.usage")}
        assert found == set(map(customer, self.metered))

    def test_nothing_that_was_said_is_exported(self, ran):
        """Neither on spans, nor in logs or metrics."""
        assert ran.received.bodies
        assert told(ran) == []

    def test_no_vendor_learns_of_a_customer(self, ran):
        """From whatever is sent."""
        assert ran.requests
        assert leaked(ran) == []

    def test_the_requests_are_the_apps_own(self, ran):
        """Byte for byte as without tracium."""
        assert altered(ran) == []

    def test_its_row_in_the_documentation(self, ran, account):
        """Says what was measured."""
        streams = {call: self.calls[call] for call in self.streams}
        account(
            self.library,
            once=not miscounted(ran, self.calls),
            streamed=not miscounted(ran, streams) if streams else None,
            span=not misplaced(ran, self.all_calls),
            metric=not mismetered(ran, self.metered) if self.metered else None,
            silent=not told(ran),
            kept=not leaked(ran),
        )
