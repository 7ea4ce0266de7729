"""The recipes for queues that have no layer of ours: the examples run as they stand, and do what they say."""

from __future__ import annotations

import ast
import json
import os
import re
import shlex
import signal
import subprocess
import tomllib
from collections import Counter
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

import pytest
from confluent_kafka import Producer
from support.app import BIN, environment, run_app
from support.receiver import http_receiver

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples" / "queues"
CONSUMER = 5
WITHOUT = {"OTEL_PYTHON_DISABLED_INSTRUMENTATIONS": "aiokafka,confluent_kafka"}
ORDERS = ["order 1: for acme", "order 2: for globex", "order 3: for acme", "order 4: for nobody"]


class Ran(NamedTuple):
    """An example that has ended, and what it sent."""

    output: list[str]
    complaints: str
    receiver: object

    def processed(self, destination):
        return self.receiver.named(f"process {destination}")

    def traces_of(self, tenant):
        """The traces in which the shop worked for a tenant."""
        return {span.trace_id for span in self.receiver.named("invoke_agent shop") if span.tenant == tenant}

    def carried(self, destination):
        """Whether the tenants arrived, their traces did, and what was nobody's was clean."""
        processed = self.processed(destination)
        tenants = Counter(span.tenant for span in processed) == {"acme": 2, "globex": 1, None: 1}
        theirs = [span for span in processed if span.tenant is not None]
        trace = all(span.trace_id in self.traces_of(span.tenant) for span in theirs)
        trace = trace and len({span.trace_id for span in processed}) == 4
        (nobodys,) = [span for span in processed if span.tenant is None]
        under_it = [span for span in self.receiver.spans if span.trace_id == nobodys.trace_id]
        clean = self.output[-1] == ORDERS[-1] or ORDERS[-1] in self.output
        clean = clean and {span.tenant for span in under_it} == {None}
        return {"tenant": tenants and sorted(self.output) == ORDERS, "trace": trace, "clean": clean}


def guide(file):
    return ast.get_docstring(ast.parse(file.read_text()), clean=False)


def run_example(name, receiver, launcher=(), **variables):
    """Run an example of the folder to its end, as its docstring says."""
    env = environment(receiver, PYTHONDONTWRITEBYTECODE="1", **variables)
    (command,) = re.findall(r"^    python (.+)$", guide(EXAMPLES / f"{name}.py"), re.MULTILINE)
    command = [*launcher, BIN / "python", *shlex.split(command)]
    ended = subprocess.run(command, cwd=EXAMPLES, env=env, capture_output=True, text=True, timeout=60)
    assert ended.returncode == 0, ended.stderr[-4000:]
    return Ran(ended.stdout.splitlines(), ended.stderr, receiver)


@contextmanager
def kafka():
    """The broker that librdkafka has for tests, on loopback: real clients speak Kafka's protocol with it."""
    owner = Producer({"bootstrap.servers": "none", "test.mock.num.brokers": 1, "log_level": 0})
    (broker,) = owner.list_topics(timeout=10).brokers.values()
    yield f"{broker.host}:{broker.port}"
    owner.flush(1)


@pytest.fixture(
    scope="module",
    params=[
        ("kafka_confluent", {}),
        ("kafka_confluent", WITHOUT),
        ("kafka_aiokafka", {}),
        ("kafka_aiokafka", WITHOUT),
    ],
    ids=lambda param: f"{param[0]}{' alone' if param[1] else ''}",
)
def kafka_example(request):
    """Each client, under OpenTelemetry's instrumentation of it and without."""
    name, variables = request.param
    with kafka() as servers, http_receiver() as receiver:
        # confluent-kafka's classes are replaced, which the imports of the example would miss.
        launcher = () if variables else (BIN / "opentelemetry-instrument",)
        yield name, bool(variables), run_example(name, receiver, launcher, KAFKA=servers, **variables)


def test_kafka(kafka_example, mechanism):
    """From a producer to a consumer that takes batches: each message as itself, the last one as nobody's."""
    name, _, ran = kafka_example
    client = {"kafka_confluent": "confluent-kafka", "kafka_aiokafka": "aiokafka"}[name]
    carried = ran.carried("orders")
    mechanism(f"Kafka ({client}): inject + message", **carried)
    assert carried == {"tenant": True, "trace": True, "clean": True}
    for span in ran.processed("orders"):
        assert span.kind == CONSUMER
        assert span.attributes["messaging.message.id"].startswith("orders.")
        inside = [each for each in ran.receiver.named("execute_tool pack_order") if each.trace_id == span.trace_id]
        assert [each.tenant for each in inside] == [span.tenant]


