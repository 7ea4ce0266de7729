"""Dramatiq: real workers, started by its command, a real Redis, and what arrives at a real receiver."""

from __future__ import annotations

import importlib
import json
import signal
import subprocess
import sys
from collections import Counter
from contextlib import ExitStack, contextmanager
from pathlib import Path

import dramatiq
import dramatiq.message
import dramatiq.worker
import pytest
import redis
from dramatiq.brokers.redis import RedisBroker
from dramatiq.brokers.stub import StubBroker
from opentelemetry.context import get_current
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF
from opentelemetry.trace import SpanKind, StatusCode, get_current_span
from support.app import BIN, environment
from support.receiver import http_receiver

import tracium
from tracium import faults, notices
from tracium.queues import dramatiq as ours
from tracium.testing import MemoryPipeline, tenant_of

APPS = Path(__file__).parents[1] / "support" / "apps"
PRODUCER, CONSUMER = 4, 5
# The name leads to the function of the same name.
MESSAGE = importlib.import_module("tracium.queues.message")
# What the app sends, and how many notes come of it.
SENT = {
    "send": 1,
    "send_with_options(delay=)": 1,
    "enqueue(message)": 1,
    "retry": 2,
    "Retry exception": 2,
    "rate limit exceeded": 2,
    "pipeline": 3,
    "group": 2,
    "group completion callback": 3,
    "on_success": 2,
    "on_failure": 2,
    "on_retry_exhausted": 2,
    "async actor": 1,
    "time limit": 2,
    "time limit of an async actor": 2,
    "send in an actor": 2,
}
KINDS = ["send", "async actor", "send in an actor"]


class Queue:
    """A Redis, a process that sends under tracium, and this process, which sends without."""

    def __init__(self, url, producer):
        self.url, self.producer = url, producer
        self.client = redis.Redis.from_url(url)
        self.broker = RedisBroker(url=url)

    def send(self, kind, name, tenant):
        """Let the app send; gives the trace of the request in which it does."""
        self.producer.stdin.write(json.dumps({"kind": kind, "name": name, "tenant": tenant}) + "\n")
        self.producer.stdin.flush()
        return self.producer.stdout.readline().strip()

    def send_plain(self, name, actor="work", **options):
        """Send without tracium."""
        message = dramatiq.Message("default", actor, (name,), {}, options)
        assert ours.OPTION in options or ours.OPTION not in json.loads(message.encode())["options"]
        self.broker.declare_queue("default")
        self.broker.enqueue(message)

    def notes(self, name, count):
        """What the work of this name noted, when there is so much of it."""
        found = [self.client.blpop([f"notes:{name}"], timeout=20) for _ in range(count)]
        assert None not in found, f"{name}: {len([one for one in found if one])} of {count} notes"
        return [json.loads(told) for _, told in found]

    def close(self):
        self.broker.close()
        self.client.close()


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


@contextmanager
def worker(receiver, url, log, *options, launcher=(), **variables):
    """Dramatiq's own command."""
    env = environment(receiver, REDIS_URL=url, dramatiq_worker_timeout="50", **variables)
    with process([*launcher, BIN / "dramatiq", "dramatiq_app", *options], env, stdout=log, stderr=log) as running:
        yield running


@contextmanager
def queue(receiver, url, **variables):
    env = environment(receiver, REDIS_URL=url, **variables)
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with process([sys.executable, "dramatiq_app.py"], env, **pipes) as producer:
        opened = Queue(url, producer)
        try:
            yield opened
        finally:
            opened.close()


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("dramatiq")


