"""What is said, and what is not held up, when spans do not arrive."""

from __future__ import annotations

import signal
import time

import pytest
from support.app import environment, free_port, run_app, started_app
from support.receiver import grpc_receiver, http_receiver

APP = """
import logging, tracium
logging.basicConfig(format="%(levelname)s %(name)s %(message)s")
tracium.init({arguments})
from opentelemetry import trace
tracer = trace.get_tracer("app")
for _ in range({count}):
    tracer.start_span("work").end()
    {between}
"""


def app(*, arguments="", count=1, between="pass"):
    return APP.format(arguments=arguments, count=count, between=between)


@pytest.mark.parametrize(
    ("status", "said"),
    [
        (401, "rejected the API key"),
        (403, "rejected the API key"),
        (404, "answers, but not to OTLP"),
        (301, "redirects to https://elsewhere.example/"),
        (400, "refused the spans"),
        (500, "Look at the receiver's own log"),
    ],
)
def test_an_answer_that_is_not_ok_is_said_once_with_the_cure(status, said):
    """Several failing batches, one sentence; no flood from the exporter."""
    with http_receiver(status=status) as receiver:
        ended = run_app(app(arguments='api_key="sk_1"', count=5, between="tracium.flush()"), environment(receiver))
        assert len(receiver.headers) == 5
    lines = [line for line in ended.stderr.splitlines() if "Failed to export" not in line]
    assert len([line for line in lines if said in line and "did not arrive" not in line]) == 1, ended.stderr
    assert "Failed to export" not in ended.stderr
    assert "5 of 5 spans did not arrive" in ended.stderr


def test_credentials_are_asked_for_when_no_key_is_set():
    """Without a key a 401 means something else."""
    with http_receiver(status=401) as receiver:
        ended = run_app(app(), environment(receiver))
    assert "wants credentials" in ended.stderr


@pytest.mark.parametrize("protocol", ["http/protobuf", "grpc"])
def test_an_endpoint_that_is_down_holds_up_nothing(protocol):
    """The app is not slowed, the log has one warning, the exit is quick."""
    url = f"http://127.0.0.1:{free_port()}"
    started = time.monotonic()
    ended = run_app(
        app(arguments=f"endpoint={url!r}, protocol={protocol!r}, flush_timeout=2", count=3000), environment()
    )
    assert time.monotonic() - started < 20
    assert ended.stderr.count("cannot be reached") <= 2, ended.stderr
    assert "tracium serve" in ended.stderr
    assert "Transient" not in ended.stderr


def test_an_endpoint_that_hangs_does_not_hold_up_the_exit():
    """The end of the process waits for the flush timeout and no longer."""
    with http_receiver(delay=60) as receiver:
        ended = run_app(
            app(arguments="flush_timeout=1") + "import time; print(time.time())",
            environment(receiver, TRACIUM_FLUSH_TIMEOUT="30"),
        )
        assert time.time() - float(ended.stdout) < 6


def test_dropped_spans_are_said_once_and_counted():
    """A queue that is full is one warning with the name of the setting."""
    with http_receiver(delay=1) as receiver:
        ended = run_app(
            app(count=5000) + "print(*tracium.report().problems)\n",
            environment(receiver, OTEL_BSP_MAX_QUEUE_SIZE="100", OTEL_BSP_MAX_EXPORT_BATCH_SIZE="50"),
        )
    assert ended.stderr.count("OTEL_BSP_MAX_QUEUE_SIZE") == 1, ended.stderr
    assert "times)" in ended.stdout


def test_flush_tells_whether_everything_was_sent():
    """`flush` sends at once, in time, and says if it did not."""
    with http_receiver() as receiver:
        ended = run_app(app() + "print(tracium.flush(5), tracium.report().destination.sent)", environment(receiver))
        assert ended.stdout.split() == ["True", "1"]
    with http_receiver(delay=30) as receiver:
        ended = run_app(
            app(arguments="flush_timeout=0.5")
            + "import time; begun = time.monotonic(); print(tracium.flush(0.5), time.monotonic() - begun < 5)",
            environment(receiver),
        )
        assert ended.stdout.split() == ["False", "True"]