def test_spans_that_fetch_messages_are_nobodys(kafka_example):
    """Those of OpenTelemetry's instrumentation: for one poll, a whole batch, or one record as it was fetched."""
    name, alone, ran = kafka_example
    fetching = {"kafka_confluent": {"recv", "orders process"}, "kafka_aiokafka": {"orders receive"}}[name]
    spans = [span for span in ran.receiver.spans if span.name in fetching]
    assert {span.name for span in spans} == (set() if alone else fetching)
    assert {span.tenant for span in spans} <= {None}


def test_kafka_examples_have_nothing_to_complain_about(kafka_example):
    """What their headers name is believed where the message is processed."""
    _, _, ran = kafka_example
    # Of two distributions' configurators opentelemetry-instrument says which one it takes.
    said = [line for line in ran.complaints.splitlines() if not line.startswith("Configuration of ")]
    assert said == []


TASKS = """
import datetime
import tracium
from huey import crontab
from huey.exceptions import RetryTask
from opentelemetry import trace
from huey_app import huey

def seen(*_):
    return [tracium.get_current_tenant(), f"{trace.get_current_span().get_span_context().trace_id:032x}"]

probe = huey.task(name="probe")(seen)
plain = huey.task(name="plain")(seen)
after = huey.task(name="after")(lambda *_: seen())

@huey.task(context=True)
def again(task):
    if task.retries == 0 and task.retry_delay == 0:
        task.retry_delay = 1
        raise RetryTask(delay=0)
    return seen()

@huey.task(retries=1, context=True)
def flaky(task):
    tracium.set_tenant("initech")
    if task.retries:
        raise ValueError("once")
    return seen()

@huey.task()
def nested():
    return plain().id

@huey.periodic_task(crontab(minute="*"))
def nightly():
    seen()
"""
DRIVER = """
import datetime, json
import tasks, tracium
from huey.api import chord, group
from huey.exceptions import TaskException
from opentelemetry import trace
from tasks import huey

tracer, told = trace.get_tracer("driver"), {}

def wait(result):
    for _ in range(3):
        try:
            return result.get(blocking=True, timeout=20)
        except TaskException:
            result.reset()

def tell(name, send):
    with tracium.tenant("acme"), tracer.start_as_current_span(name) as span:
        found = send()
        sent = f"{span.get_span_context().trace_id:032x}"
    told[name] = {"sent": sent, "seen": [wait(each) for each in found], "probe": wait(tasks.probe())}

tell("task", lambda: [tasks.plain()])
tell("schedule", lambda: [tasks.plain.schedule(delay=1)])
tell("RetryTask", lambda: [tasks.again()])
tell("retry", lambda: [tasks.flaky()])
tell("map", lambda: list(tasks.plain.map([1, 2])))
tell("pipeline", lambda: list(huey.enqueue(tasks.plain.s().then(tasks.after))))
tell("group", lambda: list(huey.enqueue(group([tasks.plain.s(), tasks.plain.s()]))))
tell("chord", lambda: [huey.enqueue(chord([tasks.plain.s(), tasks.plain.s()], tasks.after.s())).callback])
tell("enqueued in a task", lambda: [huey.result(wait(tasks.nested())) and tasks.plain()])
with tracium.tenant("acme"):
    for task in huey.read_periodic(datetime.datetime.now()):
        huey.enqueue(task)
    wait(tasks.probe())
    huey.immediate = True
    told["immediate"] = tasks.plain().get()
    told["around"] = tracium.get_current_tenant()
print(json.dumps(told))
"""


@contextmanager
def huey_consumer(folder, env, kind):
    """A consumer as its users start it, with one worker; it is asked to end, and says nothing of trouble."""
    log = folder / "log"
    with log.open("w") as output:
        process = subprocess.Popen(
            [BIN / "huey_consumer", "tasks.huey", "-w", "1", "-k", kind, "-d", "0.05", "-m", "0.1", "-s", "1"],
            cwd=folder,
            env=env,
            stdout=output,
            stderr=subprocess.STDOUT,
            # A group of its own, so that its worker processes end with it when a test fails.
            start_new_session=True,
        )
        try:
            yield log
            process.send_signal(signal.SIGINT)
            process.wait(20)
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


