"""The end of the process, with all three signals: one deadline for them, none that costs the others, and true counts."""

from __future__ import annotations

import json
import signal
import socket
import time
from contextlib import contextmanager

import pytest
from support.app import environment, free_port, run_app, started_app
from support.receiver import grpc_receiver, http_receiver

SEND = """
import logging, os, signal, sys, time, tracium
{before}
tracium.init({arguments})
from opentelemetry import metrics, trace
trace.get_tracer("app").start_span("last").end()
logging.getLogger("app").warning("last")
metrics.get_meter("app").create_counter("last").add(1)
{after}
print("ready", time.time(), flush=True)
{end}
"""
ENDS = {
    "exit": "",
    "SIGTERM": "os.kill(os.getpid(), signal.SIGTERM); time.sleep(60)",
    "finish": "from tracium.startup.runtime import runtime; runtime.finish(); os._exit(0)",
}
LATE = {"OTEL_BSP_SCHEDULE_DELAY": "60000", "OTEL_BLRP_SCHEDULE_DELAY": "60000"}
# The first attempt has failed, and the end comes when somebody listens.
BACK = """
import socket
from tracium.startup.runtime import runtime
exporter = runtime.pipeline.batches.exporter
while exporter._underway is None or not exporter._underway.heard:
    time.sleep(0.01)
print("waits", flush=True)
while True:
    try:
        socket.create_connection(("127.0.0.1", int(os.environ["PORT"]))).close()
        break
    except OSError:
        time.sleep(0.01)
"""
ALL = "logs=True, metrics=True"
# Seconds that are more than any machine needs for what takes no time, and less than three times the timeout.
TIMEOUT, BOUND = 4, 9


def send(end, *, arguments=ALL, before="", after=""):
    return SEND.format(before=before, arguments=arguments, after=after, end=ENDS.get(end, end))


def ended(code, env):
    """The seconds that the end took, and what was said."""
    with started_app(code, env) as process:
        out, err = process.communicate(timeout=60)
        over = time.time()
        assert process.returncode in {0, -signal.SIGTERM}, err
    assert out.startswith("ready"), err
    return over - float(out.split()[1]), err


