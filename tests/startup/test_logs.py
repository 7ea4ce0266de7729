"""Log records of a whole app, at a real receiver: what goes out, whose it is, and that nothing else changes."""

from __future__ import annotations

import signal

import pytest
from support.app import BIN, environment, run_app, started_app
from support.receiver import grpc_receiver, http_receiver

APP = """
import logging, tracium
tracium.init({arguments})
log = logging.getLogger("app")
with tracium.tenant("acme"):
    log.warning("acme's")
log.warning("nobody's")
"""


def app(arguments="logs=True", more=""):
    return APP.format(arguments=arguments) + more


def told(receiver):
    return [(log.body, log.tenant) for log in receiver.logs]


@pytest.mark.parametrize(("protocol", "receiving"), [("http/protobuf", http_receiver), ("grpc", grpc_receiver)])
def test_logging_goes_out_when_it_is_asked_for(protocol, receiving):
    """By the option, with the tenant and the resource; on standard error the app is as it was."""
    with receiving() as receiver:
        variables = {"TRACIUM_PROTOCOL": protocol, "TRACIUM_API_KEY": "sk_1"}
        ended = run_app(app('logs=True, service_name="shop"'), environment(receiver, **variables))
        assert told(receiver) == [("acme's", "acme"), ("nobody's", None)]
        assert {log.resource["service.name"] for log in receiver.logs} == {"shop"}
        assert {headers["authorization"] for headers in receiver.headers} == {"Bearer sk_1"}
        assert ended.stderr == "acme's\nnobody's\n"


@pytest.mark.parametrize(
    ("arguments", "variables", "goes"),
    [
        ("", {"OTEL_LOGS_EXPORTER": "otlp"}, True),
        ("", {"TRACIUM_LOGS": "true"}, True),
        ("", {}, False),
        ("", {"OTEL_LOGS_EXPORTER": "none"}, False),
        ("", {"OTEL_LOGS_EXPORTER": "otlp", "OTEL_PYTHON_LOG_AUTO_INSTRUMENTATION": "false"}, False),
        ("logs=True", {"OTEL_SDK_DISABLED": "true"}, False),
        ("logs=True, default_tenant='anonymous'", {"OTEL_PYTHON_LOG_HANDLER_LEVEL": "error"}, False),
    ],
)
def test_when_logging_goes_out(receiver, arguments, variables, goes):
    """OpenTelemetry's own variables count too."""
    run_app(app(arguments), environment(receiver, **variables))
    assert told(receiver) == ([("acme's", "acme"), ("nobody's", None)] if goes else [])


def test_with_opentelemetry_instrument(receiver):
    """The app itself knows nothing; the SDK's own switch for a handler is the same wish, and makes no second one."""
    code = "import logging; logging.warning('said')"
    variables = {"OTEL_LOGS_EXPORTER": "otlp", "OTEL_PYTHON_LOGGING_AUTO_INSTRUMENTATION_ENABLED": "true"}
    launcher = [str(BIN / "opentelemetry-instrument")]
    ended = run_app(code, environment(receiver, **variables), launcher=launcher)
    assert len(receiver.logged("said")) == 1
    assert ended.stderr.endswith("WARNING:root:said\n")


CONFIGURED = """
import logging, logging.config, sys, tracium
tracium.init(logs=True)
early = logging.getLogger("early")
logging.basicConfig(format="basic %(message)s", level="INFO", stream=sys.stdout)
early.info("one")
logging.basicConfig(format="forced %(message)s", level="INFO", stream=sys.stdout, force=True)
early.info("two")
LINE = {"line": {"format": "dict %(message)s"}}
OUT = {"out": {"class": "logging.StreamHandler", "stream": "ext://sys.stdout", "formatter": "line"}}
logging.config.dictConfig(
    {"version": 1, "formatters": LINE, "handlers": OUT, "root": {"handlers": ["out"], "level": "WARNING"}}
)
early.warning("disabled, because it was there before")
late = logging.getLogger("late")
late.info("too low")
late.warning("three")
print([type(handler).__name__ for handler in logging.root.handlers], logging.root.level)
"""


def test_logging_may_be_configured_at_any_time(receiver):
    """Whatever takes away the handlers of the root logger, records go out once, and the app's lines are its own."""
    ended = run_app(CONFIGURED, environment(receiver))
    assert [log.body for log in receiver.logs] == ["one", "two", "three"]
    assert ended.stdout.splitlines() == ["basic one", "forced two", "dict three", "['StreamHandler'] 30"]
    assert ended.stderr == ""