@pytest.fixture(scope="module")
def ran(redis_server, folder):
    """All mechanisms one after the other on one worker thread, with a message of nobody's after each."""
    url, log = f"{redis_server}/1", folder / "worker.log"
    sent, noted, probed = {}, {}, {}
    with http_receiver() as receiver:
        with queue(receiver, url) as app, log.open("w") as file, worker(receiver, url, file, "-p1", "-t1"):
            for kind, count in SENT.items():
                sent[kind] = app.send(kind, kind, "acme")
                noted[kind] = app.notes(kind, count)
                app.send_plain(f"probe {kind}")
                (probed[kind],) = app.notes(f"probe {kind}", 1)
            for name, baggage in BROKEN.items():
                app.send_plain(name, tracium={"baggage": baggage})
                noted[name] = app.notes(name, 1)
            app.send_plain("no headers at all", tracium="7")
            app.send_plain("plain flaky", actor="flaky")
            app.send("results", "results", "acme")
            noted |= {"results": app.notes("results", 1), "plain flaky": app.notes("plain flaky", 2)}
            noted["no headers at all"] = app.notes("no headers at all", 1)
            sent["max_age"] = app.send("max_age", "max_age", "acme")
            noted["max_age"] = app.notes("max_age", 1)
        yield receiver, sent, noted, probed, log.read_text()


BROKEN = {
    "broken": "tenant.id=%zz",
    "over-long": "tenant.id=" + "x" * 9000,
    "ambiguous": "tenant.id=acme,tenant.id=globex",
}


@pytest.mark.parametrize("kind", SENT)
def test_tenant_and_trace_go_along(kind, ran, mechanism):
    """On every way; and the worker's thread is nobody's afterwards, whatever the task before set."""
    receiver, sent, noted, probed, _ = ran
    notes = noted[kind]
    spans = [span for span in receiver.spans if span.name in {f"{note['label']} {kind}" for note in notes}]
    processing = [span for span in receiver.spans if span.kind == CONSUMER and span.trace_id == sent[kind]]
    (probe,) = receiver.named(f"work probe {kind}")
    others = {span.trace_id for span in receiver.spans if span.name.startswith("request")}
    mechanism(
        f"Dramatiq: {kind}",
        tenant={note["tenant"] for note in notes} == {span.tenant for span in [*spans, *processing]} == {"acme"},
        trace={note["trace"] for note in notes} == {span.trace_id for span in spans} == {sent[kind]},
        clean=probed[kind]["tenant"] is None and probe.tenant is None and probe.trace_id not in others,
    )
    assert len(spans) == len(notes)
    assert len(processing) == (1 if kind.startswith("time limit") else len(notes))
    assert {note["tenant"] for note in notes} == {"acme"}
    assert {note["trace"] for note in notes} == {sent[kind]}
    assert (probed[kind]["tenant"], probe.tenant) == (None, None)


def test_each_message_is_created_once_and_each_attempt_processed_once(ran):
    """A retry is the same message; each span is exported once, and below that of whoever sent."""
    receiver, sent, *_ = ran
    assert Counter(span.span_id for span in receiver.spans).most_common(1)[0][1] == 1
    (created,) = [span for span in receiver.spans if span.trace_id == sent["retry"] and span.kind == PRODUCER]
    attempts = [span for span in receiver.spans if span.trace_id == sent["retry"] and span.kind == CONSUMER]
    assert (created.name, created.tenant) == ("create flaky", "acme")
    assert created.attributes["messaging.destination.name"] == "default"
    assert created.attributes["messaging.system"] == "dramatiq"
    assert [span.name for span in attempts] == ["process flaky"] * 2
    assert {span.parent_id for span in attempts} == {created.span_id}
    assert {span.attributes["messaging.message.id"] for span in attempts} == {
        created.attributes["messaging.message.id"]
    }


@pytest.mark.parametrize("name", [*BROKEN, "no headers at all"])
def test_a_tenant_that_cannot_be_told_for_certain_is_none(name, ran):
    """The message is processed all the same."""
    receiver, _, noted, *_ = ran
    assert [note["tenant"] for note in noted[name]] == [None]
    (span,) = receiver.named(f"work {name}")
    assert span.tenant is None