@contextmanager
def hanging():
    """The URL of a port that takes connections and never answers."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(50)
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"


def lost(err):
    return {things for things in ("spans", "log records", "metric points") if f" {things} did not arrive at" in err}


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("protocol", ["http/protobuf", "grpc"])
def test_all_signals_have_one_deadline_together(protocol, end):
    """A destination that hangs costs the timeout once, and everything is told as lost."""
    with hanging() as url:
        seconds, err = ended(
            send(end, arguments=f"{ALL}, endpoint={url!r}, protocol={protocol!r}, flush_timeout={TIMEOUT}"),
            environment(**LATE),
        )
    assert seconds < BOUND
    assert lost(err) == {"spans", "log records", "metric points"}, err


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("protocol", ["http/protobuf", "grpc"])
def test_a_refused_connection_is_final_at_the_end(protocol, end):
    """Nobody waits for a second attempt some seconds later, over gRPC neither."""
    url = f"http://127.0.0.1:{free_port()}"
    seconds, err = ended(
        send(end, arguments=f"{ALL}, endpoint={url!r}, protocol={protocol!r}, flush_timeout=40"), environment(**LATE)
    )
    assert seconds < 20
    assert lost(err) == {"spans", "log records", "metric points"}, err


def test_what_waits_for_another_attempt_over_grpc_is_sent_at_the_end():
    """A destination that comes back: the connection that waits to be made again is not the last word."""
    port = free_port()
    code = send(BACK, arguments="flush_timeout=30")
    env = environment(TRACIUM_ENDPOINT=f"http://127.0.0.1:{port}", TRACIUM_PROTOCOL="grpc", PORT=str(port))
    with started_app(code, env) as process:
        assert process.stdout.readline().startswith("ready")
        assert process.stdout.readline() == "waits\n"
        with grpc_receiver(port=port) as receiver:
            assert process.wait(30) == 0, process.stderr.read()
            assert [span.name for span in receiver.spans] == ["last"]


@pytest.mark.parametrize("end", ["exit", "SIGTERM", "finish", "tracium.flush(3); os._exit(0)"])
@pytest.mark.parametrize("hangs", ["TRACES", "LOGS", "METRICS"])
def test_a_signal_that_hangs_costs_the_others_nothing(hangs, end):
    """Each is sent by a thread of its own."""
    with hanging() as url, http_receiver() as receiver:
        variables = {"OTEL_EXPORTER_OTLP_ENDPOINT": receiver.url, f"OTEL_EXPORTER_OTLP_{hangs}_ENDPOINT": url, **LATE}
        ended(send(end, arguments=f"{ALL}, flush_timeout=3"), environment(**variables))
        arrived = {"TRACES": receiver.spans, "LOGS": receiver.logs, "METRICS": receiver.points_of("last")}
        assert {name: len(things) for name, things in arrived.items()} == {
            name: 0 if name == hangs else 1 for name in arrived
        }


@pytest.mark.parametrize("end", ["exit", "SIGTERM"])
def test_what_is_left_in_the_queue_is_counted_too(end):
    """Not only the batch that was under way when the time was over."""
    with hanging() as url:
        _, err = ended(
            send(
                end,
                arguments=f"endpoint={url!r}, flush_timeout=1",
                after='for _ in range(999): trace.get_tracer("app").start_span("more").end()',
            ),
            environment(**LATE, OTEL_BSP_MAX_EXPORT_BATCH_SIZE="100"),
        )
    assert "1000 of 1000 spans did not arrive" in err, err


def test_a_flush_of_the_apps_own_at_the_end_of_the_interpreter(receiver):
    """Where threads may not begin any more it does without."""
    code = send("atexit.register(lambda: print(tracium.flush()))", before="import atexit")
    told = run_app(code, environment(receiver, **LATE))
    assert (told.stdout.splitlines()[1], told.stderr) == ("True", "last\n")
    assert ([span.name for span in receiver.spans], [log.body for log in receiver.logs]) == (["last"], ["last"])
    # Sums come again with every export.
    assert {point.value for point in receiver.points_of("last")} == {1}


def test_the_report_after_the_end_is_true():
    """What was given up is counted once, also when its export ends later."""
    with hanging() as url:
        code = send(
            "tracium.shutdown(); time.sleep(1); tracium.shutdown()\n"
            "told = tracium.report()\n"
            "print([one.lost for one in (told.destination, told.logs, told.metrics)])",
            arguments=f"{ALL}, endpoint={url!r}, flush_timeout=1",
        )
        assert run_app(code, environment(**LATE)).stdout.splitlines()[1] == "[1, 1, 1]"


@pytest.mark.parametrize("end", ["exit", "SIGTERM"])
def test_a_later_timeout_is_the_one_that_holds(end):
    """Not that of the first call."""
    with hanging() as url:
        seconds, _ = ended(
            send(
                end, arguments=f"endpoint={url!r}, flush_timeout=30", before="", after="tracium.init(flush_timeout=1)"
            ),
            environment(**LATE),
        )
    assert seconds < 15


def test_the_apps_own_providers_are_flushed_where_python_does_not_exit(receiver):
    """At the end of a child process, within the same deadline, although theirs hangs."""
    before = """
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
trace.set_tracer_provider(TracerProvider())
trace.get_tracer_provider().add_span_processor(BatchSpanProcessor(OTLPSpanExporter({url!r} + "/v1/traces")))
"""
    with hanging() as url:
        arguments = f"endpoint={receiver.url!r}, flush_timeout={TIMEOUT}"
        seconds, _ = ended(send("finish", before=before.format(url=url), arguments=arguments), environment(**LATE))
    assert seconds < BOUND
    assert [span.name for span in receiver.spans] == ["last"]
    with http_receiver() as theirs:
        ended(send("finish", before=before.format(url=theirs.url), arguments=arguments), environment(**LATE))
        assert [span.name for span in theirs.spans] == ["last"]


AGAIN = """
import json, os, tracium
try:
    tracium.init(endpoint={url!r}, logs=True, metrics=True)
except tracium.SettingError as error:
    print(error)