def test_an_unsampled_trace_has_its_logs(receiver):
    """With the tenant of the request and the id of the trace, which other services may have kept."""
    more = """
from opentelemetry import trace
with tracium.tenant("globex"), trace.get_tracer("app").start_as_current_span("work"):
    log.warning("unsampled")
"""
    run_app(app(more=more), environment(receiver, OTEL_TRACES_SAMPLER="always_off"))
    (log,) = receiver.logged("unsampled")
    assert (log.tenant, len(log.trace_id), len(log.span_id)) == ("globex", 32, 16)
    assert receiver.spans == []


LOOP = """
import logging, tracium
logging.basicConfig(level="DEBUG")
tracium.init(logs=True, api_key="sk_1")
logging.getLogger("app").warning("once")
from opentelemetry._logs import get_logger_provider
for _ in range(6):
    get_logger_provider().force_flush()
"""


@pytest.mark.parametrize("status", [200, 401])
def test_what_is_logged_about_exports_is_not_exported(status):
    """At the level of urllib3's chatter, with a destination that refuses: one request, and no further."""
    with http_receiver(status=status) as receiver:
        ended = run_app(LOOP, environment(receiver, OTEL_BLRP_SCHEDULE_DELAY="60000"))
        assert receiver.requests == ["/v1/logs"]
    assert ended.stderr.count("rejected the API key, so log records are lost") == (2 if status == 401 else 0)
    assert "urllib3" in ended.stderr


def test_a_receiver_of_spans_alone_is_said(receiver):
    """A backend that stores spans only: its answer to log records is no riddle, and spans go on."""
    code = app(more="from opentelemetry import trace; trace.get_tracer('app').start_span('work').end()")
    with http_receiver(status=404) as none:
        variables = {"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": f"{receiver.url}/v1/traces"}
        variables["OTEL_EXPORTER_OTLP_LOGS_ENDPOINT"] = f"{none.url}/v1/logs"
        ended = run_app(code, environment(**variables))
    assert [span.name for span in receiver.spans] == ["work"]
    assert "answers, but takes no log records" in ended.stderr
    assert "OTEL_LOGS_EXPORTER=none" in ended.stderr


def test_dropped_records_are_said_once_and_counted():
    """The queue is bounded; which variable says how long it is stands in the warning."""
    more = "for _ in range(500): log.warning('many')\nprint(*tracium.report().problems)"
    variables = {"OTEL_BLRP_MAX_QUEUE_SIZE": "50", "OTEL_BLRP_MAX_EXPORT_BATCH_SIZE": "50"}
    with http_receiver(delay=0.2) as receiver:
        ended = run_app(app(more=more), environment(receiver, **variables))
    assert ended.stderr.count("OTEL_BLRP_MAX_QUEUE_SIZE") == 1, ended.stderr
    assert "times)" in ended.stdout


FORKED = """
import logging, os, sys, tracium
tracium.init(logs=True)
log = logging.getLogger("app")
with tracium.tenant("parent"):
    log.warning("before")
    for tenant in ("acme", "globex"):
        child = os.fork()
        if not child:
            with tracium.tenant(tenant):
                log.warning(tenant)
            log.warning("the parent's context")
            tracium.shutdown()
            os._exit(0)
        os.waitpid(child, 0)
log.warning("after")
"""


@pytest.mark.parametrize(("protocol", "receiving"), [("http/protobuf", http_receiver), ("grpc", grpc_receiver)])
def test_forked_children_send_their_own(protocol, receiving):
    """As workers of gunicorn are made: what waits in the parent is sent once."""
    with receiving() as receiver:
        run_app(FORKED, environment(receiver, TRACIUM_PROTOCOL=protocol, OTEL_BLRP_SCHEDULE_DELAY="60000"))
        assert sorted(told(receiver), key=str) == sorted(
            [
                ("acme", "acme"),
                ("globex", "globex"),
                *2 * [("the parent's context", "parent")],
                ("before", "parent"),
                ("after", None),
            ],
            key=str,
        )


def test_processes_of_multiprocessing_send_their_own(receiver, tmp_path):
    """Also spawned ones, which are set up alike; a listener in the parent that logs again makes no second record."""
    script = tmp_path / "app.py"
    script.write_text("""
import logging, logging.handlers, multiprocessing, tracium

def work(records, tenant):
    logging.root.addHandler(logging.handlers.QueueHandler(records))
    with tracium.tenant(tenant):
        logging.getLogger("app").warning(tenant)

class Again(logging.Handler):
    def emit(self, record):
        logging.getLogger("again").handle(record)

if __name__ == "__main__":
    tracium.trace(logs=True)
    context = multiprocessing.get_context("spawn")
    records = context.Queue()
    listener = logging.handlers.QueueListener(records, Again())
    listener.start()
    processes = [context.Process(target=work, args=(records, tenant)) for tenant in ("acme", "globex")]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    listener.stop()
""")
    code = f"import runpy, sys; sys.argv = [{str(script)!r}]; runpy.run_path({str(script)!r}, run_name='__main__')"
    run_app(code, environment(receiver, OTEL_PYTHON_DISABLED_INSTRUMENTATIONS="*"), launcher=())
    assert sorted(told(receiver)) == [("acme", "acme"), ("globex", "globex")]