def test_a_message_of_a_producer_without_tracium_stays_nobodys(ran):
    """Its retry too, though the first attempt set a tenant: that one belongs to it from then on, but not to the message."""
    receiver, _, noted, *_ = ran
    assert [note["tenant"] for note in noted["plain flaky"]] == [None, None]
    assert len({note["trace"] for note in noted["plain flaky"]}) == 1
    assert [span.tenant for span in receiver.spans if span.name.endswith("plain flaky")] == [None, None]


def test_a_message_that_is_too_old_has_its_span(ran):
    """It is skipped, and that can be seen."""
    receiver, sent, noted, *_ = ran
    (span,) = [span for span in receiver.spans if span.kind == CONSUMER and span.trace_id == sent["max_age"]]
    assert [(note["label"], note["tenant"]) for note in noted["max_age"]] == [("skipped", "acme")]
    assert (span.name, span.tenant) == ("process work", "acme")
    assert receiver.named("work max_age") == []


def test_nothing_of_ours_is_in_the_log(ran):
    """But that a task set a second tenant, and that some could not be told."""
    *_, log = ran
    assert "tracium failed" not in log


@pytest.mark.parametrize("start", ["trace", "opentelemetry-instrument"])
def test_worker_processes_export_everything_once(start, redis_server, folder):
    """Many tenants at once on two processes of four threads; none of their batches is due before the worker ends."""
    auto = start != "trace"
    url, tenants = f"{redis_server}/{2 + auto}", ["acme", "globex", "initech", None]
    names = [(f"{start} {number}", tenants[number % 4]) for number in range(48)]
    with ExitStack() as stack:
        receiver = stack.enter_context(http_receiver())
        log = stack.enter_context((folder / f"{start}.log").open("w"))
        app = stack.enter_context(queue(receiver, url))
        with worker(
            receiver,
            url,
            log,
            "-p2",
            "-t4",
            launcher=[BIN / "opentelemetry-instrument"] if auto else [],
            OTEL_BSP_SCHEDULE_DELAY="60000",
            OTEL_SERVICE_NAME="app",
            # So that one process cannot have all of the first.
            dramatiq_queue_prefetch="4",
            **({"AUTO": "1"} if auto else {}),
        ):
            kinds = {name: KINDS[number % 3] if number >= 8 else "meet" for number, (name, _) in enumerate(names)}
            traces = {name: app.send(kinds[name], name, tenant) for name, tenant in names}
            notes = {name: app.notes(name, SENT.get(kinds[name], 1)) for name, _ in names}
            traces["shutdown"] = app.send("shutdown", "shutdown", "acme")
            notes["shutdown"] = app.notes("shutdown", 1)
        receiver.wait_for(len(names) * 4)
    assert Counter(span.span_id for span in receiver.spans).most_common(1)[0][1] == 1
    for name, tenant in [*names, ("shutdown", "acme")]:
        assert [(note["tenant"], note["trace"]) for note in notes[name]] == [(tenant, traces[name])] * len(notes[name])
        processed = [span for span in receiver.spans if span.trace_id == traces[name] and span.kind == CONSUMER]
        # A message of nobody's belongs to whom its task sets, once that does.
        among = {tenant} if tenant else {None, "of the task before"}
        assert len(processed) == len(notes[name])
        assert {span.tenant for span in processed} <= among, name
        worked = [span for span in receiver.spans if span.name.endswith(f" {name}") and span.trace_id == traces[name]]
        assert {span.tenant for span in worked if not span.name.startswith("request")} == {tenant}
    assert len({note["worker"][0] for told in notes.values() for note in told}) == 2
    # What was interrupted by the end of the worker is there again, for whom it was.
    client = redis.Redis.from_url(url)
    (message,) = client.hvals("dramatiq:default.DQ.msgs") + client.hvals("dramatiq:default.msgs")
    client.close()
    assert json.loads(message)["options"][ours.OPTION]["baggage"] == "tenant.id=acme"


