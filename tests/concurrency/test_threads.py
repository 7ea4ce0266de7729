"""What is handed to threads takes its tenant and its trace along, and a thread that serves everybody is nobody's."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging.handlers
import queue
import threading
import time
import weakref
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from multiprocessing.pool import Pool, ThreadPool

import pytest
from opentelemetry.trace import get_current_span
from support.app import environment, run_app

import tracium
from tracium.concurrency import threads
from tracium.concurrency.handing import POOL_METHODS

PATCHED = [
    (threading.Thread, "start"),
    (ThreadPoolExecutor, "submit"),
    (Future, "add_done_callback"),
    (ThreadPool, "__init__"),
    (logging.handlers.QueueListener, "start"),
    *((Pool, name) for name in POOL_METHODS),
]


@pytest.fixture(autouse=True)
def _instrumented():
    before = [owner.__dict__[name] for owner, name in PATCHED]
    threads.instrument()
    yield
    for (owner, name), original in zip(PATCHED, before, strict=True):
        setattr(owner, name, original)


def current():
    return tracium.get_current_tenant()


@pytest.mark.parametrize("disabled", ["", "threading"])
def test_trace_applies_it(disabled):
    """Before and after the modules are imported, instead of OpenTelemetry's own; it can be disabled by that one's name."""
    ended = run_app(
        """
        import threading, tracium
        tracium.trace()
        tracium.trace()
        from concurrent.futures import ThreadPoolExecutor
        from multiprocessing.pool import ThreadPool
        seen = []
        with tracium.tenant("acme"), ThreadPoolExecutor(1) as pool:
            thread = threading.Thread(target=lambda: seen.append(tracium.get_current_tenant()))
            thread.start()
            thread.join()
            seen.append(pool.submit(tracium.get_current_tenant).result())
            seen.append(ThreadPool(1).apply(tracium.get_current_tenant))
        print(*seen, {each.name: each.state for each in tracium.report().libraries}["threading"])
        """,
        environment(OTEL_TRACES_EXPORTER="none", OTEL_PYTHON_DISABLED_INSTRUMENTATIONS=disabled),
    )
    assert ended.stdout.strip() == ("None None None disabled" if disabled else "acme acme acme instrumented")
    assert ended.stderr == ""


class Runs(threading.Thread):
    """It overrides `run`, which OpenTelemetry's instrumentation misses."""

    def __init__(self):
        super().__init__()
        self.seen = None

    def run(self):
        self.seen = current(), get_current_span().get_span_context().span_id


def test_a_thread_has_the_context_of_its_start(pipeline):
    """Of a target, of an overridden `run`, of a timer; tenant and trace."""
    seen = []

    def target():
        seen.append((current(), get_current_span().get_span_context().span_id))

    with tracium.tenant("acme"), pipeline.tracer.start_as_current_span("work") as span:
        overriding = Runs()
        started = [threading.Thread(target=target), threading.Timer(0, target), overriding]
        for thread in started:
            thread.start()
    for thread in started:
        thread.join()
    expected = ("acme", span.get_span_context().span_id)
    assert [*seen, overriding.seen] == [expected] * 3


def test_a_thread_that_is_over_is_not_kept():
    """Nor does it keep what it carried; and a second start is refused as ever."""
    with tracium.tenant("acme"):
        thread = Runs()
        thread.start()
        thread.join()
        with pytest.raises(RuntimeError, match="started once"):
            thread.start()
    assert "run" not in vars(thread)
    gone = weakref.ref(thread)
    gc.disable()
    del thread
    gc.enable()
    assert gone() is None


def test_a_run_of_the_instances_own_is_called_and_stays():
    """Some set it on the object."""
    thread, seen = threading.Thread(), []
    thread.run = own = lambda: seen.append(current())
    with tracium.tenant("acme"):
        thread.start()
    thread.join()
    assert (seen, thread.run) == (["acme"], own)


