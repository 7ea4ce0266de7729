"""TaskIQ: real workers and a scheduler, started by its command, a real Redis, and what arrives at a real receiver."""

from __future__ import annotations

import asyncio
import importlib
import importlib.util
import json
import signal
import subprocess
import sys
from collections import Counter
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import pytest
import redis
import taskiq.kicker
import taskiq.message
import taskiq.receiver.receiver
import taskiq.scheduler.scheduler
from opentelemetry import trace
from opentelemetry.context import get_current
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF
from opentelemetry.trace import SpanKind, StatusCode, get_current_span
from support.app import BIN, environment
from support.receiver import http_receiver
from taskiq import Context, InMemoryBroker, ScheduledTask, TaskiqDepends, TaskiqMiddleware, TaskiqScheduler
from taskiq.exceptions import NoResultError, SendTaskError
from taskiq.kicker import AsyncKicker
from taskiq_redis import ListQueueBroker

import tracium
from tracium import faults, notices
from tracium.queues import taskiq as ours
from tracium.testing import MemoryPipeline, tenant_of

APPS = Path(__file__).parents[1] / "support" / "apps"
# The name leads to the function of the same name.
MESSAGE = importlib.import_module("tracium.queues.message")
PRODUCER, CONSUMER = 4, 5
# What the app sends, and how many notes come of it, of how many attempts.
SENT = {
    "kiq": (2, 1),
    "kicker().with_labels().kiq": (1, 1),
    "sync task": (1, 1),
    "SimpleRetryMiddleware": (2, 2),
    "SmartRetryMiddleware": (2, 2),
    "SmartRetryMiddleware with a schedule source": (2, 2),
    "requeue": (2, 2),
    "timeout": (2, 1),
    "kiq in a task": (2, 2),
    "dependencies": (4, 1),
    "schedule_by_time": (1, 1),
}
SCHEDULED = ["SmartRetryMiddleware with a schedule source", "schedule_by_time", "schedule_by_cron"]
KINDS = ["kiq", "sync task", "kiq in a task"]
BROKEN = {
    "broken": "tenant.id=%zz",
    "over-long": "tenant.id=" + "x" * 9000,
    "ambiguous": "tenant.id=acme,tenant.id=globex",
}
needs_middleware = pytest.mark.skipif(
    importlib.util.find_spec("psutil") is None, reason="TaskIQ's OpenTelemetry middleware needs psutil"
)
BY = {"tracium": "TaskIQ", "middleware": "TaskIQ with its OpenTelemetryMiddleware"}
BYS = ["tracium", pytest.param("middleware", marks=needs_middleware)]


class Queue:
    """A Redis, a process that sends under tracium, and this process, which sends without."""

    def __init__(self, url, producer):
        self.url, self.producer = url, producer
        self.client = redis.Redis.from_url(url)

    def send(self, kind, name, tenant):
        """Let the app send; gives the trace of the request in which it does."""
        self.producer.stdin.write(json.dumps({"kind": kind, "name": name, "tenant": tenant}) + "\n")
        self.producer.stdin.flush()
        return self.producer.stdout.readline().strip()

    def send_plain(self, name, task="work", **labels):
        """Send without tracium."""

        async def kick():
            broker = ListQueueBroker(self.url)
            await broker.startup()
            await AsyncKicker(f"taskiq_app:{task}", broker, labels).kiq(name)
            await broker.shutdown()

        asyncio.run(kick())

    def notes(self, name, count):
        """What the work of this name noted, when there is so much of it."""
        found = [self.client.blpop([f"notes:{name}"], timeout=20) for _ in range(count)]
        assert None not in found, f"{name}: {len([one for one in found if one])} of {count} notes"
        return [json.loads(told) for _, told in found]


@contextmanager
def process(command, env, **options):
    """A process that is asked to end when the block ends, and made to if it does not."""
    running = subprocess.Popen(command, cwd=APPS, env=env, text=True, **options)
    try:
        yield running
    finally:
        if running.poll() is None:
            running.send_signal(signal.SIGTERM)
        try:
            running.communicate(timeout=20)
        finally:
            running.kill()
            running.communicate()


def command(kind, receiver, url, log, *options, launcher=(), **variables):
    """TaskIQ's own command."""
    env = environment(receiver, REDIS_URL=url, **variables)
    words = [*launcher, BIN / "taskiq", kind, f"taskiq_app:{'broker' if kind == 'worker' else 'scheduler'}", *options]
    return process(words, env, stdout=log, stderr=log)