@pytest.fixture(scope="module", params=["thread", "process"])
def huey_told(request, redis_server, tmp_path_factory):
    """What every way to send a task gave, and the spans."""
    folder = tmp_path_factory.mktemp("huey")
    (folder / "tasks.py").write_text(TASKS)
    # A database of its own for each kind of worker.
    url = f"{redis_server}/{1 + ['thread', 'process'].index(request.param)}"
    with http_receiver() as receiver:
        env = environment(receiver, PYTHONPATH=f"{folder}:{EXAMPLES}", PYTHONDONTWRITEBYTECODE="1", REDIS_URL=url)
        with huey_consumer(folder, env, request.param) as log:
            told = json.loads(run_app(DRIVER, env, cwd=folder).stdout)
            example = run_example("huey_app", receiver, PYTHONPATH=str(EXAMPLES), REDIS_URL=url)
        yield request.param, told, receiver, example, log.read_text()


def test_huey(huey_told, mechanism):
    """In whichever way a task is sent."""
    _, told, _, _, log = huey_told
    for name, each in told.items():
        if name in {"immediate", "around"}:
            continue
        tenant, trace = ({seen[place] for seen in each["seen"]} for place in (0, 1))
        probe_tenant, probe_trace = each["probe"]
        measured = {
            "tenant": tenant == {"initech" if name == "retry" else "acme"},
            "trace": trace == {each["sent"]},
            "clean": probe_tenant is None and probe_trace != each["sent"],
        }
        mechanism(f"Huey: {name}", **measured)
        assert measured == {"tenant": True, "trace": True, "clean": True}, name
    assert not re.search(r"different Context|Failed to detach|tracium failed", log)


def test_huey_spans(huey_told):
    """Each task that was run, also one that failed, has one span, with the tenant that it was sent for."""
    _, told, receiver, _, _ = huey_told
    flaky = receiver.named("process flaky")
    assert {(span.tenant, span.trace_id) for span in flaky} == {("acme", told["retry"]["sent"])}
    assert len(flaky) == 2
    assert {span.tenant for span in receiver.named("process seen")} == {None, "acme"}
    # Also where the consumer made it itself, if a minute began meanwhile.
    assert {span.tenant for span in receiver.named("process nightly")} == {None}
    assert len({span.span_id for span in receiver.spans}) == len(receiver.spans)


def test_huey_immediate_mode(huey_told):
    """Where the app runs the task itself, and goes on as it was."""
    _, told, _, _, _ = huey_told
    assert told["immediate"][0] == told["around"] == "acme"


def test_huey_example(huey_told):
    """As it stands."""
    _, _, _, ran, _ = huey_told
    assert ran.complaints == "", ran.complaints
    assert ran.carried("pack") == {"tenant": True, "trace": True, "clean": True}


def test_apscheduler_example(redis_url, mechanism):
    """Jobs on one thread, of several customers and of nobody; and one again and again for a customer of its own."""
    with http_receiver() as receiver:
        ran = run_example("apscheduler_app", receiver, REDIS_URL=redis_url)
        reports = ran.processed("report")
        told = ran._replace(output=[line for line in ran.output if not line.startswith("report")])
        carried = told.carried("pack")
    mechanism("APScheduler: date job", **carried)
    assert carried == {"tenant": True, "trace": True, "clean": True}
    assert ran.complaints == "", ran.complaints
    assert {line for line in ran.output if line.startswith("report")} == {"report: for acme"}
    assert len({span.trace_id for span in reports}) == len(reports) >= 1


