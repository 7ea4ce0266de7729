"""Whose a record of `logging` is, wherever it is handled."""

from __future__ import annotations

import asyncio
import copy
import logging
import pickle
import queue
import threading
from logging.handlers import QueueHandler, QueueListener

from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.context import Context, attach, detach
from opentelemetry.propagators.composite import CompositePropagator
from support.bridge import Bridge, app

import tracium
from tracium.boundary.propagation import TenantPropagator
from tracium.testing import memory_pipeline


def test_a_record_is_in_its_span(bridge):
    """The ids of the span that was current where it was logged."""
    with memory_pipeline() as pipeline, tracium.tenant("acme"), pipeline.tracer.start_as_current_span("work") as span:
        app.info("inside")
    (record,) = bridge.records
    context = span.get_span_context()
    assert (record.trace_id, record.span_id) == (context.trace_id, context.span_id)
    assert bridge.tenants == ["acme"]


def test_a_request_keeps_its_binding(bridge):
    """After a clear, as its spans do."""
    token = attach(TenantPropagator(CompositePropagator([])).extract({}))
    tracium.set_tenant("acme")
    tracium.set_tenant(None)
    app.info("cleared")
    detach(token)
    app.info("outside")
    assert bridge.tenants == ["acme", None]


class Collector(logging.Handler):
    """Logs every record again, as what collects the records of others does."""

    def emit(self, record):
        app.handle(record)


def test_a_listener_thread_that_logs_again_has_the_tenant_of_where_it_was_logged(bridge):
    """Not of the thread, which was started under another tenant."""
    records = queue.SimpleQueue()
    quiet = logging.getLogger("app.queued")
    quiet.propagate = False
    handler = QueueHandler(records)
    quiet.addHandler(handler)
    listener = QueueListener(records, Collector())
    try:
        with tracium.tenant("globex"):
            listener.start()
        with tracium.tenant("acme"):
            quiet.info("queued")
        quiet.info("nobody's")
    finally:
        listener.stop()
        quiet.removeHandler(handler)
        quiet.propagate = True
    assert list(zip(bridge.bodies, bridge.tenants, strict=True)) == [("queued", "acme"), ("nobody's", None)]


TASKS = ("acme", "globex", "initech")


async def test_tasks_keep_apart(bridge):
    """Each task's records are its tenant's; a task that empties a queue on the same thread says nothing about them."""
    waiting = asyncio.Queue()

    async def work(tenant):
        with tracium.tenant(tenant):
            app.info(tenant)
            await asyncio.sleep(0)
            waiting.put_nowait(app.makeRecord("app.orders", logging.INFO, "f", 1, tenant, (), None))

    async def empty():
        for _ in range(3):
            app.handle(await waiting.get())

    with tracium.tenant("the consumer"):
        emptying = asyncio.create_task(empty())
    await asyncio.gather(*map(work, TASKS), emptying)
    got = [
        (body, tenant) for body, tenant in zip(bridge.bodies, bridge.tenants, strict=True) if tenant or body in TASKS
    ]
    assert sorted(got) == sorted(2 * [(tenant, tenant) for tenant in TASKS])


def test_threads_keep_apart(bridge):
    """Also many at once."""

    def work(tenant):
        with tracium.tenant(tenant):
            for _ in range(20):
                app.info(tenant)

    threads = [threading.Thread(target=work, args=(f"t{number}",)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(bridge.bodies) == 160
    assert bridge.bodies == bridge.tenants


def test_a_record_from_a_dict_belongs_to_nobody(bridge):
    """It came from somewhere else, such as over a socket: what is current here says nothing about it."""
    with tracium.tenant("globex"), memory_pipeline() as pipeline, pipeline.tracer.start_as_current_span("other"):
        app.handle(logging.makeLogRecord({"name": "app.orders", "msg": "elsewhere", "levelno": 20}))
    (record,) = bridge.records
    assert (record.body, bridge.tenants, record.trace_id) == ("elsewhere", [None], 0)


def test_a_record_of_another_process_is_sent_there(bridge):
    """One that was pickled to be handled here has gone out where it was logged."""
    record = app.makeRecord("app.orders", logging.INFO, "f", 1, "elsewhere", (), None)
    app.handle(pickle.loads(pickle.dumps(record)))
    assert bridge.bodies == []


_TENANTS = st.sampled_from([None, "acme", "globex", "initech"])
_STEP = st.one_of(st.tuples(st.sampled_from(["log", "keep", "copy"]), _TENANTS), st.tuples(st.just("handle"), _TENANTS))


@settings(max_examples=60)
@given(st.lists(_STEP, max_size=20))
def test_a_record_has_the_tenant_of_where_it_was_made(steps):
    """However records are kept, copied and handled later under other tenants; and each goes out once."""
    kept, expected = [], []
    with Bridge() as bridge:
        for number, (step, tenant) in enumerate(steps):
            token = attach(Context())
            with tracium.tenant(tenant):
                if step == "log":
                    app.info("%d", number)
                elif step == "handle":
                    for record in kept:
                        app.handle(record)
                else:
                    record = app.makeRecord("app.orders", logging.INFO, "f", 1, "%d", (number,), None)
                    kept += [record] if step == "keep" else [record, copy.copy(record)]
            detach(token)
            expected.append(tenant)
        for record in kept:
            app.handle(record)
        got = {int(body): tenant for body, tenant in zip(bridge.bodies, bridge.tenants, strict=True)}
        assert got == {n: expected[n] for n, (step, _) in enumerate(steps) if step != "handle"}
        assert len(got) == len(bridge.bodies)