@contextmanager
def queue(receiver, url, **variables):
    env = environment(receiver, REDIS_URL=url, **variables)
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with process([sys.executable, "taskiq_app.py"], env, **pipes) as producer:
        opened = Queue(url, producer)
        try:
            yield opened
        finally:
            opened.client.close()


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("taskiq")


class Ran:
    """What one worker did: what was sent, what was noted, and what arrived."""

    def __init__(self, receiver):
        self.receiver = receiver
        self.sent, self.noted, self.probed = {}, {}, {}
        self.log = ""

    def run(self, app):
        """All mechanisms one after the other, with a message of nobody's after each."""
        # The scheduler looks once a second.
        for kind in SCHEDULED:
            self.sent[kind] = app.send(kind, kind, "acme")
        for kind, (count, _) in SENT.items():
            if kind not in SCHEDULED:
                self.sent[kind] = app.send(kind, kind, "acme")
            self.noted[kind] = app.notes(kind, count)
            app.send_plain(f"probe {kind}")
            self.probed[kind] = app.notes(f"probe {kind}", 2)
        for name, baggage in BROKEN.items():
            app.send_plain(name, baggage=baggage)
            self.noted[name] = app.notes(name, 2)
        app.send_plain("plain flaky", "flaky", retry_on_error=True, max_retries=2)
        app.send("wait_result", "result", "acme")
        self.noted |= {"plain flaky": app.notes("plain flaky", 2), "of the code": app.notes("of the code", 1)}
        self.noted["schedule_by_cron"] = app.notes("schedule_by_cron", 1)

    def spans(self, trace_id, kind):
        return [span for span in self.receiver.spans if span.trace_id == trace_id and span.kind == kind]


@pytest.fixture(scope="module", params=BYS)
def ran(request, redis_server, folder):
    """A worker and a scheduler."""
    url = f"{redis_server}/{5 + list(BY).index(request.param)}"
    variables = {"MIDDLEWARE": "1"} if request.param == "middleware" else {}
    log = folder / f"{request.param}.log"
    with http_receiver() as receiver, log.open("w") as file, queue(receiver, url, **variables) as app:
        ran = Ran(receiver)
        ran.by = request.param
        with (
            command("worker", receiver, url, file, "--workers", "1", **variables),
            command("scheduler", receiver, url, file, "--update-interval", "1", **variables),
        ):
            ran.run(app)
    ran.log = log.read_text()
    return ran


@pytest.mark.parametrize("kind", SENT)
def test_tenant_and_trace_go_along(kind, ran, mechanism):
    """On every way; and the worker's loop and threads are nobody's afterwards, whatever the task before set."""
    notes, probe = ran.noted[kind], ran.probed[kind]
    spans = [span for span in ran.receiver.spans if span.name in {f"{note['label']} {kind}" for note in notes}]
    processing = ran.spans(ran.sent[kind], CONSUMER)
    probes = [span for span in ran.receiver.spans if span.name.endswith(f" probe {kind}")]
    requests = {span.trace_id for span in ran.receiver.spans if span.name.startswith("request")}
    mechanism(
        f"{BY[ran.by]}: {kind}",
        tenant={note["tenant"] for note in notes} == {span.tenant for span in [*spans, *processing]} == {"acme"},
        trace={note["trace"] for note in notes} == {span.trace_id for span in spans} == {ran.sent[kind]},
        clean=all(note["tenant"] is None and note["trace"] not in requests for note in probe)
        and all(span.tenant is None and span.trace_id not in requests for span in probes),
    )
    assert len(probes) == len(probe) == 2
    assert (len(spans), len(processing)) == SENT[kind]
    assert {note["tenant"] for note in notes} == {"acme"}
    assert {note["trace"] for note in notes} == {ran.sent[kind]}


def test_each_message_is_created_once_and_each_attempt_processed_once(ran):
    """Whoever makes the spans; each is exported once."""
    assert Counter(span.span_id for span in ran.receiver.spans).most_common(1)[0][1] == 1
    created, processed = ran.spans(ran.sent["kiq"], PRODUCER), ran.spans(ran.sent["kiq"], CONSUMER)
    names = ("create {}", "process {}") if ran.by == "tracium" else ("send/{}", "execute/{}")
    assert [span.name for span in (*created, *processed)] == [name.format("taskiq_app:work") for name in names]
    assert processed[0].parent_id == created[0].span_id
    if ran.by == "tracium":
        assert processed[0].attributes["messaging.destination.name"] == "taskiq"
        assert processed[0].attributes["messaging.system"] == "taskiq"