SERVING = """
import logging, time, tracium
tracium.init(logs=True)
logging.getLogger("app").warning("last")
print("ready")
while True:
    time.sleep(0.05)
"""


def test_sigterm_sends_the_last_records(receiver):
    """And the process ends by it as before."""
    with started_app(SERVING, environment(receiver, OTEL_BLRP_SCHEDULE_DELAY="60000")) as process:
        assert process.stdout.readline() == "ready\n"
        process.send_signal(signal.SIGTERM)
        assert process.wait(15) == -signal.SIGTERM
    assert [log.body for log in receiver.logs] == ["last"]


def test_a_later_option_takes_effect():
    """Logs that are asked for later, a later destination, a later default tenant."""
    code = """
import logging, tracium
tracium.init()
logging.warning("not yet")
tracium.init(logs=True)
logging.warning("one")
tracium.init(endpoint={second!r}, default_tenant="anonymous", service_name="shop")
logging.warning("two")
"""
    with http_receiver() as first, http_receiver() as second:
        # Records wait in one queue, and go where the destination is when they are sent.
        variables = {"OTEL_BLRP_SCHEDULE_DELAY": "60000"}
        run_app(code.format(second=second.url), environment(first, **variables))
        assert told(first) == []
        assert told(second) == [("one", None), ("two", "anonymous")]
        assert {log.resource["service.name"] for log in second.logs} == {"shop"}


OWN = """
import logging, tracium
from opentelemetry import _logs, trace
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import LogRecordExporter, LogRecordExportResult, SimpleLogRecordProcessor
exported = []

class AtOnce(LogRecordExporter):
    def export(self, batch):
        exported.extend((log.log_record.body, log.log_record.attributes.get("tenant.id")) for log in batch)
        return LogRecordExportResult.SUCCESS

    def shutdown(self):
        pass

    def force_flush(self, timeout_millis=30_000):
        return True

exporter = AtOnce()

def own():
    provider = LoggerProvider()
    provider.add_log_record_processor(SimpleLogRecordProcessor(exporter))
    _logs.set_logger_provider(provider)

{calls}
with tracium.tenant("acme"):
    _logs.get_logger("events").emit(_logs.LogRecord(body="event", event_name="made"))
    logging.getLogger("app").warning("logged")
print(exported)
"""
EVENT, BOTH = [("event", "acme")], [("event", "acme"), ("logged", "acme")]


@pytest.mark.parametrize(
    ("calls", "variables", "kept", "sent"),
    [
        ("own(); tracium.init()", {}, EVENT, []),
        ("tracium.init(); own()", {}, EVENT, []),
        ("own(); tracium.init(logs=True)", {}, BOTH, BOTH),
        ("own(); tracium.init()", {"TRACIUM_ENDPOINT": "", "OTEL_LOGS_EXPORTER": "otlp"}, BOTH, []),
    ],
    ids=["before", "after", "before, with logs", "before, exporting elsewhere"],
)
def test_the_provider_of_the_app_is_kept(receiver, calls, variables, kept, sent):
    """Its records are marked before its own processors export them, which may be at once."""
    ended = run_app(OWN.format(calls=calls), environment(receiver, **variables))
    assert ended.stdout == f"{kept}\n"
    assert told(receiver) == sent
    assert ended.stderr == "logged\n"


def test_a_provider_beside_the_apps_own_tracer_provider(receiver):
    """Where the app has one for traces alone, ours for logs has its resource."""
    calls = """
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
trace.set_tracer_provider(TracerProvider(resource=Resource({"service.name": "theirs"})))
tracium.init(logs=True, environment="tests")
"""
    run_app(OWN.format(calls=calls), environment(receiver))
    assert told(receiver) == BOTH
    assert {(log.resource["service.name"], log.resource["deployment.environment.name"]) for log in receiver.logs} == {
        ("theirs", "tests")
    }


def test_processors_that_run_side_by_side_are_said(receiver):
    """Nothing can come before them, and it is not passed over."""
    calls = """
from opentelemetry.sdk._logs import ConcurrentMultiLogRecordProcessor
provider = LoggerProvider(multi_log_record_processor=ConcurrentMultiLogRecordProcessor())
provider.add_log_record_processor(SimpleLogRecordProcessor(exporter))
_logs.set_logger_provider(provider)
tracium.init()
"""
    ended = run_app(OWN.format(calls=calls), environment(receiver))
    assert "log records may go out without tenant.id" in ended.stderr
