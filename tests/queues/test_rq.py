"""RQ with its real workers, started as its users start them: forking, spawning, simple, in a pool, with a scheduler."""

from __future__ import annotations

import ast
import json
import signal
import subprocess
import time
from collections import Counter
from contextlib import contextmanager
from pathlib import Path

import pytest
import redis
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from rq import Queue
from rq.command import send_stop_job_command
from rq.job import Job
from support.app import BIN, environment, run_app
from support.brokers import running_redis
from support.receiver import http_receiver

from tracium.queues.rq import FIELD

APPS = Path(__file__).parents[1] / "support" / "apps"
CONSUMER, PRODUCER = 5, 4
ERROR = 2
ENDED = {"finished", "failed", "stopped"}
AUTO = (str(BIN / "opentelemetry-instrument"),)
# How each worker is started, and what of tracium's it is given.
WORKERS = {
    "forking": ((*AUTO, BIN / "rq", "worker", "--with-scheduler", "forking"), {}),
    "simple": ((*AUTO, BIN / "rq", "worker", "-w", "rq.SimpleWorker", "simple"), {}),
    "pool": ((*AUTO, BIN / "rq", "worker-pool", "-n", "2", "pool"), {}),
    "late": ((BIN / "rq", "worker", "late"), {"TRACE": "1"}),
    "late simple": ((BIN / "rq", "worker", "-w", "rq.SimpleWorker", "late simple"), {"TRACE": "1"}),
    "spawning": ((*AUTO, BIN / "rq", "worker", "-w", "rq.worker.SpawnWorker", "spawning"), {}),
    "late spawning": ((BIN / "rq", "worker", "-w", "rq.worker.SpawnWorker", "late spawning"), {"TRACE": "1"}),
}
MEANS = {
    "forking": "forking worker, scheduler",
    "simple": "SimpleWorker",
    "pool": "worker pool",
    "late": "forking worker, trace() in the tasks' module",
    "late simple": "SimpleWorker, trace() in the tasks' module",
    "spawning": "SpawnWorker",
    "late spawning": "SpawnWorker, trace() in the tasks' module",
}
WAYS = {
    "async": "async job",
    "created": "Job.create",
    "dependent": "depends_on",
    "meta": "enqueue",
    "unique": "enqueue(unique=True)",
}

# What every producer has: `send(name, tenant, …)` makes a job in that tenant and in a trace of its own.
PRODUCE = """
import json, os
from contextlib import contextmanager
from datetime import datetime, timedelta, timezone
import tracium
if "UNTRACED" not in os.environ:
    tracium.trace()
from opentelemetry.trace import format_trace_id, get_tracer
from redis import Redis
from rq import Callback, Queue, Repeat, Retry
from rq.job import Job
from rq_tasks import Argument

connection = Redis.from_url(os.environ["REDIS"])
made = {}

@contextmanager
def sender(tenant):
    with tracium.tenant(tenant), get_tracer("app").start_as_current_span("send") as span:
        yield format_trace_id(span.get_span_context().trace_id)

def send(name, tenant, make):
    with sender(tenant) as trace:
        job = make()
        made[name] = [job.id, trace]
        return job
"""
TELL = "\nprint(json.dumps(made))\n"

# What every worker gets.
BASIC = """
for name in os.environ["QUEUES"].split(","):
    queue = Queue(name, connection=connection)
    work = lambda function, *args, **kwargs: lambda: queue.enqueue("rq_tasks." + function, *args, **kwargs)
    send(name + "/work", "acme", work("work"))
    send(name + "/fail", "acme", work("fail", on_failure=Callback("rq_tasks.failed")))
    send(name + "/change", "acme", work("change", "evil"))
    if "spawning" not in name:  # they take a second for each job
        send(name + "/unpickled", "globex", work("work", "work", Argument()))
        send(name + "/nest", "acme", work("nest"))
"""