def test_a_retry_is_the_same_message(ran):
    """It is not created anew, and stays below what created it; the middleware makes a span for sending it again."""
    created, attempts = (ran.spans(ran.sent["SimpleRetryMiddleware"], kind) for kind in (PRODUCER, CONSUMER))
    if ran.by == "tracium":
        assert [span.parent_id for span in attempts] == [created[0].span_id] * 2
    assert {span.tenant for span in created} == {"acme"}
    assert len(created) == (1 if ran.by == "tracium" else 2)


def test_the_apps_labels_are_its_own(ran):
    """With their types; but for those that are headers."""
    (note,) = ran.noted["kicker().with_labels().kiq"]
    assert note["labels"] == {"color": "red", "number": 7}


@pytest.mark.parametrize("name", BROKEN)
def test_a_tenant_that_cannot_be_told_for_certain_is_none(name, ran):
    """The message is processed all the same."""
    assert [note["tenant"] for note in ran.noted[name]] == [None, None]
    assert [span.tenant for span in ran.receiver.spans if span.name.endswith(f" {name}")] == [None, None]


def test_a_message_of_a_producer_without_tracium_stays_nobodys(ran):
    """Its retry too, though the first attempt set a tenant: that one belongs to it from then on, but not to the message."""
    assert [note["tenant"] for note in ran.noted["plain flaky"]] == [None, None]
    assert [span.tenant for span in ran.receiver.spans if span.name.endswith("plain flaky")] == [None, None]
    assert len({note["trace"] for note in ran.noted["plain flaky"]}) == 1


def test_a_schedule_in_the_code_is_nobodys(ran):
    """Whatever its scheduler sent before."""
    (note,) = ran.noted["of the code"]
    requests = {span.trace_id for span in ran.receiver.spans if span.name.startswith("request")}
    assert note["tenant"] is None
    assert note["trace"] not in requests


def test_runs_of_a_schedule_that_recurs_have_the_tenant_and_traces_of_their_own(ran):
    """A trace that goes on for ever is none."""
    (note,) = ran.noted["schedule_by_cron"]
    assert note["tenant"] == "acme"
    assert note["trace"] != ran.sent["schedule_by_cron"]
    assert {span.tenant for span in ran.receiver.spans if span.trace_id == note["trace"]} == {"acme"}


def test_nothing_of_ours_is_in_the_log(ran):
    """Nor anything of OpenTelemetry's about contexts."""
    assert "tracium failed" not in ran.log
    assert "Failed to detach" not in ran.log


