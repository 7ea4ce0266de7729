"""arq with its real worker, started from the command line, and jobs from producers of every kind."""

from __future__ import annotations

import asyncio
import json
import pickle
import signal
import subprocess
import time
from collections import Counter
from contextlib import contextmanager
from pathlib import Path

import pytest
import redis
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from support.app import BIN, environment, run_app
from support.brokers import running_redis
from support.receiver import http_receiver

from tracium.queues.arq import KEY

APPS = Path(__file__).parents[1] / "support" / "apps"
CONSUMER, PRODUCER = 5, 4
ERROR = 2

# What every producer has: `send(name, tenant, function, …)` makes a job in that tenant and in a trace of its own.
PRODUCE = """
import asyncio, json, os
from datetime import datetime, timedelta, timezone
import tracium
if "UNTRACED" not in os.environ:
    tracium.trace()
from arq import create_pool
from arq.connections import RedisSettings
from opentelemetry.trace import format_trace_id, get_tracer
from arq_app import SERIALIZER

made = {}

async def main():
    settings = RedisSettings.from_dsn(os.environ["REDIS"])
    pool = await create_pool(settings, default_queue_name=os.environ.get("QUEUE", "arq:queue"), **SERIALIZER)

    async def send(name, tenant, function, *args, **options):
        with tracium.tenant(tenant), get_tracer("app").start_as_current_span("send") as span:
            job = await pool.enqueue_job(function, *args, _job_id=name, **options)
            made[name] = format_trace_id(span.get_span_context().trace_id)
            return job

{}
    await pool.close(close_connection_pool=True)

asyncio.run(main())
print(json.dumps(made))
"""

JOBS = """
soon = timedelta(milliseconds=100)
await send("enqueue_job", "acme", "work")
await send("_defer_by", "acme", "work", _defer_by=soon)
await send("_defer_until", "globex", "work", _defer_until=datetime.now(timezone.utc) + soon)
await send("change", "acme", "change", "evil")
await send("meet acme", "acme", "meet")
await send("meet globex", "globex", "meet")
await send("fail", "acme", "fail")
await send("fail_unkept", "acme", "fail_unkept")
await send("Retry", "acme", "flaky")
await send("insist", "globex", "insist")
await send("time_out", "acme", "time_out")
await send("time_out_unkept", "acme", "time_out_unkept")
await send("abort", "acme", "wait")
await send("nest", "acme", "nest")
await send("no such", "acme", "no_such_function")
await send("nobody", None, "work")
assert await send("enqueue_job", "evil", "work") is None
made["enqueue_job"] = first
"""
JOBS = JOBS.replace('await send("_defer_by"', 'first = made["enqueue_job"]\nawait send("_defer_by"', 1)


class Site:
    """A Redis, a receiver, what was sent and what became of it."""

    def __init__(self, url, receiver):
        self.receiver = receiver
        self.env = environment(receiver, REDIS=url, PYTHONPATH=str(APPS), PYTHONWARNINGS="ignore")
        self.connection = redis.Redis.from_url(url)
        self.made, self.status = {}, {}
        take = receiver.take
        receiver.take = lambda body, headers: (self._keep_status(body), take(body, headers))

    def _keep_status(self, body):
        for resource_spans in ExportTraceServiceRequest.FromString(body).resource_spans:
            for scope_spans in resource_spans.scope_spans:
                for span in scope_spans.spans:
                    events = [event.name for event in span.events]
                    self.status[span.span_id.hex()] = (span.status.code, span.status.message, events)

    def produce(self, code, **variables):
        """Run a producer; gives the traces of what it made."""
        indented = "".join(f"    {line}\n" for line in code.splitlines())
        ended = run_app(PRODUCE.replace("{}\n    await", indented + "    await"), self.env | variables, cwd=APPS)
        made = json.loads(ended.stdout)
        self.made |= made
        return made

    def result(self, name, loads=pickle.loads):
        """What a job returned or raised, when it has ended."""
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            stored = self.connection.get(f"arq:result:{name}")
            if stored is not None:
                return loads(stored)["r"]
            time.sleep(0.05)
        raise AssertionError(f"{name} has no result")

    def spans(self, name, count=1, kind=CONSUMER):
        """The spans of the attempts at a job, in the order of their arrival."""
        deadline = time.monotonic() + 10
        while True:
            found = [
                span
                for span in list(self.receiver.spans)
                if span.kind == kind and span.attributes.get("messaging.message.id") == name
            ]
            if len(found) >= count or time.monotonic() > deadline:
                assert len(found) == count, f"{len(found)} spans of {name}"
                return found
            time.sleep(0.02)

    def held(self, name, tenant):
        """Whether the tenant and the trace were carried to a job that tells what it saw, and to its one span."""
        (seen_tenant, seen_trace), (span,) = self.result(name), self.spans(name)
        return seen_tenant == tenant == span.tenant, seen_trace == self.made[name] == span.trace_id

    def statuses(self, name, count=1):
        return [self.status[span.span_id] for span in self.spans(name, count)]


