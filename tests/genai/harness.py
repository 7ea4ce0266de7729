"""An app that calls models, run with tracium and without it, and what became of its calls.

The apps are in `apps`: each makes calls of one library, each call for a customer of its own, in a trace of its own.
"""

from __future__ import annotations

import subprocess
import sys
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from unittest.mock import patch

from support import receiver as receiving
from support.app import environment

APPS = Path(__file__).parent / "apps"
# What the apps ask, and the fakes answer, and tools are given and give: none of it may be exported.
CONTENT = (b"secret word", b"Hello", b"Paris", b"Be kind")
_OPERATIONS = {"chat", "text_completion", "generate_content", "embeddings"}
_DELTA = 1


@dataclass
class Everything(receiving.Receiver):
    """A receiver that keeps the bytes too, with what the others leave out."""

    bodies: list = field(default_factory=list)

    def take(self, body, headers):
        self.bodies.append(body)
        super().take(body, headers)

    def take_logs(self, body, headers):
        self.bodies.append(body)
        super().take_logs(body, headers)

    def take_metrics(self, body, headers):
        self.bodies.append(body)
        super().take_metrics(body, headers)


@dataclass
class Ran:
    """What became of an app's calls.

    Attributes:
        log: What the app wrote to stderr.
        received: What it exported.
        vendors: What the models' vendors saw.
        plain: What they saw of the same app without tracium.
    """

    log: str
    received: Everything
    vendors: list
    plain: list

    def trace(self, call):
        """All spans of a call."""
        (work,) = self.received.named(f"work {call}")
        return [span for span in self.received.spans if span.trace_id == work.trace_id]

    def described(self, call):
        """The spans that describe a model call."""
        return [span for span in self.trace(call) if span.attributes.get("gen_ai.operation.name") in _OPERATIONS]

    def counted(self, call):
        """Those whose usage counts."""
        return [span for span in self.described(call) if not span.attributes.get("tracium.usage.elsewhere")]

    def model_span(self, call):
        """The one span whose usage counts."""
        (span,) = self.counted(call)
        return span

    def usage(self, call):
        """Input and output tokens, over all spans of whatever kind."""
        keys = ("gen_ai.usage.input_tokens", "gen_ai.usage.output_tokens")
        return tuple(sum(span.attributes.get(key, 0) for span in self.trace(call)) for key in keys)

    def metered(self, call):
        """Input and output tokens that the metric has for the call's customer."""
        series = {}
        for point in self.received.points_of("gen_ai.client.token.usage"):
            if point.tenant == customer(call):
                key = (point.scope, *sorted(point.attributes.items()))
                before = series.get(key, 0) if point.temporality == _DELTA else 0
                series[key] = before + point.value
        sums = {"input": 0, "output": 0}
        for (_, *attributes), value in series.items():
            sums[dict(attributes)["gen_ai.token.type"]] += value
        return sums["input"], sums["output"]

    def told_by(self, word):
        """The lines of the app's log that begin with `word`."""
        return [line for line in self.log.splitlines() if line.startswith(word)]

    @property
    def requests(self):
        return [request for vendor in self.vendors for request in vendor.requests]

    @property
    def billed(self):
        return [billed for vendor in self.vendors for billed in vendor.billed]


def customer(call):
    """The tenant for whom the apps make a call."""
    return f"customer-{call}"


@contextmanager
def ran(app, **servers):
    """Run the app to its end, with tracium and, if it calls servers, beside it without.

    `servers` are what it calls, by the variable that tells it where they are.
    """
    with ExitStack() as stack, patch.object(receiving, "Receiver", Everything):
        received = stack.enter_context(receiving.http_receiver())
        traced = {name: stack.enter_context(server()) for name, server in servers.items()}
        plain = {name: stack.enter_context(server()) for name, server in servers.items()}
        exporting = {"TRACIUM_METRICS": "true", "TRACIUM_LOGS": "true"}
        runs = [stack.enter_context(_begun(app, received, traced, exporting))]
        if plain:
            runs.append(stack.enter_context(_begun(app, None, plain, {"UNTRACED": "1"})))
        log, *_ = map(_ended, runs)
        yield Ran(log, received, list(traced.values()), list(plain.values()))


@contextmanager
def _begun(app, received, servers, variables):
    urls = {name: vendor.url for name, vendor in servers.items()}
    process = subprocess.Popen(
        [sys.executable, str(APPS / f"{app}_app.py")],
        env=environment(received, LITELLM_LOCAL_MODEL_COST_MAP="True", **urls, **variables),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
            process.communicate()


def _ended(process):
    _, log = process.communicate(timeout=90)
    assert process.returncode == 0, log[-4000:]
    return log