def test_flush_and_shutdown_have_async_forms():
    """Async code goes on while spans are sent."""
    with http_receiver() as receiver:
        ended = run_app(
            """
            import asyncio, tracium
            from opentelemetry import trace
            tracium.init()

            async def main():
                trace.get_tracer("app").start_span("work").end()
                print(await tracium.aflush())
                trace.get_tracer("app").start_span("last").end()
                await tracium.ashutdown()

            asyncio.run(main())
            """,
            environment(receiver),
        )
        assert ended.stdout.strip() == "True"
        assert [span.name for span in receiver.spans] == ["work", "last"]
        assert ended.stderr == ""


SERVING = """
import signal, sys, time
{before}
import tracium
tracium.trace()
{after}
from opentelemetry import trace
trace.get_tracer("app").start_span("last").end()
print("ready")
while True:
    time.sleep(0.05)
"""


@pytest.mark.parametrize(
    ("before", "after", "code"),
    [
        ("", "", -signal.SIGTERM),
        ("signal.signal(signal.SIGTERM, lambda *_: sys.exit(3))", "", 3),
        ("", "signal.signal(signal.SIGTERM, lambda *_: sys.exit(4))", 4),
        ("from gevent import monkey; monkey.patch_all()", "", -signal.SIGTERM),
    ],
    ids=["no handler", "the app's handler before", "the app's handler after", "gevent"],
)
def test_sigterm_sends_the_last_spans_and_ends_as_before(before, after, code):
    """Handlers are chained, never replaced, and the exit code stays what it was."""
    variables = {"OTEL_BSP_SCHEDULE_DELAY": "60000"}
    with http_receiver() as receiver:
        with started_app(SERVING.format(before=before, after=after), environment(receiver, **variables)) as process:
            assert process.stdout.readline() == "ready\n"
            process.send_signal(signal.SIGTERM)
            assert process.wait(15) == code
        assert [span.name for span in receiver.spans] == ["last"]


def test_what_is_under_way_when_a_server_is_asked_to_end_is_sent():
    """A server's own handler ends it when its requests are done, and their spans end after the signal."""
    before = (
        "signal.signal(signal.SIGTERM, lambda *_: (trace.get_tracer('app').start_span('under way').end(), sys.exit(0)))"
    )
    with http_receiver() as receiver:
        environ = environment(receiver, OTEL_BSP_SCHEDULE_DELAY="60000")
        with started_app(SERVING.format(before=before, after=""), environ) as process:
            assert process.stdout.readline() == "ready\n"
            process.send_signal(signal.SIGTERM)
            assert process.wait(15) == 0
        assert [span.name for span in receiver.spans] == ["last", "under way"]


def test_sigterm_that_is_ignored_stays_ignored():
    """We never make a process end that would not."""
    with http_receiver() as receiver:
        code = SERVING.format(before="signal.signal(signal.SIGTERM, signal.SIG_IGN)", after="")
        with started_app(code, environment(receiver)) as process:
            assert process.stdout.readline() == "ready\n"
            process.send_signal(signal.SIGTERM)
            receiver.wait_for(1)
            assert process.poll() is None


def test_grpc_says_why_it_failed():
    """A gRPC server without the trace service is not an OTLP receiver."""
    import grpc

    server = grpc.server(__import__("concurrent.futures").futures.ThreadPoolExecutor(1))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        ended = run_app(
            app(arguments=f'endpoint="http://127.0.0.1:{port}", protocol="grpc"'), environment(), timeout=30
        )
    finally:
        server.stop(None).wait()
    assert "answers, but not to OTLP" in ended.stderr


def test_spans_arrive_over_grpc_without_warnings():
    """Nothing is said when all is well."""
    with grpc_receiver() as receiver:
        ended = run_app(app(arguments=f'endpoint="{receiver.url}", protocol="grpc"'), environment())
    assert (len(receiver.spans), ended.stderr) == (1, "")