print(tracium.report().state)
os.environ.pop({variable!r})
tracium.init(endpoint={url!r}, logs=True, metrics=True)
import logging
from opentelemetry import metrics, trace
with tracium.tenant("acme"):
    trace.get_tracer("app").start_span("sent").end()
    logging.getLogger("app").warning("sent")
    metrics.get_meter("app").create_counter("gen_ai.sent").add(1)
told = tracium.report()
print(json.dumps([told.state, told.joined, told.problems, told.processors]))
"""


@pytest.mark.parametrize(
    ("variable", "value", "words"),
    [
        ("OTEL_TRACES_EXPORTER", "zipkin", "'zipkin' not found"),
        ("OTEL_LOGS_EXPORTER", "zipkin", "'zipkin' not found"),
        ("OTEL_METRICS_EXPORTER", "zipkin", "'zipkin' not found"),
        ("OTEL_BSP_MAX_QUEUE_SIZE", "10", "max_queue_size"),
        ("OTEL_BLRP_MAX_QUEUE_SIZE", "10", "max_queue_size"),
        ("OTEL_CONFIG_FILE", "none.yaml", "opentelemetry-configuration is not installed"),
    ],
)
def test_a_start_that_failed_can_be_made_again(receiver, variable, value, words):
    """It is told with the variable; the next call starts, and everything goes out once."""
    told = run_app(AGAIN.format(url=receiver.url, variable=variable), environment(**{variable: value}))
    said, state, then = told.stdout.splitlines()
    assert words in said
    assert f"Look at {variable}:" in said
    assert state == "not started"
    state, joined, problems, processors = json.loads(then)
    assert (state, joined, problems, len(set(processors))) == ("running", False, [], len(processors))
    assert [(span.name, span.tenant) for span in receiver.spans] == [("sent", "acme")]
    assert [(log.body, log.tenant) for log in receiver.logs] == [("sent", "acme")]
    assert [(point.value, point.tenant) for point in receiver.points_of("gen_ai.sent")] == [(1, "acme")]


def test_what_no_variable_is_known_for_is_told_all_the_same():
    """In the words of the SDK."""
    told = run_app(
        """
        import tracium
        from tracium.startup.sdk_errors import told
        try:
            with told():
                raise ValueError("it cannot be.")
        except tracium.SettingError as error:
            print(error)
        """,
        environment(),
    )
    assert told.stdout.strip() == "OpenTelemetry cannot be set up: it cannot be. Look at the OTEL_* variables."


MOVES = """
import threading, time, tracium
from opentelemetry import trace
tracium.init(endpoint={first!r}, protocol={protocol!r})
trace.get_tracer("app").start_span("one").end()
flushing = threading.Thread(target=tracium.flush)
flushing.start()
while tracium.startup.runtime.runtime.pipeline.batches.exporter._underway is None and flushing.is_alive():
    time.sleep(0.001)
tracium.init(endpoint={second!r})
flushing.join()
trace.get_tracer("app").start_span("two").end()
tracium.flush()
told = tracium.report().destination
print(told.sent, told.lost, told.failure)
"""


@pytest.mark.parametrize(("protocol", "receiving"), [("http/protobuf", http_receiver), ("grpc", grpc_receiver)])
def test_a_batch_that_is_under_way_arrives_where_it_goes(protocol, receiving):
    """A new destination takes what comes after it, and the counts go on."""
    with receiving() as first, receiving() as second:
        first.delay = 0.5
        told = run_app(MOVES.format(first=first.url, second=second.url, protocol=protocol), environment(**LATE))
        assert ([span.name for span in first.spans], [span.name for span in second.spans]) == (["one"], ["two"])
    assert told.stdout.split() == ["2", "0", "None"]


@pytest.mark.parametrize("names", ["otlp,otlp_proto_grpc", "otlp_proto_http,otlp", "otlp"])
def test_several_names_of_one_exporter_send_once(receiver, names):
    """Ours stands for all of them."""
    variables = {f"OTEL_{signal}_EXPORTER": names for signal in ("TRACES", "LOGS", "METRICS")}
    ended(send("exit"), environment(receiver, **variables))
    assert (len(receiver.spans), len(receiver.logs), len(receiver.points_of("last"))) == (1, 1, 1)
