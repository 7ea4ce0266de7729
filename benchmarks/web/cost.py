"""What a request costs the server: CPU time of its processes, as a ratio to OpenTelemetry without tracium.

The servers run side by side and are asked in turn; a round lasts until the spans of its requests have arrived. The
figure is the median over the rounds of the ratio within a round.
"""

import argparse
import asyncio
import statistics
import time
from contextlib import ExitStack

from receiver import Receiver
from server import GUNICORN, UVICORN, Server
from traffic import plain, send

APPS = {
    "fastapi": ("fastapi_app:app", UVICORN),
    "flask": ("flask_app:app", GUNICORN),
    "django": ("django_app:app", GUNICORN),
}
WARM_UP = 1_000


class Measured:
    """A server and its figures."""

    def __init__(self, receiver, sender, server):
        self.receiver, self.sender, self.server = receiver, sender, server
        self.sent, self.microseconds = 0, []

    def warm_up(self):
        self._send(WARM_UP)
        self.spans_per_request = self.receiver.settled(self.sender) / self.sent

    def measure(self, requests):
        before = self.server.cpu_seconds()
        self._send(requests)
        self._wait()
        self.microseconds.append((self.server.cpu_seconds() - before) / requests * 1e6)

    def spans(self):
        return self.receiver.settled(self.sender)

    def _send(self, count):
        wrong = asyncio.run(send(plain(count), self.server.port, connections=8))
        # Without tracium the app knows no tenant.
        if wrong and self.server.environment["WIRING"] == "tracium":
            raise SystemExit(f"{len(wrong)} wrong answers: {self.server.said()[-2000:]}")
        self.sent += count

    def _wait(self):
        deadline = time.monotonic() + 10
        while self.receiver.count(self.sender) < self.sent * self.spans_per_request and time.monotonic() < deadline:
            time.sleep(0.02)


def compare(framework, wirings, rounds, requests):
    app, runner = APPS[framework]
    with Receiver() as receiver, ExitStack() as stack:
        measured = []
        for number, wiring in enumerate(wirings):
            server = Server(app, runner, f"{receiver.url}/{number}", WIRING=wiring)
            measured.append(Measured(receiver, str(number), stack.enter_context(server)))
        for one in measured:
            one.warm_up()
        for number in range(rounds):
            for one in measured if number % 2 else reversed(measured):
                one.measure(requests)
        report(framework, wirings, measured, requests)


def report(framework, wirings, measured, requests):
    base = measured[0].microseconds
    print(f"\n{framework} ({len(base)} rounds of {requests} requests, CPU time of all processes of the server)")
    for wiring, one in zip(wirings, measured, strict=True):
        ratios = [mine / theirs for mine, theirs in zip(one.microseconds, base, strict=True)]
        low, middle, high = statistics.quantiles(ratios)
        print(
            f"  {wiring:10} {statistics.median(one.microseconds):7.0f} µs a request   {middle:5.3f}   "
            f"(half of the rounds: {low:5.3f} to {high:5.3f})   {one.spans():,} spans of {one.sent:,} requests",
            flush=True,
        )


def main():
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("frameworks", nargs="*", default=list(APPS), help=f"of {', '.join(APPS)} (default: all)")
    options.add_argument("--wirings", default="plain,baggage,tracium", help="as in wiring.py; the first is 1.000")
    options.add_argument("--rounds", type=int, default=80)
    options.add_argument("--requests", type=int, default=200, help="in each round")
    given = options.parse_args()
    for framework in given.frameworks:
        compare(framework, given.wirings.split(","), given.rounds, given.requests)


if __name__ == "__main__":
    main()