@pytest.mark.parametrize(
    ("start", "pool"), [("trace", "threads"), ("trace", "processes"), ("opentelemetry-instrument", "threads")]
)
def test_worker_processes_export_everything_once(start, pool, redis_server, folder, mechanism):
    """Many tenants at once on two processes; none of their batches is due before the worker ends."""
    auto, processes = start != "trace", pool == "processes"
    url, tenants = f"{redis_server}/{7 + auto + 2 * processes}", ["acme", "globex", "initech", None]
    names = [(f"{start} {number}", tenants[number % 4]) for number in range(48)]
    with ExitStack() as stack:
        receiver = stack.enter_context(http_receiver())
        log = stack.enter_context((folder / f"{start} {pool}.log").open("w"))
        app = stack.enter_context(queue(receiver, url))
        with command(
            "worker",
            receiver,
            url,
            log,
            "--workers",
            "2",
            # So that one process cannot have all of the first.
            "--max-async-tasks",
            "6",
            *(["--use-process-pool", "--max-process-pool-processes", "1"] if processes else []),
            launcher=[BIN / "opentelemetry-instrument"] if auto else [],
            OTEL_BSP_SCHEDULE_DELAY="60000",
            OTEL_SERVICE_NAME="app",
            **({"AUTO": "1"} if auto else {}),
        ):
            kinds = {name: KINDS[number % 3] if number >= 8 else "meet" for number, (name, _) in enumerate(names)}
            traces = {name: app.send(kinds[name], name, tenant) for name, tenant in names}
            notes = {name: app.notes(name, SENT.get(kinds[name], (1,))[0]) for name, _ in names}
        receiver.wait_for(sum(map(len, notes.values())) + len(names) * 3)
    assert Counter(span.span_id for span in receiver.spans).most_common(1)[0][1] == 1
    for name, tenant in names:
        assert {(note["tenant"], note["trace"]) for note in notes[name]} == {(tenant, traces[name])}
        processed = [span for span in receiver.spans if span.trace_id == traces[name] and span.kind == CONSUMER]
        assert len(processed) == SENT.get(kinds[name], (1, 1))[1]
        # A message of nobody's belongs to whom its task sets, once that does.
        assert {span.tenant for span in processed} <= ({tenant} if tenant else {None, "of the task before"}), name
        worked = [span for span in receiver.spans if span.name.endswith(f" {name}") and span.trace_id == traces[name]]
        assert len(worked) == len(notes[name]) + 1
        assert {span.tenant for span in worked if not span.name.startswith("request")} == {tenant}
    workers = {note["worker"][0] for name, told in notes.items() for note in told if kinds[name] == "meet"}
    assert len(workers) == 2
    if processes:
        synced = {name: notes[name][0] for name in notes if kinds[name] == "sync task"}
        assert not workers & {note["worker"][0] for note in synced.values()}
        belonging = dict(names)
        mine = {name: note for name, note in synced.items() if belonging[name]}
        nobodys = [note for name, note in synced.items() if not belonging[name]]
        mechanism(
            "TaskIQ: sync task in a process pool",
            tenant=all(note["tenant"] == belonging[name] for name, note in mine.items()),
            trace=all(note["trace"] == traces[name] for name, note in mine.items()),
            clean=len(nobodys) > 0
            and all(note["tenant"] is None for note in nobodys)
            and not {note["trace"] for note in nobodys} & {note["trace"] for note in mine.values()},
        )


def test_a_worker_without_tracium_takes_the_messages(redis_server, folder):
    """What they bring are labels that it does not know."""
    url = f"{redis_server}/11"
    with (
        http_receiver() as receiver,
        (folder / "plain.log").open("w") as log,
        queue(receiver, url) as app,
        command("worker", None, url, log, "--workers", "1", PLAIN="1"),
    ):
        for kind in ("kiq", "sync task", "SimpleRetryMiddleware", "dependencies"):
            app.send(kind, f"plain {kind}", "acme")
            assert {note["tenant"] for note in app.notes(f"plain {kind}", SENT[kind][0])} == {None}


# What follows needs no processes: an app's own tests look like this.


PATCHED = [
    (taskiq.kicker.AsyncKicker, "_prepare_message"),
    (taskiq.kicker.AsyncKicker, "kiq"),
    (taskiq.message.TaskiqMessage, "parse_labels"),
    (taskiq.receiver.receiver.Receiver, "callback"),
    (taskiq.receiver.receiver.Receiver, "run_task"),
    (taskiq.receiver.receiver, "TaskiqResult"),
    (taskiq.scheduler.scheduler.TaskiqScheduler, "on_ready"),
]


@pytest.fixture
def spans(monkeypatch):
    pipeline = MemoryPipeline()
    monkeypatch.setattr(MESSAGE, "_tracer", pipeline.tracer)
    for owner, name in PATCHED:
        # It is put back afterwards.
        monkeypatch.setattr(owner, name, owner.__dict__[name])
    ours.instrument()
    return pipeline


@pytest.fixture(params=[False, True], ids=["task", "inplace"])
def broker(request, spans):
    """The broker for tests, in both of its ways."""
    return InMemoryBroker(await_inplace=request.param)


@pytest.fixture
def middleware(spans, monkeypatch):
    """TaskIQ's own."""
    pytest.importorskip("psutil")
    module = importlib.import_module("taskiq.middlewares.opentelemetry_middleware")
    for name in ("pre_send", "pre_execute"):
        monkeypatch.setattr(module.OpenTelemetryMiddleware, name, module.OpenTelemetryMiddleware.__dict__[name])
    if not hasattr(AsyncKicker.kiq, "__wrapped__"):
        ours._patch_middleware(module)
    monkeypatch.setattr(trace, "get_tracer", lambda *_, **__: spans.tracer)
    return module.OpenTelemetryMiddleware(tracer_provider=spans.provider)


def only(spans, kind):
    (found,) = [span for span in spans.spans if span.kind is kind]
    return found


