"""Tasks of Celery, and `main()`, which sends them for many tenants and prints what each saw.

In the environment: `BROKER` and `BACKEND`; `TRACE` is `here`, `launcher`, or `no` for an app without tracium.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time
from contextlib import nullcontext
from pathlib import Path

import redis
from opentelemetry.trace import get_current_span, get_tracer, get_tracer_provider

import tracium

if os.environ.get("TRACE", "here") == "here":
    tracium.trace(service_name=os.environ.get("SERVICE", "worker"))

from celery import Celery, chain, chord, group
from celery.exceptions import Ignore, Reject, TaskRevokedError

app = Celery("celery_app", broker=os.environ["BROKER"], backend=os.environ["BACKEND"])
app.conf.update(
    broker_connection_retry_on_startup=True,
    result_extended=True,
    task_default_queue="tests",
    task_routes={"celery_app.*": {"queue": "tests"}},
    worker_hijack_root_logger=False,
)
if os.environ.get("SCHEDULE"):
    app.conf.beat_schedule = {
        "nobody's": {"task": "celery_app.note", "schedule": 0.2, "args": ["beat"]},
        "named": {
            "task": "celery_app.note",
            "schedule": 0.2,
            "args": ["beat named"],
            "options": {"headers": {"tenant.id": "scheduled", "other": "header"}},
        },
    }
notes = redis.Redis.from_url(os.environ["BACKEND"])


def saw(**more):
    """What a task sees here."""
    context = get_current_span().get_span_context()
    return {
        "tenant": tracium.get_current_tenant(),
        "trace": format(context.trace_id, "032x"),
        "worker": f"{os.getpid()} {threading.get_ident()}",
    } | more


def wander():
    """Contained: nobody else sees this, and what follows the task does not either."""
    tracium.set_tenant("elsewhere")


@app.task
def see(*_):
    return [saw()]


@app.task
def probe():
    time.sleep(0.02)
    return [saw()]


@app.task
def step(before=()):
    seen = saw()
    wander()
    return [*before, seen]


@app.task
def collect(parts):
    return [each for part in parts for each in part] + [saw()]


@app.task(bind=True)
def header(self):
    headers = self.request.headers or {}
    return [saw(header=headers.get("tenant.id"), other=headers.get("other"))]


@app.task(bind=True)
def forward(self):
    """With the headers of its own message, as many do."""
    return header.apply_async(headers=self.request.headers).id


@app.task
def note(key):
    notes.rpush(key, json.dumps(saw()))


@app.task(bind=True, max_retries=3)
def again(self, before=()):
    seen = [*before, saw()]
    wander()
    if self.request.retries < 2:
        raise self.retry(countdown=0.01, kwargs={"before": seen})
    return seen


@app.task(bind=True, autoretry_for=(ZeroDivisionError,), retry_backoff=False, default_retry_delay=0)
def again_by_itself(self):
    seen, key = saw(), self.request.id
    if notes.rpush(key, json.dumps(seen)) < 2:
        wander()
        raise ZeroDivisionError
    return [json.loads(each) for each in notes.lrange(key, 0, -1)]


@app.task(bind=True)
def replaced(self):
    wander()
    raise self.replace(see.s())


@app.task
def outer():
    return see.delay().id


@app.task
def sets(tenant):
    tracium.set_tenant(tenant)
    return [saw(), {"child": see.delay().id}]


@app.task
def fail(way):
    notes.rpush("failing", json.dumps(saw()))
    wander()
    if way == "ignore":
        raise Ignore
    if way == "reject":
        raise Reject("no", requeue=False)
    if way in {"soft limit", "hard limit", "terminate"}:
        time.sleep(30)
    raise ValueError(way)


@app.task
def on_error(_task_id, key):
    notes.rpush(key, json.dumps(saw()))


@app.task
def on_error_inline(request, _error, _traceback, key):
    notes.rpush(key, json.dumps(saw()))


def die():
    """This process does not come to its end. What it has made before belongs to others."""
    get_tracer_provider().force_flush()
    os.kill(os.getpid(), signal.SIGKILL)


@app.task(bind=True, acks_late=True, reject_on_worker_lost=True)
def dies_once(self):
    if not self.request.delivery_info["redelivered"]:
        die()
    return [saw()]


@app.task(bind=True, acks_late=True, retry_on_worker_lost=True, default_retry_delay=0, max_retries=2)
def dies_and_retries(self):
    if self.request.retries == 0:
        die()
    return [saw()]


if os.environ.get("ROLE") == "worker":

    @app.task(name="elsewhere.remote")
    def remote():
        return [saw()]


# -- what sends them ---------------------------------------------------------------------------------------------------


def result(sent):
    """What the tasks saw whose result it is."""
    return flat(sent.get(timeout=30))


def flat(found):
    return [seen for part in found for seen in flat(part)] if isinstance(found, list) else [found]


def noted(key):
    _, value = notes.blpop([key], timeout=30)
    return [json.loads(value)]


def ending(way, **options):
    fail.apply_async((way,), **options)
    return noted("failing")


def failing(errback, **options):
    sent = fail.apply_async(("raise",), link_error=errback, **options)
    assert isinstance(sent.get(propagate=False, timeout=30), ValueError)
    return noted("failing") + noted("errback")


def chord_failing():
    chord([see.s(), fail.s("in chord")])(collect.s().on_error(on_error.s(key="errback")))
    return noted("failing") + noted("errback")


def hard_limit():
    fail.apply_async(("hard limit",), time_limit=1, link_error=on_error.s(key="errback"))
    return noted("failing") + noted("errback")


def terminated():
    sent = fail.delay("terminate")
    seen = noted("failing")
    sent.revoke(terminate=True)
    assert isinstance(sent.get(propagate=False, timeout=30), TaskRevokedError)
    return seen


def killed():
    sent = [dies_once.delay(), dies_and_retries.delay()]
    return [seen for each in sent for seen in result(each)]


def linked():
    sent = step.apply_async(link=[see.s(), see.s()])
    return result(sent) + [seen for child in sent.children for seen in result(child)]


def nested(sent):
    (child,) = result(sent)
    return result(app.AsyncResult(child))


def setting():
    seen, child = result(sets.delay("set in the task"))
    return [seen, *result(app.AsyncResult(child["child"]))]


def named(value="named", **more):
    return result(header.apply_async(headers={"tenant.id": value, "other": "header"}, **more))


def badly_named():
    refused = []
    for value in ("", "a\n", 7):
        try:
            named(value)
        except (TypeError, ValueError) as error:
            refused.append({"worker": None, "error": type(error).__name__})
    return refused


def foreign(**headers):
    return result(again.apply_async(headers=headers))


SCENARIOS = {
    "delay": lambda: result(see.delay()),
    "countdown": lambda: result(see.apply_async(countdown=0.01)),
    "chain": lambda: result(chain(step.s(), step.s(), step.s())()),
    "group": lambda: result(group(see.s(), see.s(), see.s())()),
    "chord": lambda: result(chord([step.s(), step.s()])(collect.s())),
    "chunks": lambda: result(see.chunks(zip(range(4), strict=True), 2)()),
    "starmap": lambda: result(see.starmap([(1,), (2,)]).delay()),
    "retry": lambda: result(again.delay()),
    "autoretry": lambda: result(again_by_itself.delay()),
    "replace": lambda: result(replaced.delay()),
    "link": linked,
    "link_error": lambda: failing(on_error.s(key="errback")),
    "link_error inline": lambda: failing(on_error_inline.s(key="errback")),
    "chord error": chord_failing,
    "nested": lambda: nested(outer.delay()),
    "send_task by name": lambda: result(app.send_task("elsewhere.remote")),
    "raise": lambda: ending("raise"),
    "ignore": lambda: ending("ignore"),
    "reject": lambda: ending("reject"),
    "forwarded headers": lambda: nested(forward.delay()),
}
# Where each piece of work has a process.
ENDINGS = {
    "soft limit": lambda: ending("soft limit", soft_time_limit=1),
    "hard limit": hard_limit,
    "terminate": terminated,
    "killed": killed,
}
OTHERS = {
    "named": named,
    "named nobody": lambda: named(None),
    "named in a chain": lambda: result(chain(step.s().set(headers={"tenant.id": "named"}), step.s())()),
    "named badly": badly_named,
    "for nobody": setting,
    "unsampled": lambda: result(chain(step.s(), step.s())()),
    "foreign": foreign,
    "foreign with header": lambda: foreign(**{"tenant.id": "anyone"}),
    "foreign with tenant": lambda: foreign(baggage="tenant.id=acme"),
    "foreign, broken": lambda: foreign(baggage="tenant.id=ac%zzme"),
    "foreign, too long": lambda: foreign(baggage=f"tenant.id={'a' * 256}"),
    "foreign, ambiguous": lambda: foreign(baggage="tenant.id=acme,tenant.id=globex"),
}


def run(name, scenario, tenant):
    notes.delete("failing", "errback")
    with (
        nullcontext() if tenant is None else tracium.tenant(tenant),
        get_tracer("sender").start_as_current_span(name) as span,
    ):
        expected = format(span.get_span_context().trace_id, "032x")
        seen = scenario()
        kept = get_current_span() is span and tracium.get_current_tenant() == tenant
    return {"for": tenant, "expected": expected, "seen": seen, "kept": kept, "probes": probes(seen)}


def probes(seen):
    """What tasks see that are sent for nobody, on each of the workers that have just worked and still do."""
    missing, found = {each["worker"] for each in seen}, []
    for _ in range(400):
        for sent in [probe.delay() for _ in range(3)]:
            found += result(sent)
        missing -= {each["worker"] for each in found}
        missing = {each for each in missing if each is not None and is_alive(int(each.split()[0]))}
        if not missing:
            break
    return {"found": found, "missing": sorted(missing)}


def is_alive(process):
    """Whether it may still work; one that has ended and was not taken note of does not."""
    try:
        state = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"


def main():
    done = {}
    for number, name in enumerate(sys.argv[1:]):
        scenario = (SCENARIOS | ENDINGS | OTHERS)[name]
        tenant = None if name.startswith(("for", "named in")) else ("acme", "globex")[number % 2]
        done[name] = run(name, scenario, tenant)
    sys.stdout.write(json.dumps(done))
