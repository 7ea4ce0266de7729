"""Celery where processes end, or were set up in another way: limits, kills, the launcher, beat, AMQP, neighbours without us."""

from __future__ import annotations

import json

import pytest
import redis
from support.app import BIN
from support.celery import celery_process, celery_worker, troubles
from support.rabbitmq import running_rabbitmq

# scenario of the app: its name in the documentation, how many messages it takes, and how many attempts send their span
ENDINGS = {
    "soft limit": ("soft time limit", 1, 1),
    # Celery 5.7 sends the errback of such a task twice.
    "hard limit": ("hard time limit", 3, 3),
    "terminate": ("revoke with terminate", 1, 1),
    # An attempt whose process is killed is not seen.
    "killed": ("reject_on_worker_lost and retry_on_worker_lost", 3, 2),
}
AMQP = {
    "delay": 1,
    "countdown": 1,
    "chain": 3,
    "group": 3,
    "chord": 3,
    "retry": 3,
    "link_error": 2,
    "send_task by name": 1,
}


@pytest.fixture(scope="module")
def ending(redis_server, tmp_path_factory):
    """A worker whose tasks and processes were interrupted."""
    url = f"{redis_server}/2"
    with celery_worker(tmp_path_factory.mktemp("ending"), url, url, "--pool", "prefork", "-c", "2") as running:
        running.send(*ENDINGS)
    return running


@pytest.mark.parametrize("name", ENDINGS)
def test_ending(ending, name, mechanism):
    """What is sent because of it, by whichever process, is the task's too."""
    what, messages, attempts = ENDINGS[name]
    mechanism(f"Celery, prefork: {what}", **ending.measured(name, messages, attempts))
    assert troubles(ending.log.read_text()) == []


def test_processes_that_are_replaced_send_all_their_spans(redis_server, tmp_path, mechanism):
    """Under `opentelemetry-instrument`, and no span would be sent before its process ends."""
    url = f"{redis_server}/3"
    arguments = ("--pool", "prefork", "-c", "1", "--max-tasks-per-child", "4")
    variables = {"TRACE": "launcher", "OTEL_BSP_SCHEDULE_DELAY": "600000"}
    with celery_worker(
        tmp_path, url, url, *arguments, launcher=[BIN / "opentelemetry-instrument"], **variables
    ) as running:
        running.send("group", TRACE="here")
    assert troubles(running.log.read_text()) == []
    mechanism("Celery, prefork: opentelemetry-instrument, maxtasksperchild", **running.measured("group", 3, 3))


def test_amqp(redis_server, tmp_path, mechanism):
    """RabbitMQ has headers of its own."""
    (tmp_path / "rabbitmq").mkdir()
    with (
        running_rabbitmq(tmp_path / "rabbitmq") as broker,
        celery_worker(tmp_path, broker, f"{redis_server}/4", "--pool", "prefork", "-c", "2") as running,
    ):
        running.send(*AMQP)
    measured = [running.measured(name, messages, messages) for name, messages in AMQP.items()]
    assert troubles(running.log.read_text()) == []
    held = {key: all(each[key] for each in measured) for key in measured[0]}
    mechanism("Celery, prefork: RabbitMQ", **held)


def test_a_worker_without_tracium(redis_server, tmp_path):
    """It works on our messages as on any."""
    url = f"{redis_server}/5"
    with celery_worker(tmp_path, url, url, "--pool", "solo", TRACE="no") as running:
        running.send("delay", "chain", TRACE="here")
    assert [seen["tenant"] for seen in running.done["delay"]["seen"]] == [None]
    assert len(running.done["chain"]["seen"]) == 3


def test_beat(redis_server, tmp_path, mechanism):
    """What it sends is nobody's, unless the schedule's options name a tenant; each message is a trace of its own."""
    url = f"{redis_server}/6"
    with (
        redis.Redis.from_url(url) as client,
        celery_worker(tmp_path, url, url, "--pool", "solo", SCHEDULE="yes") as running,
    ):
        arguments = ("beat", "--schedule", str(tmp_path / "schedule"), "--pidfile", "")
        with celery_process(tmp_path, tmp_path / "beat.log", running.variables, *arguments):
            seen = {
                key: [json.loads(client.blpop([key], timeout=30)[1]) for _ in range(3)]
                for key in ("beat", "beat named")
            }
    assert troubles(running.log.read_text() + (tmp_path / "beat.log").read_text()) == []
    nobodys, named = (_sent(running, seen[key]) for key in ("beat", "beat named"))
    # Both came to the same thread, in turn.
    clean = nobodys == ({None}, True)
    mechanism(
        "Celery: beat, tenant named in the schedule", tenant=named[0] == {"scheduled"}, trace=named[1], clean=clean
    )


def _sent(running, seen):
    """The tenants of some messages, and whether each was a trace of its own, of two spans."""
    spans = [span for each in seen for span in running.spans(each["trace"])]
    traces = {(span.trace_id, span.name.partition("/")[0]) for span in spans}
    tenants = {each["tenant"] for each in seen} | {span.tenant for span in spans}
    return tenants, len(traces) == len(spans) == 2 * len(seen)