def run(broker, *sending):
    """Await each of what is sent, and what comes of it."""

    async def main():
        for send in sending:
            await send()
            await broker.wait_all()

    asyncio.run(main())


@pytest.mark.parametrize(
    ("error", "status"),
    [(LookupError("nothing there"), StatusCode.ERROR), (NoResultError(), StatusCode.UNSET)],
)
def test_a_tasks_exception_is_on_its_span_and_in_its_result(error, status, spans, broker):
    """Unaltered; asking for no result is no error."""

    @broker.task
    async def fails():
        raise error

    kicked = []

    async def kick():
        kicked.append(await fails.kiq())

    run(broker, kick)
    processed = only(spans, SpanKind.CONSUMER)
    assert processed.status.status_code is status
    assert [event.name for event in processed.events] == (["exception"] if status is StatusCode.ERROR else [])
    stored = broker.result_backend.results.get(kicked[0].task_id)
    assert (stored and stored.error) is (error if status is StatusCode.ERROR else None)


def test_a_task_that_the_worker_does_not_know_is_an_error(spans, broker):
    """TaskIQ drops the message."""
    unknown = AsyncKicker("unknown", broker, {})._prepare_message()
    asyncio.run(broker.receiver.callback(broker.formatter.dumps(unknown).message))
    assert only(spans, SpanKind.CONSUMER).status.status_code is StatusCode.ERROR


def test_the_senders_context_is_back(spans, broker):
    """Also where the task runs in the sender's own, and another task was sent in it for another."""
    seen = []

    @broker.task
    async def inner():
        seen.append(("inner", tracium.get_current_tenant()))
        tracium.set_tenant("of the task before")

    @broker.task
    async def task():
        seen.append(("task", tracium.get_current_tenant()))
        with tracium.tenant("globex"):
            await inner.kiq()
        seen.append(("task", tracium.get_current_tenant()))

    async def main():
        with tracium.tenant("acme"), spans.tracer.start_as_current_span("request") as span:
            await task.kiq()
            seen.append(("request", tracium.get_current_tenant()))
            assert get_current_span() is span
            await broker.wait_all()
            await broker.wait_all()

    run(broker, main)
    assert Counter(seen) == {("task", "acme"): 2, ("inner", "globex"): 1, ("request", "acme"): 1}
    assert {span.name: tenant_of(span) for span in spans.spans if span.kind is SpanKind.CONSUMER} == {
        f"process {task.task_name}": "acme",
        f"process {inner.task_name}": "globex",
    }
    assert len({span.context.trace_id for span in spans.spans}) == 1


def test_labels_that_are_sent_on_are_not_those_of_another_message(spans, broker):
    """A kicker, and the labels of a message, serve for others."""
    seen = []

    @broker.task
    async def work():
        seen.append(tracium.get_current_tenant())

    @broker.task
    async def sends_on(context: Annotated[Context, TaskiqDepends()]):
        with tracium.tenant("globex"):
            await work.kicker().with_labels(**context.message.labels).kiq()

    kicker = work.kicker()

    async def kick():
        for tenant in ("acme", None, "initech"):
            with tracium.tenant(tenant):
                await kicker.kiq()
            await broker.wait_all()
        assert kicker.labels == {}
        with tracium.tenant("acme"):
            await sends_on.kiq()
        await broker.wait_all()

    run(broker, kick)
    assert seen == ["acme", None, "initech", "globex"]


def test_a_worker_inside_an_app_is_nobodys(spans):
    """It may have been started in somebody's request."""
    seen = []
    broker = InMemoryBroker()

    @broker.task
    async def work():
        seen.append((tracium.get_current_tenant(), get_current_span().get_span_context().trace_id))

    plain = AsyncKicker(work.task_name, broker, {})._prepare_message()
    plain.labels = {}

    async def main():
        with spans.tracer.start_as_current_span("request", kind=SpanKind.SERVER) as span, tracium.tenant("acme"):
            await broker.receiver.callback(broker.formatter.dumps(plain).message)
            assert tracium.get_current_tenant() == "acme"
        return span.get_span_context().trace_id

    request = asyncio.run(main())
    assert seen[0][0] is None
    assert seen[0][1] != request