@contextmanager
def worker_of(site, *arguments, **variables):
    """A worker from the command line, which is ended by its id; it must end well."""
    with subprocess.Popen(
        [BIN / "arq", "arq_app.WorkerSettings", *arguments],
        env=site.env | variables,
        cwd=APPS,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        try:
            yield process
        finally:
            if "--burst" not in arguments:
                process.terminate()
            try:
                output, _ = process.communicate(timeout=20)
            except subprocess.TimeoutExpired:
                process.kill()
                raise
    assert process.returncode in {0, -signal.SIGTERM}, output
    assert "tracium failed" not in output, output


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """One worker that performs every kind of job, some of them at once."""
    with running_redis(tmp_path_factory.mktemp("redis")) as url, http_receiver() as receiver:
        site = Site(url, receiver)
        site.produce(JOBS)
        with worker_of(site):
            yield site
        site.connection.close()
        # Whatever ran, no span was sent twice.
        sent = Counter(span.span_id for span in receiver.spans)
        assert max(sent.values()) == 1, sent.most_common(3)


@pytest.fixture(scope="module")
def clean(site):
    """Whether a job that was sent without tenant and trace has neither, after what the worker did before."""
    site.result("change")
    known = set(site.made.values())
    site.produce('await send("probe", None, "work", "probe")\n', UNTRACED="1")
    (tenant, trace), (span,) = site.result("probe"), site.spans("probe")
    return tenant is None and span.tenant is None and trace == span.trace_id not in known and not span.parent_id


@pytest.mark.parametrize(
    ("way", "tenant"), [("enqueue_job", "acme"), ("_defer_by", "acme"), ("_defer_until", "globex")]
)
def test_every_way_to_make_a_job_takes_tenant_and_trace_along(way, tenant, site, clean, mechanism):
    """Now and later; an id that is taken changes nothing."""
    held_tenant, held_trace = site.held(way, tenant)
    mechanism(f"arq: {way}", tenant=held_tenant, trace=held_trace, clean=clean)


def test_a_job_is_made_in_a_span_of_the_senders_that_its_own_follows(site):
    """Send, create, process: one trace."""
    (process,), (create,) = site.spans("enqueue_job"), site.spans("enqueue_job", kind=PRODUCER)
    assert (create.name, process.name) == ("create work", "process work")
    assert process.parent_id == create.span_id
    assert create.parent_id in {span.span_id for span in site.receiver.named("send")}
    for span in (create, process):
        assert span.tenant == "acme"
        assert span.attributes["messaging.destination.name"] == "arq:queue"
        assert span.attributes["messaging.system"] == "arq"


def test_a_job_without_a_tenant_has_none(site):
    """The trace goes along all the same, and what the worker's start has set is not the job's."""
    assert site.held("nobody", None) == (True, True)


def test_two_jobs_at_once_are_kept_apart(site, clean, mechanism):
    """Each waits for the other in the middle."""
    seen = {tenant: site.result(f"meet {tenant}") for tenant in ("acme", "globex")}
    traces = {tenant: site.made[f"meet {tenant}"] for tenant in seen}
    mechanism(
        "arq: two jobs at once",
        tenant=all([before[0], after[0]] == [tenant] * 2 for tenant, (before, after) in seen.items()),
        trace=all([before[1], after[1]] == [traces[tenant]] * 2 for tenant, (before, after) in seen.items()),
        clean=clean,
    )


def test_a_job_of_a_job_is_of_the_same_tenant_and_trace(site, clean, mechanism):
    """Its tenant is that of the job that made it."""
    nested = site.result("nest")
    (tenant, trace), (span,) = site.result(nested), site.spans(nested)
    mechanism(
        "arq: enqueue_job in a job",
        tenant=tenant == "acme" == span.tenant,
        trace=trace == site.made["nest"] == span.trace_id,
        clean=clean,
    )


def test_hooks_around_a_job_are_its_tenants(site, clean, mechanism):
    """`on_job_start` and `on_job_end`, also of a job that has set another tenant."""
    site.result("fail")
    site.spans("fail")
    hooks = [site.receiver.named(f"{hook} of fail")[0] for hook in ("start", "end")]
    mechanism(
        "arq: on_job_start, on_job_end",
        tenant={span.tenant for span in hooks} == {"acme"},
        trace={span.trace_id for span in hooks} == {site.made["fail"]},
        clean=clean,
    )
    site.spans("change")
    assert site.receiver.named("end of change")[0].tenant == "acme"


def test_every_attempt_is_a_span_and_a_wish_for_another_no_error(site, clean, mechanism):
    """At once, and after a while; until no attempt is left."""
    tenant, trace = site.result("Retry")
    spans = site.spans("Retry", 3)
    assert site.statuses("Retry", 3) == [(0, "", ["exception", "retry"])] * 2 + [(0, "", [])]
    mechanism(
        "arq: Retry",
        tenant={span.tenant for span in spans} == {"acme"} == {tenant},
        trace={span.trace_id for span in spans} == {site.made["Retry"]} == {trace},
        clean=clean,
    )
    site.result("insist")
    *wishes, last = site.statuses("insist", 3)
    assert wishes == [(0, "", ["exception", "retry"])] * 2
    assert last == (ERROR, "JobExecutionFailed: max 2 retries exceeded", ["exception"])


@pytest.mark.parametrize(
    ("name", "why"),
    {
        "fail": "ValueError: as asked",
        "fail_unkept": "ValueError: as asked",
        "time_out": "TimeoutError: ",
        "time_out_unkept": "CancelledError: ",
        "no such": "JobExecutionFailed: function 'no_such_function' not found",
    }.items(),
)
def test_whatever_ends_a_job_is_on_its_span(name, why, site):
    """Although the worker keeps it to itself, and keeps no results of some."""
    (span,) = site.spans(name)
    assert site.statuses(name) == [(ERROR, why, ["exception"])]
    assert (span.tenant, span.trace_id) == ("acme", site.made[name])
    if name == "fail":
        assert repr(site.result(name)) == "ValueError('as asked')"


def test_a_job_that_is_aborted_is_an_error(site):
    """It is cancelled where it waits."""
    assert site.connection.blpop("waiting:abort", timeout=20)
    site.connection.zadd("arq:abort", {"abort": int(time.time() * 1000)})
    assert isinstance(site.result("abort"), asyncio.CancelledError)
    assert site.statuses("abort") == [(ERROR, "CancelledError: ", ["exception"])]
    assert site.spans("abort")[0].tenant == "acme"


@pytest.mark.parametrize(
    "brought",
    [
        {"baggage": "tenant.id=acme,tenant.id=evil"},
        {"baggage": "tenant.id=" + "a" * 9000},
        {"baggage": 7, "traceparent": b"\xff"},
        ["baggage"],
        "tenant.id=acme",
        None,
    ],
    ids=str,
)
def test_a_payload_of_others_makes_a_job_without_a_tenant(brought, site):
    """It is performed all the same."""
    job_id = f"broken {hash(str(brought))}"
    payload = {"t": None, "f": "work", "a": (), "k": {}, "et": int(time.time() * 1000)}
    enqueue(site, job_id, pickle.dumps(payload if brought is None else payload | {KEY: brought}))
    (tenant, _), (span,) = site.result(job_id), site.spans(job_id)
    assert tenant is span.tenant is None


@pytest.mark.parametrize(
    ("name", "payload", "why"),
    [
        ("no pickle", b"no pickle", "DeserializationError: unable to deserialize job"),
        ("expired", None, "JobExecutionFailed: job expired"),
    ],
)
def test_a_job_that_cannot_be_read_is_seen_all_the_same(name, payload, why, site):
    """What it brings nobody knows, so it is nobody's."""
    enqueue(site, name, payload)
    site.result(name)
    (span,) = site.spans(name)
    assert (span.name, span.tenant) == ("process arq:queue", None)
    assert site.statuses(name) == [(ERROR, why, ["exception"])]


def enqueue(site, job_id, payload):
    with site.connection.pipeline() as pipeline:
        if payload is not None:
            pipeline.set(f"arq:job:{job_id}", payload)
        pipeline.zadd("arq:queue", {job_id: int(time.time() * 1000)})
        pipeline.execute()


@pytest.mark.parametrize(("serializer", "tenant"), [("json", "acme"), ("strict", None)])
def test_the_apps_own_serializer_is_given_ours_too(serializer, tenant, site, mechanism):
    """One that refuses it is used as if we were not there."""
    variables = {"SERIALIZER": serializer, "QUEUE": serializer}
    site.produce(f'await send("{serializer}", "acme", "work")\n', **variables)
    site.produce(f'await send("probe {serializer}", None, "work")\n', UNTRACED="1", **variables)
    with worker_of(site, "--burst", **variables):
        seen = site.result(serializer, json.loads)
        site.result(f"probe {serializer}", json.loads)
    (span,), (probe,) = site.spans(serializer), site.spans(f"probe {serializer}")
    assert seen == [span.tenant, span.trace_id]
    assert span.tenant == tenant
    if tenant is not None:
        mechanism(
            "arq: a serializer of the app's",
            tenant=span.tenant == tenant,
            trace=span.trace_id == site.made[serializer],
            clean=probe.tenant is None and probe.trace_id not in site.made.values(),
        )


def test_a_worker_that_stops_leaves_the_job_to_the_next_with_its_tenant(site):
    """The job is cancelled, and run again."""
    site.produce('await send("stop", "acme", "wait")\n', QUEUE="stop")
    with worker_of(site, QUEUE="stop"):
        assert site.connection.blpop("waiting:stop", timeout=20)
    with worker_of(site, "--burst", QUEUE="stop"):
        assert site.result("stop") == ["acme", site.made["stop"]]
    assert site.statuses("stop", 2) == [(0, "", ["exception", "retry"]), (0, "", [])]
    assert {span.tenant for span in site.spans("stop", 2)} == {"acme"}


def test_a_worker_without_tracium_performs_what_tracium_has_sent(site):
    """It does not even see it."""
    site.produce('await send("plain", "acme", "work")\n', QUEUE="plain")
    with worker_of(site, "--burst", QUEUE="plain", UNTRACED="1"):
        # What the worker's start has set is all there is.
        assert site.result("plain")[1] != site.made["plain"]


def test_the_tenant_is_carried_where_no_trace_is_sampled(site):
    """Neither in the producer nor in the worker; and no span is sent."""
    unsampled = {"OTEL_TRACES_SAMPLER": "always_off", "QUEUE": "unsampled"}
    site.produce('await send("unsampled", "acme", "work")\n', **unsampled)
    with worker_of(site, "--burst", **unsampled):
        assert site.result("unsampled") == ["acme", site.made["unsampled"]]
    assert site.spans("unsampled", 0) == []


def test_what_cron_makes_is_nobodys(site):
    """Also where the worker's start has left a tenant behind. It ticks each second, so more than one may be there."""
    with worker_of(site, CRON="1", QUEUE="cron"):
        deadline = time.monotonic() + 20
        while not site.receiver.named("tick") and time.monotonic() < deadline:
            time.sleep(0.05)
    created = {create.span_id: create for create in site.receiver.named("create cron:tick")}
    ticks = site.receiver.named("tick")
    processed = site.receiver.named("process cron:tick")
    assert ticks
    assert {span.tenant for span in [*ticks, *processed, *created.values()]} == {None}
    assert {process.parent_id for process in processed} <= set(created)
    assert {tick.parent_id for tick in ticks} <= {process.span_id for process in processed}
    assert not any(create.parent_id for create in created.values())