STORED = """
import datetime, json, sys, time
from urllib.parse import urlsplit
import apscheduler_app, jobs, os, tracium
from apscheduler.jobstores.redis import RedisJobStore
from apscheduler.schedulers.background import BackgroundScheduler
from opentelemetry import trace

redis = urlsplit(os.environ["REDIS_URL"])
scheduler = BackgroundScheduler(
    jobstores={"default": RedisJobStore(host=redis.hostname, port=redis.port)},
    executors={"default": {"type": "threadpool", "max_workers": 1}},
    job_defaults={"misfire_grace_time": None, "coalesce": True},
)
"""
JOBS = """
import json, threading, tracium
from opentelemetry import trace

done = threading.Semaphore(0)

def tell(name):
    span = trace.get_current_span().get_span_context()
    print(json.dumps([name, tracium.get_current_tenant(), f"{span.trace_id:032x}"]), flush=True)
    tracium.set_tenant("initech")
    done.release()

def plain():
    tell("plain")
"""
ADD = """
scheduler.start(paused=True)
now = datetime.datetime.now()
with tracium.tenant("acme"), trace.get_tracer("app").start_as_current_span("request") as span:
    apscheduler_app.add_job(scheduler, jobs.tell, "date", "date", run_date=now)
    apscheduler_app.add_job(scheduler, jobs.tell, "interval", "interval", seconds=1, start_date=now)
print(f"{span.get_span_context().trace_id:032x}")
scheduler.shutdown()
"""
RUN = """
scheduler.start()
for _ in range(3):
    assert jobs.done.acquire(timeout=20)
scheduler.remove_all_jobs()
# What is added as ever is not carried, and nobody's: the thread that ran the others is clean.
scheduler.add_job(jobs.plain)
assert jobs.done.acquire(timeout=20)
scheduler.shutdown()
"""


def test_apscheduler_jobs_are_carried_through_a_job_store(redis_url, tmp_path, mechanism):
    """From one process to another, which knows nothing but what the store has."""
    (tmp_path / "jobs.py").write_text(JOBS)
    with http_receiver() as receiver:
        env = environment(
            receiver, PYTHONPATH=f"{tmp_path}:{EXAMPLES}", PYTHONDONTWRITEBYTECODE="1", REDIS_URL=redis_url
        )
        trace = run_app(STORED + ADD, env).stdout.strip()
        told = [json.loads(line) for line in run_app(STORED + RUN, env).stdout.splitlines()]
    plain = [each for each in told if each[0] == "plain"]
    clean = all(tenant is None and found != trace for _, tenant, found in plain)
    for name in ("date", "interval"):
        found = [each for each in told if each[0] == name]
        measured = {
            "tenant": {tenant for _, tenant, _ in found} == {"acme"},
            "trace": {each for _, _, each in found} == {trace},
            "clean": bool(plain) and clean,
        }
        mechanism(f"APScheduler: {name} job, from a job store in another process", **measured)
        # What is done again and again is a trace each time.
        assert measured == {"tenant": True, "trace": name == "date", "clean": True}
    assert len({each for name, _, each in told if name == "interval"}) == 2


LOOP = """
import asyncio, json
import apscheduler_app, tracium
from apscheduler.schedulers.asyncio import AsyncIOScheduler

told = []

async def tell(name):
    before = tracium.get_current_tenant()
    await asyncio.sleep(0.01)
    told.append([name, before, tracium.get_current_tenant()])

def call(name):
    told.append([name, tracium.get_current_tenant(), tracium.get_current_tenant()])

async def main():
    scheduler = AsyncIOScheduler(job_defaults={"misfire_grace_time": None})
    scheduler.start()
    apscheduler_app.add_job(scheduler, tell, "date", "nobody")
    for tenant in ("acme", "globex"):
        with tracium.tenant(tenant):
            apscheduler_app.add_job(scheduler, tell, "date", tenant)
            apscheduler_app.add_job(scheduler, call, "date", tenant)
    while len(told) < 5:
        await asyncio.sleep(0.01)
    scheduler.shutdown()

asyncio.run(main())
print(json.dumps(sorted(told, key=str)))
"""


def test_apscheduler_in_an_event_loop():
    """Its timer has the context of whoever added a job last: with the recipe no job sees that."""
    told = json.loads(run_app(LOOP, environment(OTEL_TRACES_EXPORTER="none", PYTHONPATH=str(EXAMPLES))).stdout)
    expected = [[name, name, name] for name in ("acme", "acme", "globex", "globex")] + [["nobody", None, None]]
    assert told == expected


def test_what_the_examples_ask_for_exists():
    """Each says how to install and run it, and what it shows; and each is run here."""
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    tests = Path(__file__).read_text()
    for file in EXAMPLES.glob("*.py"):
        text = guide(file)
        (packages,) = re.findall(r"^    pip install (.+)$", text, re.MULTILINE)
        (wanted,) = re.findall(r"\btracium(?:\[([\w,-]+)\])?", packages)
        assert set(filter(None, wanted.split(","))) <= extras.keys()
        assert "\n    python " in text
        assert "\nWhat it shows: " in text
        assert f'"{file.stem}"' in tests