def test_a_scheduler_inside_an_app_sends_for_whoever_made_the_schedule(spans):
    """Not for whom the app happens to serve."""
    seen = []
    broker = InMemoryBroker(await_inplace=True)

    class Source(taskiq.ScheduleSource):
        async def get_schedules(self):
            return []

        def pre_send(self, task):
            seen.append(tracium.get_current_tenant())

    @broker.task
    async def work():
        seen.append(tracium.get_current_tenant())

    with tracium.tenant("acme"):
        labels = work.kicker()._prepare_message().labels
    described = {"task_name": work.task_name, "args": [], "kwargs": {}, "time": datetime.now(UTC)}
    mine, nobodys = ScheduledTask(labels=labels, **described), ScheduledTask(labels={}, **described)
    scheduler = TaskiqScheduler(broker, [])

    async def main():
        with tracium.tenant("whoever is served"):
            for task in (mine, nobodys):
                await scheduler.on_ready(Source(), task)
            seen.append(tracium.get_current_tenant())

    run(broker, main)
    assert seen == ["acme", "acme", None, None, "whoever is served"]


def test_unsampled_messages_take_their_tenant_along(broker, monkeypatch):
    """There is no span then, but there is a trace."""
    pipeline = MemoryPipeline(sampler=ALWAYS_OFF)
    monkeypatch.setattr(MESSAGE, "_tracer", pipeline.tracer)
    seen = []

    @broker.task
    async def work():
        context = get_current_span().get_span_context()
        seen.append((tracium.get_current_tenant(), context.is_valid, context.trace_flags.sampled))

    async def main():
        with tracium.tenant("acme"):
            await work.kiq()

    run(broker, main, work.kiq)
    assert seen == [("acme", True, False), (None, True, False)]


class Unreachable(InMemoryBroker):
    async def kick(self, message):
        raise ConnectionError("nobody there")


def test_a_message_that_cannot_be_sent_leaves_nothing_behind(spans):
    """The error is TaskIQ's, as ever."""
    broker = Unreachable()

    @broker.task
    async def work(): ...

    async def main():
        with tracium.tenant("acme"):
            before = get_current()
            with pytest.raises(SendTaskError):
                await work.kiq()
            assert get_current() is before

    asyncio.run(main())
    assert only(spans, SpanKind.PRODUCER).end_time is not None


def test_nor_does_the_middleware_then(spans, middleware):
    """By itself it leaves its span open and current: everything after would be below it."""
    broker = Unreachable().with_middlewares(middleware)

    @broker.task
    async def work(): ...

    async def main():
        with tracium.tenant("acme"):
            before = get_current()
            with pytest.raises(SendTaskError):
                await work.kiq()
            assert get_current() is before

    asyncio.run(main())
    sent = only(spans, SpanKind.PRODUCER)
    assert (tenant_of(sent), sent.status.status_code) == ("acme", StatusCode.ERROR)


@pytest.mark.parametrize("inplace", [False, True])
def test_nor_where_another_middleware_breaks_off(inplace, spans, middleware):
    """The span of processing ends then too."""

    class Breaks(TaskiqMiddleware):
        def post_execute(self, message, result):
            raise LookupError("broken")

    # The last one is asked first.
    broker = InMemoryBroker(await_inplace=inplace).with_middlewares(middleware, Breaks())

    @broker.task
    async def work(): ...

    async def main():
        with tracium.tenant("acme"):
            before = get_current()
            if inplace:
                with pytest.raises(SendTaskError):
                    await work.kiq()
            else:
                await work.kiq()
                with pytest.raises(LookupError):
                    await broker.wait_all()
            assert get_current() is before

    asyncio.run(main())
    assert tenant_of(only(spans, SpanKind.CONSUMER)) == "acme"


def test_a_fault_of_ours_stops_no_message(broker, monkeypatch, caplog):
    """It is said once for each place."""
    seen = []

    @broker.task
    async def work():
        seen.append(tracium.get_current_tenant())

    class Breaks:
        def start_as_current_span(self, *_, **__):
            raise RuntimeError("broken")

    monkeypatch.setattr(MESSAGE, "_tracer", Breaks())
    monkeypatch.setattr(faults, "_raising", False)
    notices.reset()
    run(broker, work.kiq, work.kiq)
    assert seen == [None, None]
    assert Counter(record.getMessage().split(":")[0] for record in caplog.records if record.name == "tracium") == {
        "tracium failed while making a TaskIQ message": 1,
        "tracium failed while beginning a TaskIQ message": 1,
    }