def test_a_worker_without_tracium_takes_the_messages(redis_server, folder):
    """What they bring is an option that it does not know."""
    url = f"{redis_server}/4"
    with (
        http_receiver() as receiver,
        (folder / "plain.log").open("w") as log,
        queue(receiver, url) as app,
        worker(None, url, log, "-p1", "-t1", PLAIN="1"),
    ):
        for kind in ("send", "retry", "pipeline", "async actor"):
            app.send(kind, f"plain {kind}", "acme")
            assert {note["tenant"] for note in app.notes(f"plain {kind}", SENT[kind])} == {None}


# What follows needs no processes: an app's own tests look like this.


PATCHED = [
    (dramatiq.message.Message, "encode"),
    (dramatiq.broker.Broker, "emit_after"),
    (dramatiq.worker._WorkerThread, "process_message"),
    (dramatiq.worker._WorkerThread, "start"),
    (dramatiq.worker._ConsumerThread, "post_process_message"),
    (dramatiq.worker._ConsumerThread, "start"),
]


@pytest.fixture
def instrumented():
    before = [owner.__dict__.get(name) for owner, name in PATCHED]
    ours.instrument()
    yield
    for (owner, name), original in zip(PATCHED, before, strict=True):
        if original is None:
            delattr(owner, name)
        else:
            setattr(owner, name, original)


@pytest.fixture
def spans(instrumented, monkeypatch):
    pipeline = MemoryPipeline()
    monkeypatch.setattr(MESSAGE, "_tracer", pipeline.tracer)
    return pipeline


@contextmanager
def working(broker):
    """A worker in this process."""
    running = dramatiq.Worker(broker, worker_timeout=20, worker_threads=1)
    running.start()

    def wait():
        broker.join("default", fail_fast=False)
        running.join()

    running.wait = wait
    try:
        yield running
    finally:
        running.stop()
        broker.close()


@pytest.fixture
def stub(spans):
    """A broker for tests, and its worker."""
    broker = StubBroker()
    with working(broker) as running:
        broker.wait = running.wait
        yield broker


def only(spans, kind):
    (found,) = [span for span in spans.spans if span.kind is kind]
    return found


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (LookupError("nothing there"), StatusCode.ERROR),
        (SystemExit(3), StatusCode.ERROR),
        (dramatiq.RateLimitExceeded("too many"), StatusCode.UNSET),
        (dramatiq.errors.Retry("later"), StatusCode.UNSET),
    ],
)
def test_an_actors_exception_is_on_its_span_and_goes_on(error, status, spans, stub):
    """Unaltered; asking for another attempt is no error."""

    @dramatiq.actor(broker=stub, max_retries=0)
    def fails():
        raise error

    fails.send()
    stub.wait()
    processed = only(spans, SpanKind.CONSUMER)
    assert processed.status.status_code is status
    assert [event.attributes["exception.message"] for event in processed.events] == [str(error)]
    assert [dead._exception for dead in stub.dead_letters] == [error]


def test_a_message_that_is_skipped_for_good_is_an_error(spans, stub):
    """Nobody has processed it, and nobody will."""

    @dramatiq.actor(broker=stub, max_age=1)
    def late():
        raise AssertionError("it is too old")

    late.send_with_options(delay=20)
    stub.wait()
    assert only(spans, SpanKind.CONSUMER).status.description == "SkipMessage: Message age limit exceeded"


def test_one_message_object_is_sent_for_many(spans, stub):
    """It is nobody's itself: nothing is written into it, however it is sent."""
    seen = []

    @dramatiq.actor(broker=stub, max_retries=0)
    def work():
        seen.append(tracium.get_current_tenant())

    message, group = work.message(), dramatiq.group([work.message()], broker=stub)
    for tenant in ("acme", None, "globex"):
        with tracium.tenant(tenant):
            stub.enqueue(message)
            group.run()
        stub.wait()
    assert seen == ["acme", "acme", None, None, "globex", "globex"]
    assert message.options == {}