# What is the same with every worker, for the forking one.
MORE = """
queue = Queue("forking", connection=connection)
soon = timedelta(seconds=1)
now = datetime.now(timezone.utc)
send("enqueue_call", "acme", lambda: queue.enqueue_call("rq_tasks.work"))
send("enqueue_in", "acme", lambda: queue.enqueue_in(soon, "rq_tasks.work"))
send("enqueue_at", "globex", lambda: queue.enqueue_at(now, "rq_tasks.work"))
send("created", "acme", lambda: queue.enqueue_job(Job.create("rq_tasks.work", connection=connection)))
meta = {"shared": True}
first = send("meta", "acme", lambda: queue.enqueue("rq_tasks.work", meta=meta))
send("dependent", "globex", lambda: queue.enqueue("rq_tasks.work", depends_on=first))
data = Queue.prepare_data("rq_tasks.work")
send("enqueue_many", "acme", lambda: queue.enqueue_many([data])[0])
assert meta == {"shared": True} == first.meta
send("unique", "acme", lambda: queue.enqueue("rq_tasks.work", job_id="unique", unique=True))
send("async", "acme", lambda: queue.enqueue("rq_tasks.async_work"))
send("on_success", "globex", lambda: queue.enqueue("rq_tasks.work", on_success=Callback("rq_tasks.succeeded")))
send("repeat", "acme", lambda: queue.enqueue("rq_tasks.work", repeat=Repeat(times=2, interval=[0, 1])))
own = {"own": "kept"}
send("retry", "acme", lambda: queue.enqueue("rq_tasks.flaky", meta=own, retry=Retry(max=2)))
send("retry later", "globex", lambda: queue.enqueue("rq_tasks.flaky", meta=own, retry=Retry(max=2, interval=1)))
send("returned retry", "acme", lambda: queue.enqueue("rq_tasks.again", 1))
send("too many retries", "acme", lambda: queue.enqueue("rq_tasks.again", 9))
send("callback raises", "acme", lambda: queue.enqueue("rq_tasks.work", on_success=Callback("rq_tasks.raises")))
send("timeout", "acme", lambda: queue.enqueue("rq_tasks.wait", job_timeout=1))
send("killed", "globex", lambda: queue.enqueue("rq_tasks.be_killed"))
send("no such function", "acme", lambda: queue.enqueue("rq_tasks.no_such"))
send("requeued", "globex", lambda: queue.enqueue("rq_tasks.fail"))
send("nobody", None, lambda: queue.enqueue("rq_tasks.work"))
"""

REUSED = """
queue = Queue("simple", connection=connection)
send("reused", "acme", lambda: queue.enqueue("rq_tasks.work", job_id="reused"))
"""
STOP = """
queue = Queue("forking", connection=connection)
send("stop", "acme", lambda: queue.enqueue("rq_tasks.wait", on_stopped=Callback("rq_tasks.stopped")))
"""
INLINE = """
from opentelemetry.trace import get_current_span
queue = Queue("inline", connection=connection, is_async=False)
with sender("acme") as trace:
    jobs = [queue.enqueue("rq_tasks." + name, job_id=name) for name in ("work", "fail")]
    after = tracium.get_current_tenant(), format_trace_id(get_current_span().get_span_context().trace_id)
made = {
    "inline": ["work", trace],
    "inline failed": ["fail", trace],
    "told": [repr((jobs[0].return_value(), after)), None],
}
"""


class Site:
    """A Redis, a receiver, what was sent and what became of it."""

    def __init__(self, url, receiver, env):
        self.url, self.receiver, self.env = url, receiver, env
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
        self.made |= json.loads(run_app(PRODUCE + code + TELL, self.env | variables, cwd=APPS).stdout)

    def job(self, name):
        return Job.fetch(self.made[name][0] if name in self.made else name, connection=self.connection)

    def ended(self, name):
        """The job, when it has got its last status."""
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            job = self.job(name)
            if job.get_status() in ENDED and not job.repeats_left:
                return job
            time.sleep(0.05)
        raise AssertionError(f"{name}: {job.get_status()}")

    def result(self, name):
        return self.ended(name).return_value()

    def spans(self, name, count=1, kind=CONSUMER):
        """The spans of the attempts at a job, in the order of their arrival."""
        job_id = self.made[name][0] if name in self.made else name
        deadline = time.monotonic() + 10
        while True:
            found = [
                span
                for span in list(self.receiver.spans)
                if span.kind == kind and span.attributes.get("messaging.message.id") == job_id
            ]
            if len(found) >= count or time.monotonic() > deadline:
                assert len(found) == count, f"{len(found)} spans of {name}"
                return found
            time.sleep(0.02)

    def callback(self, label, name):
        """The tenant and the trace that a job's callback has seen."""
        job_id = self.made[name][0]
        seen = map(ast.literal_eval, map(bytes.decode, self.connection.lrange("callbacks", 0, -1)))
        (found,) = [told[2:] for told in seen if told[:2] == (label, job_id)]
        return found

    def held(self, name, tenant):
        """Whether the tenant and the trace were carried to a job that tells what it saw, and to its one span."""
        seen, (span,) = self.result(name), self.spans(name)
        trace = self.made[name][1]
        return seen["tenant"] == tenant == span.tenant, seen["trace"] == trace == span.trace_id

    def clean(self, queue):
        """Whether a job that was sent without tenant and trace has neither, after what the worker did before."""
        probe = f"probe-{queue.replace(' ', '-')}-{time.monotonic_ns()}"
        code = f'Queue("{queue}", connection=connection).enqueue("rq_tasks.work", "probe", job_id="{probe}")\n'
        run_app(PRODUCE + code, self.env | {"UNTRACED": "1"}, cwd=APPS)
        seen, (span,) = self.result(probe), self.spans(probe)
        known = {trace for _, trace in self.made.values()}
        return seen["tenant"] is None and span.tenant is None and span.trace_id not in known and not span.parent_id


