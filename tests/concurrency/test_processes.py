"""What is handed to processes takes its tenant and its trace along, and every process exports its own spans."""

from __future__ import annotations

import json
import pickle
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from opentelemetry import baggage
from opentelemetry.context import Context, attach, get_current
from opentelemetry.trace import get_current_span
from support.app import environment, run_app, started_app
from support.receiver import grpc_receiver, http_receiver

import tracium
from tracium.tenancy.arrival import Arrival
from tracium.tenancy.parcel import Parcel

APP = Path(__file__).parents[1] / "support" / "apps" / "processes_app.py"
METHODS = ["fork", "forkserver", "spawn"]
KINDS = {
    "process": "Process",
    "subclass": "Process subclass with its own run",
    "executor": "ProcessPoolExecutor.submit",
    "executor_map": "ProcessPoolExecutor.map",
    "pool": "multiprocessing.Pool.apply_async",
    "pool_map": "multiprocessing.Pool.map",
    "pool_imap": "multiprocessing.Pool.imap_unordered",
    "pool_starmap": "multiprocessing.Pool.starmap",
}


def run_processes(method, kind, receiver, **variables):
    ended = subprocess.run(
        [sys.executable, str(APP), method, kind],
        env=environment(receiver, **variables),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr[-4000:]
    assert ended.stderr == ""
    return json.loads(ended.stdout)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("method", METHODS)
def test_work_takes_its_tenant_and_trace_along(method, kind, mechanism):
    """Whoever was served when the worker was started, and whatever the work before it set; no span is lost or sent twice."""
    guarded = "1" if method == "spawn" or kind == "executor" else ""
    with http_receiver() as receiver:
        seen = run_processes(method, kind, receiver, GUARDED=guarded)
        spans = {span.name: span for span in receiver.wait_for(12)}
    assert Counter(span.name for span in receiver.spans) == Counter(
        [one["label"] for one in seen] + [f"request {number}" for number in range(4)]
    )
    assert all(one["child"] for one in seen)
    tenants = [(one["tenant"], spans[one["label"]].tenant) for one in seen]
    carried = [one for one in seen if one["for"] is not None]
    nobodys = [one for one in seen if one["for"] is None]
    traces = {one["trace"] for one in carried}
    mechanism(
        f"{KINDS[kind]}: {method}",
        tenant=all(spans[one["label"]].tenant == one["tenant"] == one["for"] for one in carried),
        trace=all(spans[one["label"]].trace_id == one["trace"] == one["expected"] for one in carried),
        clean=all(
            one["tenant"] is None and spans[one["label"]].tenant is None and one["trace"] not in traces
            for one in nobodys
        ),
    )
    assert tenants == [(one["for"], one["for"]) for one in seen]
    assert {span.resource["service.name"] for span in receiver.spans} == {"app"}


@pytest.mark.parametrize("protocol", ["http/protobuf", "grpc"])
def test_forking_while_spans_are_exported_does_not_hang(protocol):
    """Neither the parent nor a child; each child has connections of its own, and its spans arrive once."""
    with grpc_receiver() if protocol == "grpc" else http_receiver(delay=0.01) as receiver:
        run_app(
            """
            import os, sys, threading
            import tracium
            from opentelemetry import trace
            tracium.trace()
            tracer = trace.get_tracer("app")
            for number in range(300):
                tracer.start_span(f"before {number}").end()
            children = []
            stop = threading.Event()
            def busy():
                while not stop.is_set():
                    tracium.flush(1)
            thread = threading.Thread(target=busy)
            thread.start()
            for number in range(10):
                with tracium.tenant(f"tenant {number}"), tracer.start_as_current_span(f"parent {number}"):
                    pid = os.fork()
                    if pid == 0:
                        for each in range(20):
                            tracer.start_span(f"child {number} {each}").end()
                        # leaves the block of the span that its parent ends
                        sys.exit()
                    children.append(pid)
            assert [os.waitpid(pid, 0)[1] for pid in children] == [0] * 10
            stop.set()
            thread.join()
            """,
            environment(receiver, OTEL_EXPORTER_OTLP_PROTOCOL=protocol, OTEL_BSP_SCHEDULE_DELAY="5"),
        )
        receiver.wait_for(510)
    expected = [f"before {number}" for number in range(300)] + [f"parent {number}" for number in range(10)]
    expected += [f"child {number} {each}" for number in range(10) for each in range(20)]
    assert Counter(span.name for span in receiver.spans) == Counter(expected)
    for span in receiver.spans:
        kind, number, *_ = span.name.split()
        assert span.tenant == (None if kind == "before" else f"tenant {number}")


def test_a_child_exports_what_began_there_although_it_says_earlier():
    """A span whose start is given afterwards is the child's own; one that was open in the parent is not."""
    with http_receiver() as receiver:
        run_app(
            """
            import os, time
            import tracium
            from opentelemetry import trace
            tracium.trace()
            tracer = trace.get_tracer("app")
            inherited = tracer.start_span("inherited")
            pid = os.fork()
            if pid == 0:
                tracer.start_span("given", start_time=time.time_ns() - 10**9).end()
                inherited.end()
                raise SystemExit
            os.waitpid(pid, 0)
            inherited.end()
            """,
            environment(receiver),
        )
        receiver.wait_for(2)
    assert sorted(span.name for span in receiver.spans) == ["given", "inherited"]


def test_a_forked_child_that_is_asked_to_end_sends_its_spans():
    """As its parent does."""
    with http_receiver() as receiver:
        run_app(
            """
            import multiprocessing, os, signal
            import tracium
            from opentelemetry import trace
            tracium.trace()
            def work(ready):
                trace.get_tracer("app").start_span("work").end()
                ready.set()
                signal.pause()
            context = multiprocessing.get_context("fork")
            ready = context.Event()
            process = context.Process(target=work, args=(ready,))
            process.start()
            ready.wait()
            process.terminate()
            process.join()
            assert process.exitcode == -signal.SIGTERM, process.exitcode
            """,
            environment(receiver, OTEL_BSP_SCHEDULE_DELAY="60000"),
        )
        receiver.wait_for(1)
    assert [span.name for span in receiver.spans] == ["work"]


def test_a_child_that_is_killed_loses_only_what_it_had_not_sent():
    """Its parent's spans arrive, and those of the children after it."""
    with http_receiver() as receiver:
        with started_app(
            """
            import os, signal, time
            import tracium
            from opentelemetry import trace
            tracium.trace()
            tracer = trace.get_tracer("app")
            for number in range(2):
                pid = os.fork()
                if pid == 0:
                    tracer.start_span(f"child {number}").end()
                    if number == 0:
                        os.kill(os.getpid(), signal.SIGKILL)
                    raise SystemExit
                os.waitpid(pid, 0)
            tracer.start_span("parent").end()
            """,
            environment(receiver, OTEL_BSP_SCHEDULE_DELAY="60000"),
        ) as process:
            assert process.wait(30) == 0
        receiver.wait_for(2)
    assert sorted(span.name for span in receiver.spans) == ["child 1", "parent"]


def test_a_manager_serves_everybody():
    """Its process is nobody's, whoever was served when it was started."""
    with http_receiver() as receiver:
        ended = run_app(
            """
            import multiprocessing.managers
            import tracium
            tracium.trace()
            class Manager(multiprocessing.managers.BaseManager):
                pass
            Manager.register("tenant", tracium.get_current_tenant)
            with tracium.tenant("acme"):
                manager = Manager(ctx=multiprocessing.get_context("fork"))
                manager.start()
                print(manager.tenant()._getvalue())
                manager.shutdown()
            """,
            environment(receiver),
        )
    assert ended.stdout == "None\n"


def test_it_can_be_disabled():
    """By the name `multiprocessing`; then a pool's worker has nothing."""
    with http_receiver() as receiver:
        ended = run_app(
            """
            import multiprocessing
            import tracium
            tracium.trace()
            pool = multiprocessing.get_context("fork").Pool(1)
            with tracium.tenant("acme"):
                print(pool.apply(tracium.get_current_tenant))
            pool.close()
            pool.join()
            """,
            environment(receiver, OTEL_PYTHON_DISABLED_INSTRUMENTATIONS="multiprocessing"),
        )
    assert ended.stdout == "None\n"


def test_children_send_the_spans_of_the_apps_own_provider():
    """Also those that another processor has not exported yet."""
    with http_receiver() as receiver:
        run_app(
            """
            import multiprocessing, os
            from opentelemetry import trace
            from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
            from opentelemetry.sdk.trace import TracerProvider
            from opentelemetry.sdk.trace.export import BatchSpanProcessor
            provider = TracerProvider()
            provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(os.environ["RECEIVER"] + "/v1/traces")))
            trace.set_tracer_provider(provider)
            import tracium
            tracium.trace()
            def work():
                trace.get_tracer("app").start_span("work").end()
            process = multiprocessing.get_context("fork").Process(target=work)
            with tracium.tenant("acme"):
                process.start()
            process.join()
            """,
            environment(RECEIVER=receiver.url, OTEL_BSP_SCHEDULE_DELAY="60000"),
        )
        receiver.wait_for(1)
    assert [(span.name, span.tenant) for span in receiver.spans] == [("work", "acme")]


def carried(context=None):
    """A context that has been to another process."""
    return pickle.loads(pickle.dumps(Parcel.of(get_current() if context is None else context))).context()


def test_a_parcel_holds_what_was_said(pipeline):
    """The span, other baggage, and the tenant."""
    attach(baggage.set_baggage("color", "blue", baggage.set_baggage("object", object())))
    with pipeline.tracer.start_as_current_span("work") as span, tracium.tenant("acme"):
        context = carried()
    attach(context)
    assert tracium.get_current_tenant() == "acme"
    assert dict(baggage.get_all()) == {"color": "blue", "tenant.id": "acme"}
    there = get_current_span().get_span_context()
    here = span.get_span_context()
    assert there.is_remote
    assert (there.trace_id, there.span_id, there.trace_flags) == (here.trace_id, here.span_id, here.trace_flags)


def test_a_parcel_of_nothing_is_nothing():
    """No trace is made up."""
    context = carried(Context())
    assert get_current_span(context).get_span_context().is_valid is False
    attach(context)
    assert tracium.get_current_tenant() is None


@pytest.mark.parametrize("state", ["bound", "cleared", "none", "mixed", "default"])
def test_work_of_a_request_belongs_to_it(state, make_pipeline):
    """In another process too: cleared, in a block for none, with a second tenant, and with a default."""
    pipeline = make_pipeline(default="everybody")
    arrival = Arrival(object(), get_current())
    attach(arrival.context)
    if state == "default":
        arrival.default = "anonymous"
    else:
        arrival.bind("acme")
    if state == "cleared":
        tracium.set_tenant(None)
    if state == "mixed":
        arrival.bind("globex")
    if state == "none":
        with tracium.tenant(None):
            context = carried()
    else:
        context = carried()
    attach(context)
    current = tracium.get_current_tenant()
    pipeline.tracer.start_span("work").end()
    assert (current, (pipeline.span("work").attributes or {}).get("tenant.id")) == {
        "bound": ("acme", "acme"),
        "cleared": (None, "acme"),
        "none": (None, None),
        "mixed": (None, None),
        "default": (None, "anonymous"),
    }[state]


def test_a_process_that_cannot_be_started_is_none_of_ours():
    """The error is Python's own, and nothing of ours stays on the process object."""
    ended = run_app(
        """
        import multiprocessing
        import tracium
        tracium.trace()
        process = multiprocessing.get_context("spawn").Process(target=lambda: None)
        with tracium.tenant("acme"):
            try:
                process.start()
            except Exception as error:
                print(type(error).__name__)
        print([name for name in vars(process) if "tracium" in name])
        """,
        environment(TRACIUM_ENDPOINT="http://127.0.0.1:9", OTEL_TRACES_EXPORTER="none"),
    )
    assert ended.stdout.splitlines()[-1] == "[]"