def test_what_was_encoded_keeps_its_tenant(spans, stub):
    """Some store messages with their own data, and another process sends them."""
    seen = []

    @dramatiq.actor(broker=stub, max_retries=0)
    def work():
        seen.append(tracium.get_current_tenant())

    with tracium.tenant("acme"):
        stored = work.message().encode()
    with tracium.tenant("whoever sends it"):
        stub.enqueue(dramatiq.Message.decode(stored))
    stub.wait()
    assert seen == ["acme"]


def test_a_tenant_that_is_set_in_an_actor_is_that_of_what_follows_from_it(spans, stub):
    """The message had none, so it belongs to that one; a callback is sent for it."""
    seen = []

    @dramatiq.actor(broker=stub, max_retries=0)
    def callback(message, result):
        seen.append(tracium.get_current_tenant())

    @dramatiq.actor(broker=stub, max_retries=0, on_success="callback")
    def work():
        tracium.set_tenant("acme")

    work.send()
    stub.wait()
    assert seen == ["acme"]
    assert {span.name: tenant_of(span) for span in spans.spans}["process work"] == "acme"


def test_unsampled_messages_take_their_tenant_along(spans, stub, monkeypatch):
    """There is no span then, but there is a trace."""
    monkeypatch.setattr(MESSAGE, "_tracer", MemoryPipeline(sampler=ALWAYS_OFF).tracer)
    seen = []

    @dramatiq.actor(broker=stub, max_retries=0)
    def work():
        context = get_current_span().get_span_context()
        seen.append((tracium.get_current_tenant(), context.is_valid, context.trace_flags.sampled))

    with tracium.tenant("acme"):
        work.send()
    work.send()
    stub.wait()
    assert seen == [("acme", True, False), (None, True, False)]
    assert spans.spans == ()


def test_a_workers_threads_begin_with_nothing(spans):
    """Whoever starts them: what runs there besides the messages is nobody's."""
    seen = []

    class Looks(dramatiq.Middleware):
        def after_worker_thread_boot(self, broker, thread):
            seen.append(get_current())

        after_consumer_thread_boot = after_worker_thread_boot

    broker = StubBroker([Looks()])
    with tracium.tenant("acme"), working(broker):
        broker.declare_queue("late")
        assert tracium.get_current_tenant() == "acme"
    assert seen == [{}] * 3


def test_the_span_has_ended_and_the_context_is_back_when_the_worker_is_idle(spans, stub):
    """Apps' tests wait for the worker and then look at spans; hooks of acknowledging still belong to the message."""
    seen = []

    class Looks(dramatiq.Middleware):
        def after_ack(self, broker, message):
            seen.append(tracium.get_current_tenant())

        def before_worker_thread_shutdown(self, broker, thread):
            seen.append(get_current())

    stub.add_middleware(Looks())

    @dramatiq.actor(broker=stub, max_retries=0)
    def work():
        tracium.set_tenant("of the task before")

    for _ in range(20):
        with tracium.tenant("acme"):
            work.send()
        stub.wait()
        assert only(spans, SpanKind.CONSUMER).end_time is not None
        spans.clear()
    assert seen == ["acme"] * 20


def test_a_fault_of_ours_stops_no_message(stub, monkeypatch, caplog):
    """It is said once for each place."""
    seen = []

    @dramatiq.actor(broker=stub, max_retries=0)
    def work():
        seen.append(get_current())

    class Breaks:
        def start_as_current_span(self, *_, **__):
            raise RuntimeError("broken")

    monkeypatch.setattr(MESSAGE, "_tracer", Breaks())
    monkeypatch.setattr(faults, "_raising", False)
    notices.reset()
    for _ in range(2):
        work.send()
    stub.wait()
    assert seen == [{}] * 2
    assert Counter(record.getMessage().split(":")[0] for record in caplog.records if record.name == "tracium") == {
        "tracium failed while making a Dramatiq message": 1,
        "tracium failed while beginning a Dramatiq message": 1,
    }