@contextmanager
def running(arguments, env):
    """A process, which is ended by its id; it must end well."""
    with subprocess.Popen(
        list(map(str, arguments)), env=env, cwd=APPS, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
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
    """Every kind of worker, each with a queue of its name, and all jobs sent."""
    with running_redis(tmp_path_factory.mktemp("redis")) as url, http_receiver() as receiver:
        env = environment(receiver, REDIS=url, RQ_REDIS_URL=url, PYTHONPATH=str(APPS), PYTHONWARNINGS="ignore")
        site = Site(url, receiver, env)
        site.produce(BASIC, QUEUES=",".join(WORKERS))
        site.produce(MORE)
        yield site
        site.connection.close()


@pytest.fixture(scope="module")
def worker(site):
    """Start a worker once, and keep it until the module is done."""
    running_now, closing = {}, []

    def start(name):
        if name not in running_now:
            arguments, variables = WORKERS[name]
            arguments = [*map(str, arguments[:-1]), "-u", site.url, arguments[-1]]
            block = running(arguments, site.env | variables)
            running_now[name] = block.__enter__()
            closing.append(block)
        return running_now[name]

    yield start
    for block in reversed(closing):
        block.__exit__(None, None, None)
    # Whatever ran, no span was sent twice.
    sent = Counter(span.span_id for span in site.receiver.spans)
    assert max(sent.values(), default=1) == 1, sent.most_common(3)


@pytest.fixture
def forking(worker):
    return worker("forking")


@pytest.fixture(scope="module")
def clean(site, worker):
    """Whether the forking worker is clean; it performs every job in a new process, so it is asked once."""
    worker("forking")
    for name in ("forking/work", "forking/change"):
        site.ended(name)
    return site.clean("forking")


@pytest.mark.parametrize("name", WORKERS)
def test_every_worker_takes_tenant_and_trace_along_and_is_clean(name, site, worker, mechanism):
    """Forked, spawned, simple, in a pool; started with OpenTelemetry, or with `trace()` in the tasks' module."""
    worker(name)
    held = [site.held(f"{name}/work", "acme")]
    if "spawning" not in name:
        held.append(site.held(f"{name}/unpickled", "globex"))
        nested = site.result(f"{name}/nest")
        seen, (span,) = site.result(nested), site.spans(nested)
        held.append((seen["tenant"] == "acme" == span.tenant, span.trace_id == site.made[f"{name}/nest"][1]))
    site.ended(f"{name}/change")
    mechanism(
        f"RQ: {MEANS[name]}",
        tenant=all(tenant for tenant, _ in held),
        trace=all(trace for _, trace in held),
        clean=site.clean(name),
    )


@pytest.mark.parametrize("name", WORKERS)
def test_a_failed_job_is_an_error_with_its_exception(name, site, worker):
    """Although every worker keeps the exception to itself; RQ's own record of it is what it would be."""
    worker(name)
    assert site.ended(f"{name}/fail").latest_result().exc_string.endswith("ValueError: as asked\n")
    (span,) = site.spans(f"{name}/fail")
    assert (span.tenant, span.attributes["messaging.destination.name"]) == ("acme", name)
    assert site.status[span.span_id] == (ERROR, "ValueError: as asked", ["exception"])
    assert site.callback("failure", f"{name}/fail") == ("acme", span.trace_id)


@pytest.mark.parametrize(
    ("way", "tenant"),
    {
        "async": "acme",
        "created": "acme",
        "dependent": "globex",
        "enqueue_at": "globex",
        "enqueue_call": "acme",
        "enqueue_in": "acme",
        "enqueue_many": "acme",
        "meta": "acme",
        "on_success": "globex",
        "unique": "acme",
    }.items(),
)
def test_every_way_to_make_a_job_takes_tenant_and_trace_along(way, tenant, site, clean, mechanism):
    """Now, later, after another one, many at once; and the app's own meta stays what it is."""
    held_tenant, held_trace = site.held(way, tenant)
    mechanism(f"RQ: {WAYS.get(way, way)}", tenant=held_tenant, trace=held_trace, clean=clean)
    if way == "meta":
        assert site.job(way).meta == {"shared": True}
    if way == "on_success":
        assert site.callback("success", way) == (tenant, site.made[way][1])


def test_a_job_is_made_in_a_span_of_the_senders_that_its_own_follows(site, forking):
    """Send, create, process: one trace."""
    (process,), (create,) = site.spans("unique"), site.spans("unique", kind=PRODUCER)
    assert (create.name, process.name) == ("create rq_tasks.work", "process rq_tasks.work")
    assert process.parent_id == create.span_id
    assert create.parent_id in {span.span_id for span in site.receiver.named("send")}
    for span in (create, process):
        assert span.tenant == "acme"
        assert span.attributes["messaging.destination.name"] == "forking"
        assert span.attributes["messaging.system"] == "rq"


def test_a_job_without_a_tenant_has_none(site, forking):
    """The trace goes along all the same."""
    assert site.held("nobody", None) == (True, True)


def test_a_job_that_repeats_has_the_tenant_of_its_first_time(site, clean, mechanism):
    """At once, and after an interval."""
    site.ended("repeat")
    spans = site.spans("repeat", 3)
    mechanism(
        "RQ: Repeat",
        tenant={span.tenant for span in spans} == {"acme"},
        trace={span.trace_id for span in spans} == {site.made["repeat"][1]},
        clean=clean,
    )


@pytest.mark.parametrize(("name", "tenant"), [("retry", "acme"), ("retry later", "globex")])
def test_every_attempt_is_a_span_and_a_failed_one_an_error(name, tenant, site, clean, mechanism):
    """At once, and after an interval; the app replaces the job's meta in each."""
    seen = site.result(name)
    spans = site.spans(name, 3)
    statuses = [site.status[span.span_id] for span in spans]
    assert statuses[:2] == [(ERROR, f"RuntimeError: attempt {tries}", ["exception", "retry"]) for tries in (1, 2)]
    assert statuses[2] == (0, "", [])
    assert seen["meta"] == site.job(name).meta == {"tries": 3, "own": "kept"}
    mechanism(
        "RQ: Retry with an interval" if "later" in name else "RQ: Retry",
        tenant={span.tenant for span in spans} == {tenant} == {seen["tenant"]},
        trace={span.trace_id for span in spans} == {site.made[name][1]},
        clean=clean,
    )


def test_a_job_that_returns_retry_has_not_failed_until_no_attempt_is_left(site, forking):
    """It says itself that it wants to be performed again."""
    site.ended("returned retry")
    assert [site.status[span.span_id] for span in site.spans("returned retry", 2)] == [(0, "", ["retry"]), (0, "", [])]
    site.ended("too many retries")
    statuses = [site.status[span.span_id] for span in site.spans("too many retries", 2)]
    assert statuses == [(0, "", ["retry"]), (ERROR, "no attempt is left", [])]


def test_a_failed_job_that_is_put_back_is_still_its_tenants(site, clean, mechanism):
    """By a process that knows nothing of tracium."""
    site.ended("requeued")
    run_app(
        PRODUCE + f'Job.fetch("{site.made["requeued"][0]}", connection=connection).requeue()\n',
        site.env | {"UNTRACED": "1"},
        cwd=APPS,
    )
    spans = site.spans("requeued", 2)
    site.ended("requeued")
    mechanism(
        "RQ: requeue",
        tenant={span.tenant for span in spans} == {"globex"},
        trace={span.trace_id for span in spans} == {site.made["requeued"][1]},
        clean=clean,
    )


@pytest.mark.parametrize(
    ("name", "why"),
    {
        "callback raises": "LookupError: in the callback",
        "timeout": "JobTimeoutException: Task exceeded maximum timeout value (1 seconds)",
        "no such function": "ValueError: Invalid attribute name: no_such",
        "killed": "the work-horse was killed by signal 9",
    }.items(),
)
def test_whatever_ends_a_job_is_on_its_span(name, why, site, forking):
    """Its callback, its timeout, a function that is not there, and what ends the whole process."""
    site.ended(name)
    (span,) = site.spans(name)
    code, message, _ = site.status[span.span_id]
    assert (code, message) == (ERROR, why)
    assert (span.tenant, span.trace_id) == ("globex" if name == "killed" else "acme", site.made[name][1])


def test_a_job_that_is_stopped_is_an_error_and_its_callback_its_tenants(site, forking):
    """The work-horse is killed, and the worker tells of it."""
    site.produce(STOP)
    assert site.connection.blpop(f"waiting:{site.made['stop'][0]}", timeout=20)
    send_stop_job_command(site.connection, site.made["stop"][0])
    site.ended("stop")
    (span,) = site.spans("stop")
    assert (span.tenant, span.trace_id) == ("acme", site.made["stop"][1])
    assert site.status[span.span_id] == (ERROR, "stopped on request", [])
    assert site.callback("stopped", "stop") == ("acme", span.trace_id)


@pytest.mark.parametrize(
    "field",
    [
        '{"created_at": CREATED, "headers": {"baggage": "tenant.id=acme,tenant.id=evil"}}',
        '{"created_at": CREATED, "headers": {"baggage": "tenant.id=' + "a" * 9000 + '"}}',
        '{"created_at": CREATED, "headers": "none"}',
        '{"created_at": "another time", "headers": {"baggage": "tenant.id=acme"}}',
        "[1]",
        "no JSON",
        "\xff",
    ],
)
def test_a_broken_field_makes_a_job_without_a_tenant(field, site, worker):
    """It is performed all the same."""
    worker("simple")
    job = Job.create("rq_tasks.work", connection=site.connection, origin="simple")
    with site.connection.pipeline() as pipeline:
        created_at = json.dumps(job.to_dict()["created_at"])
        Queue("simple", connection=site.connection).enqueue_job(job, pipeline=pipeline)
        pipeline.hset(job.key, FIELD, field.replace("CREATED", created_at).encode("latin-1"))
        pipeline.execute()
    seen, (span,) = site.result(job.id), site.spans(job.id)
    assert seen["tenant"] is span.tenant is None


def test_an_id_that_is_used_again_is_not_the_earlier_jobs(site, worker):
    """A producer without tracium overwrites what RQ has stored, but not our field."""
    worker("simple")
    site.produce(REUSED)
    assert site.held("reused", "acme") == (True, True)
    run_app(PRODUCE + REUSED, site.env | {"UNTRACED": "1"}, cwd=APPS)
    _, again = site.spans("reused", 2)
    assert again.tenant is None
    assert again.trace_id != site.made["reused"][1]
    assert site.connection.hexists(site.job("reused").key, FIELD)


def test_a_worker_without_tracium_performs_what_tracium_has_sent(site):
    """It does not even see it."""
    site.produce('send("plain", "acme", lambda: Queue("plain", connection=connection).enqueue("rq_tasks.work"))\n')
    with running((BIN / "rq", "worker", "--burst", "-u", site.url, "plain"), site.env):
        assert site.result("plain")["tenant"] is None
    assert site.job("plain").meta == {}


def test_the_tenant_is_carried_where_no_trace_is_sampled(site):
    """Neither in the producer nor in the worker; and no span is sent."""
    unsampled = {"OTEL_TRACES_SAMPLER": "always_off"}
    site.produce(
        'send("unsampled", "acme", lambda: Queue("unsampled", connection=connection).enqueue("rq_tasks.work"))\n',
        **unsampled,
    )
    with running((*AUTO, BIN / "rq", "worker", "--burst", "-u", site.url, "unsampled"), site.env | unsampled):
        seen = site.result("unsampled")
    assert (seen["tenant"], seen["trace"]) == ("acme", site.made["unsampled"][1])
    assert site.spans("unsampled", 0) == []


def test_a_queue_without_workers_performs_jobs_for_their_sender(site, mechanism):
    """In its process and its trace; afterwards the sender's tenant and trace hold as before."""
    site.produce(INLINE)
    (seen, after), (work,), (failed,) = (
        ast.literal_eval(site.made["told"][0]),
        site.spans("inline"),
        site.spans("inline failed"),
    )
    assert site.status[failed.span_id] == (ERROR, "ValueError: as asked", ["exception"])
    assert failed.tenant == "acme"
    mechanism(
        "RQ: is_async=False",
        tenant=seen["tenant"] == "acme" == work.tenant,
        trace=seen["trace"] == site.made["inline"][1] == work.trace_id,
        clean=after == ("acme", site.made["inline"][1]),
    )


def test_what_cron_makes_is_nobodys(site, forking, tmp_path):
    """Each job of it is a trace of its own."""
    config = tmp_path / "cron_config.py"
    config.write_text(
        "from rq import cron\nfrom rq_tasks import work\n"
        'cron.register(work, queue_name="forking", args=("cron",), interval=1)\n'
    )
    with running((*AUTO, BIN / "rq", "cron", "-u", site.url, config), site.env):
        deadline = time.monotonic() + 20
        while len(seen := site.receiver.named("cron")) < 2 and time.monotonic() < deadline:
            time.sleep(0.05)
    assert len({span.trace_id for span in seen}) == len(seen) >= 2
    assert {span.tenant for span in seen} == {None}
