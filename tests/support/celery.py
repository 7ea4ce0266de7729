"""Real Celery workers, as their users start them, and whether all that they did has the right tenant."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from contextlib import contextmanager

from support.app import BIN, environment
from support.receiver import http_receiver
from support.web import APPS

# What a handler of ours, or Celery or the instrumentor about it, would say.
TROUBLE = ("tracium failed", "Signal handler", "Failed to detach", "no existing span", "different Context")


class CeleryWorker:
    """A worker, and what sends to it.

    Attributes:
        receiver: Where its spans and the senders' arrive.
        variables: Its environment.
        log: What it says.
        done: What the scenarios of `apps/celery_app.py` saw, by name.
    """

    def __init__(self, receiver, variables, log):
        self.receiver, self.variables, self.log = receiver, variables, log
        self.done = {}

    def send(self, *scenarios, **variables):
        """Run these scenarios in a process of their own."""
        ended = subprocess.run(
            [sys.executable, "-c", "import celery_app; celery_app.main()", *scenarios],
            env=self.variables | {"SERVICE": "sender"} | variables,
            capture_output=True,
            text=True,
            timeout=90,
        )
        assert ended.returncode == 0, ended.stderr[-4000:] + self.log.read_text()[-4000:]
        assert troubles(ended.stderr) == []
        self.done |= json.loads(ended.stdout)

    def spans(self, trace):
        return [span for span in self.receiver.spans if span.trace_id == trace]

    def measured(self, name, messages, attempts, *, by=None):
        """Whether all of a scenario has the sender's tenant and trace, and the workers were clean then.

        Args:
            name: The scenario's.
            messages: How many messages it takes.
            attempts: How many attempts at a task send their span.
            by: The tenant, if it is not the sender's.
        """
        ran = self.done[name]
        spans = self.spans(ran["expected"])
        tenant = by or ran["for"]
        kinds = Counter(span.name.partition("/")[0] for span in spans)
        assert kinds == {name: 1, "apply_async": messages, "run": attempts}, sorted(span.name for span in spans)
        assert len({span.span_id for span in spans}) == len(spans)
        tenants = {span.tenant for span in spans if by is None or span.name != name}
        return {
            "tenant": {seen["tenant"] for seen in ran["seen"]} == {tenant} == tenants,
            "trace": {seen["trace"] for seen in ran["seen"]} == {ran["expected"]},
            "clean": self._is_clean(ran),
        }

    def _is_clean(self, ran):
        probes = ran["probes"]["found"]
        spans = [span for probe in probes for span in self.spans(probe["trace"])]
        return (
            ran["kept"]
            and ran["probes"]["missing"] == []
            and {probe["tenant"] for probe in probes} == {span.tenant for span in spans} == {None}
            and Counter(span.name for span in spans)
            == {"apply_async/celery_app.probe": len(probes), "run/celery_app.probe": len(probes)}
        )


def troubles(log):
    return [line for line in log.splitlines() if any(trouble in line for trouble in TROUBLE)]


@contextmanager
def celery_worker(folder, broker, backend, *arguments, launcher=(), **variables):
    """Run a worker until the block ends; then it is asked to end, and its last spans have arrived."""
    with http_receiver() as receiver:
        variables = environment(
            receiver,
            BROKER=broker,
            BACKEND=backend,
            PYTHONPATH=str(APPS),
            OTEL_PYTHON_DISABLED_INSTRUMENTATIONS="redis",
            **variables,
        )
        log = folder / "worker.log"
        with celery_process(folder, log, variables | {"ROLE": "worker"}, "worker", *arguments, launcher=launcher):
            yield CeleryWorker(receiver, variables, log)


@contextmanager
def celery_process(folder, log, variables, *arguments, launcher=()):
    """Run Celery's command until the block ends."""
    command = [*launcher, str(BIN / "celery"), "-A", "celery_app", *arguments, "--loglevel", "INFO"]
    with log.open("w") as output:
        process = subprocess.Popen(command, cwd=folder, env=variables, stdout=output, stderr=subprocess.STDOUT)
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