@pytest.mark.parametrize("way", ["submit", "map", "run_in_executor"])
def test_a_pools_work_is_its_submitters(way):
    """Whoever else had the thread before, and for whomever it was started."""
    with ThreadPoolExecutor(2) as pool:
        for number in range(20):
            tenant = f"t{number % 3}" if number % 4 else None
            with tracium.tenant(tenant):
                if way == "submit":
                    assert pool.submit(current).result() == tenant
                elif way == "map":
                    assert list(pool.map(lambda _: current(), range(3))) == [tenant] * 3
                else:

                    async def main():
                        return await asyncio.get_running_loop().run_in_executor(pool, current)

                    assert asyncio.run(main()) == tenant
        assert pool.submit(current).result() is None


def test_between_two_pieces_of_work_a_pools_thread_is_nobodys():
    """A future's callback runs there, when the work is over; and an initializer before."""
    began = []
    with ThreadPoolExecutor(1, initializer=lambda: began.append(current())) as pool:
        with tracium.tenant("acme"):
            first = pool.submit(time.sleep, 0.05)
        seen = queue.Queue()
        first.add_done_callback(lambda _: seen.put(current()))
        with tracium.tenant("globex"):
            first.add_done_callback(lambda _: seen.put(current()))
        assert [seen.get(timeout=5), seen.get(timeout=5)] == [None, "globex"]
    assert began == [None]


def test_a_callback_is_not_that_of_whoever_cancels():
    """It runs in the thread of the one that cancels."""
    seen, future = [], Future()
    with tracium.tenant("acme"):
        future.add_done_callback(lambda _: seen.append(current()))
    with tracium.tenant("globex"):
        future.cancel()
    assert seen == ["acme"]


@pytest.mark.parametrize(
    "way", ["apply", "apply_async", "map", "map_async", "starmap", "starmap_async", "imap", "imap_unordered"]
)
def test_a_thread_pool_of_multiprocessing_serves_each_as_itself(way):
    """Its threads start when it is made."""
    with tracium.tenant("maker"):
        pool = ThreadPool(2)
    with pool:
        for tenant in ("acme", "globex", None):
            with tracium.tenant(tenant):
                if way in {"apply", "apply_async"}:
                    found = getattr(pool, way)(current)
                else:
                    found = getattr(pool, way)(lambda *_: current(), [(1,), (2,)])
            values = found.get() if hasattr(found, "get") else found
            assert values == tenant if way.startswith("apply") else list(values) == [tenant, tenant]


def test_a_queue_listener_is_nobodys():
    """Its thread handles the records of all tenants."""
    seen, records = queue.Queue(), queue.Queue()

    class Handler(logging.Handler):
        def emit(self, record):
            seen.put(current())

    listener = logging.handlers.QueueListener(records, Handler())
    with tracium.tenant("acme"):
        listener.start()
    records.put(logging.makeLogRecord({"msg": "of globex"}))
    assert seen.get(timeout=5) is None
    listener.stop()


def test_carry_binds_each_call_to_its_moment():
    """The pattern for a consumer by hand: one thread that was started for somebody serves all."""
    jobs, seen = queue.Queue(), []

    def consume():
        for job in iter(jobs.get, None):
            job()
            seen.append(("between", current()))

    with tracium.tenant(None):
        worker = threading.Thread(target=consume)
        worker.start()
    for tenant in ("acme", "globex", None):
        with tracium.tenant(tenant):
            jobs.put(tracium.carry(lambda: seen.append(("job", current()))))
    jobs.put(None)
    worker.join()
    assert seen == [
        ("job", "acme"),
        ("between", None),
        ("job", "globex"),
        ("between", None),
        ("job", None),
        ("between", None),
    ]


async def test_carry_serves_every_kind_of_function():
    """And leaves the caller's context alone."""

    def function(suffix):
        return f"{current()}{suffix}"

    async def coroutine():
        await asyncio.sleep(0)
        return current()

    def generator():
        yield current()
        yield current()

    async def async_generator():
        yield current()

    class Callable:
        state = "its own"

        def __call__(self):
            return current()

    with tracium.tenant("acme"):
        carried = [tracium.carry(each) for each in (function, coroutine, generator, async_generator, Callable())]
    with tracium.tenant("globex"):
        assert carried[0]("!") == "acme!"
        assert await carried[1]() == "acme"
        assert list(carried[2]()) == ["acme", "acme"]
        assert [each async for each in carried[3]()] == ["acme"]
        assert carried[4]() == "acme"
        assert current() == "globex"
    assert carried[0].__name__ == "function"


def test_a_pool_of_40_tenants_mixes_nothing(pipeline):
    """1,000 pieces of work on 4 threads, from 8 threads."""

    def submit(pool, number):
        with tracium.tenant(f"t{number % 40}"), pipeline.tracer.start_as_current_span(f"parent {number}"):
            return pool.submit(work, number)

    def work(number):
        pipeline.tracer.start_span(f"work {number}").end()
        return number, current()

    with ThreadPoolExecutor(4) as pool, ThreadPoolExecutor(8) as submitters:
        futures = [submitters.submit(submit, pool, number) for number in range(1000)]
        found = [future.result().result() for future in as_completed(futures)]
    assert all(tenant == f"t{number % 40}" for number, tenant in found)
    spans = {span.name: span for span in pipeline.spans}
    for number in range(1000):
        parent, child = spans[f"parent {number}"], spans[f"work {number}"]
        assert child.attributes["tenant.id"] == f"t{number % 40}"
        assert child.parent.span_id == parent.context.span_id


def in_thread(work):
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()


def in_subclass(work):
    class Worker(threading.Thread):
        def run(self):
            work()

    thread = Worker()
    thread.start()
    thread.join()


def in_timer(work):
    timer = threading.Timer(0, work)
    timer.start()
    timer.join()


WAYS = {
    "Thread": in_thread,
    "Thread subclass with its own run": in_subclass,
    "Timer": in_timer,
    "asyncio.to_thread": lambda work: asyncio.run(asyncio.to_thread(work)),
}


@pytest.mark.parametrize(
    "way", [*WAYS, "ThreadPoolExecutor.submit", "ThreadPoolExecutor.map", "run_in_executor", "ThreadPool"]
)
def test_what_is_carried(way, mechanism, pipeline):
    """The tenant and the trace go along, and the next piece of work there has neither."""
    with contextlib.ExitStack() as stack:
        with tracium.tenant("whoever is served while threads start"):
            executor = stack.enter_context(ThreadPoolExecutor(1))
            pool = stack.enter_context(ThreadPool(1))
            executor.submit(current).result()
        hand_over = WAYS | {
            "ThreadPoolExecutor.submit": lambda work: executor.submit(work).result(),
            "ThreadPoolExecutor.map": lambda work: list(executor.map(lambda _: work(), [None])),
            "run_in_executor": lambda work: asyncio.run(_in_executor(executor, work)),
            "ThreadPool": pool.apply,
        }
        seen = []

        def work():
            with pipeline.tracer.start_as_current_span("work") as span:
                seen.append((current(), (span.attributes or {}).get("tenant.id"), span.get_span_context().trace_id))
            tracium.set_tenant("of the work before")

        for tenant in ("acme", "globex"):
            with tracium.tenant(tenant), pipeline.tracer.start_as_current_span("request") as span:
                hand_over[way](work)
                seen[-1] += (tenant, span.get_span_context().trace_id)
        hand_over[way](work)
    *carried, nobodys = seen
    mechanism(
        way,
        tenant=all(current == marked == tenant for current, marked, _, tenant, _ in carried),
        trace=all(trace == above for _, _, trace, _, above in carried),
        clean=nobodys[:2] == (None, None) and nobodys[2] not in {one[2] for one in carried},
    )


async def _in_executor(executor, work):
    await asyncio.get_running_loop().run_in_executor(executor, work)
