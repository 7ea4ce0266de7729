"""What `init` and `trace` make of a process, seen from outside: by what arrives over OTLP."""

from __future__ import annotations

import pytest
from support.app import BIN, environment, run_app
from support.receiver import grpc_receiver, http_receiver

SPAN = """
from opentelemetry import trace
tracium.set_tenant("acme")
trace.get_tracer("app").start_span("work").end()
"""


def test_init_exports_and_patches_nothing(receiver):
    """`init` configures and exports; no library is touched."""
    run_app(
        f"""
        import threading
        run = threading.Thread.run
        import tracium
        tracium.init(default_version="1.2.3", service_name="shop", environment="test")
        assert threading.Thread.run is run
        {"".join(chr(10) + "        " + line for line in SPAN.strip().splitlines())}
        """,
        environment(receiver),
    )
    (span,) = receiver.spans
    assert (span.name, span.tenant) == ("work", "acme")
    assert span.resource["service.version"] == "1.2.3"
    assert span.resource["service.name"] == "shop"
    assert span.resource["deployment.environment.name"] == "test"
    assert span.resource["telemetry.distro.name"] == "tracium"


def test_trace_merges_with_an_earlier_init_and_is_idempotent(receiver):
    """Nothing is lost, nothing is said twice, one exporter."""
    ended = run_app(
        "import tracium\n"
        'tracium.init(api_key="sk_1", default_version="7")\n'
        "tracium.trace()\n"
        "tracium.trace()\n"
        'tracium.trace(service_name="late")\n' + SPAN,
        environment(receiver),
    )
    (span,) = receiver.spans
    assert span.resource["service.version"] == "7"
    assert span.resource["service.name"] == "late"
    assert receiver.headers[0]["authorization"] == "Bearer sk_1"
    assert "verriding" not in ended.stderr
    assert "already" not in ended.stderr


def test_the_key_is_never_sent_to_an_otel_endpoint(receiver):
    """The key goes to tracium endpoints only; that it is not sent is said."""
    ended = run_app(
        'import tracium, logging\nlogging.basicConfig()\ntracium.init(api_key="sk_1")\n' + SPAN,
        environment(OTEL_EXPORTER_OTLP_ENDPOINT=receiver.url),
    )
    assert [span.name for span in receiver.spans] == ["work"]
    assert all("authorization" not in headers for headers in receiver.headers)
    assert "The API key is not sent" in ended.stderr


def test_otel_variables_are_respected(receiver):
    """Headers, resource attributes, limits and sampler come from the environment as with the plain SDK."""
    run_app(
        "import tracium\ntracium.init()\n" + SPAN,
        environment(
            OTEL_EXPORTER_OTLP_TRACES_ENDPOINT=f"{receiver.url}/v1/traces",
            OTEL_EXPORTER_OTLP_HEADERS="x-team=blue",
            OTEL_RESOURCE_ATTRIBUTES="team=blue",
            OTEL_SERVICE_NAME="from-otel",
        ),
    )
    (span,) = receiver.spans
    assert (span.resource["team"], span.resource["service.name"]) == ("blue", "from-otel")
    assert receiver.headers[0]["x-team"] == "blue"


@pytest.mark.parametrize("protocol", ["http/protobuf", "grpc"])
@pytest.mark.parametrize("key", ["", "sk_1"])
def test_secrets_of_another_endpoint_are_not_sent_to_ours(protocol, key):
    """OTEL_EXPORTER_OTLP_HEADERS belong to OTEL_EXPORTER_OTLP_ENDPOINT when both are set; alone they are for us."""
    secret = {
        "OTEL_EXPORTER_OTLP_HEADERS": "x-vendor-key=secret,Authorization=Basic%20other",
        "TRACIUM_PROTOCOL": protocol,
    }
    for other, sent in (("http://vendor.example:4318", False), ("", True)):
        with grpc_receiver() if protocol == "grpc" else http_receiver() as receiver:
            variables = {**secret, "OTEL_EXPORTER_OTLP_ENDPOINT": other, "TRACIUM_API_KEY": key}
            run_app("import tracium\ntracium.init()\n" + SPAN, environment(receiver, **variables))
        (headers,) = receiver.headers
        assert ("secret" in headers.values()) is (sent and not (protocol == "grpc" and key))
        assert headers.get("authorization") == ("Bearer sk_1" if key else "Basic other" if sent else None)


@pytest.mark.parametrize("exporters", ["none", "console"])
def test_otel_traces_exporter_is_respected(receiver, exporters):
    """With none, nothing is exported; with console, spans are printed; no OTLP exporter is added."""
    ended = run_app(
        "import tracium\ntracium.init()\n" + SPAN,
        environment(OTEL_EXPORTER_OTLP_ENDPOINT=receiver.url, OTEL_TRACES_EXPORTER=exporters),
    )
    assert receiver.spans == []
    assert ('"tenant.id": "acme"' in ended.stdout) is (exporters == "console")


def test_otlp_named_as_exporter_is_sent_once(receiver):
    """OTEL_TRACES_EXPORTER=otlp is what we do anyway."""
    run_app("import tracium\ntracium.trace()\n" + SPAN, environment(receiver, OTEL_TRACES_EXPORTER="otlp"))
    assert len(receiver.spans) == 1


@pytest.mark.parametrize("how", ["argument", "TRACIUM_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL"])
def test_spans_go_over_grpc(how):
    """The protocol is an option, and the key travels as metadata."""
    argument = ', protocol="grpc"' if how == "argument" else ""
    with grpc_receiver() as receiver:
        variables = {} if how == "argument" else {how: "grpc"}
        run_app(f'import tracium\ntracium.init(api_key="sk_1"{argument})\n' + SPAN, environment(receiver, **variables))
    assert [(span.name, span.tenant) for span in receiver.spans] == [("work", "acme")]
    assert receiver.headers[0]["authorization"] == "Bearer sk_1"


def test_a_provider_that_exports_gets_tenants_but_no_second_exporter(receiver):
    """The app's own provider is joined."""
    own = """
import tracium
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
memory = InMemorySpanExporter()
trace.set_tracer_provider(TracerProvider())
trace.get_tracer_provider().add_span_processor(SimpleSpanProcessor(memory))
tracium.trace()
"""
    show = 'print([(s.name, s.attributes.get("tenant.id")) for s in memory.get_finished_spans()])'
    ended = run_app(own + SPAN + show, environment(OTEL_EXPORTER_OTLP_ENDPOINT=receiver.url))
    assert "[('work', 'acme')]" in ended.stdout
    assert receiver.spans == []
    run_app(own + SPAN, environment(receiver))
    assert [span.tenant for span in receiver.spans] == ["acme"]


def test_a_provider_of_the_apps_own_without_exporter_gets_ours(receiver):
    """A bare provider exports nothing, which nobody wants."""
    run_app(
        "import tracium\nfrom opentelemetry import trace\nfrom opentelemetry.sdk.trace import TracerProvider\n"
        'trace.set_tracer_provider(TracerProvider())\ntracium.trace(default_version="3")\n' + SPAN,
        environment(OTEL_EXPORTER_OTLP_ENDPOINT=receiver.url),
    )
    (span,) = receiver.spans
    assert span.resource["service.version"] == "3"


def test_a_provider_that_is_not_the_sdks_is_named(receiver):
    """What cannot be marked there is said, and the app goes on."""
    ended = run_app(
        """
        import logging, tracium
        logging.basicConfig()
        from opentelemetry import trace

        class Own(trace.TracerProvider):
            def get_tracer(self, *args, **kwargs):
                return trace.NoOpTracer()

        trace.set_tracer_provider(Own())
        tracium.trace()
        tracium.set_tenant("acme")
        print(tracium.get_current_tenant(), tracium.report().problems)
        """,
        environment(receiver),
    )
    assert ended.stdout.startswith("acme")
    assert "__main__.Own" in ended.stderr
    assert "__main__.Own" in ended.stdout


@pytest.mark.parametrize("exporter", ["", "none", "console"])
def test_metrics_and_logs_that_nothing_exports_have_no_provider(receiver, exporter):
    """The app may set its own later; what somebody asks for is there."""
    ended = run_app(
        """
        import logging, tracium
        logging.basicConfig()
        tracium.trace()
        from opentelemetry import _logs, metrics
        from opentelemetry.sdk._logs import LoggerProvider
        from opentelemetry.sdk.metrics import MeterProvider
        made = [hasattr(each, "force_flush") for each in (metrics.get_meter_provider(), _logs.get_logger_provider())]
        if not any(made):
            mine = MeterProvider(), LoggerProvider()
            metrics.set_meter_provider(mine[0])
            _logs.set_logger_provider(mine[1])
            assert (metrics.get_meter_provider(), _logs.get_logger_provider()) == mine
        print(*made)
        """,
        environment(receiver, OTEL_METRICS_EXPORTER=exporter, OTEL_LOGS_EXPORTER=exporter),
    )
    assert ended.stdout.split()[:2] == [str(exporter == "console")] * 2
    assert ended.stderr == ""


def test_sdk_disabled_means_no_thread_no_patch_no_export(receiver):
    """OTEL_SDK_DISABLED=true: only the tenant in the context works."""
    run_app(
        """
        import threading
        run, before = threading.Thread.run, threading.active_count()
        import tracium, signal
        tracium.trace(api_key="sk_1")
        assert threading.active_count() == before
        assert threading.Thread.run is run
        assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
        import sys
        assert not [name for name in sys.modules if name.startswith("opentelemetry.exporter")]
        tracium.set_tenant("acme")
        assert tracium.get_current_tenant() == "acme"
        with tracium.start_trace("agent"):
            pass
        assert tracium.report().state == "disabled"
        assert tracium.flush() is True
        tracium.shutdown()
        """,
        environment(receiver, OTEL_SDK_DISABLED="true"),
    )
    assert receiver.headers == []


def test_without_trace_the_tenant_works():
    """`set_tenant` needs no set-up, and asking for a report does not either."""
    ended = run_app(
        """
        import tracium
        tracium.set_tenant("acme")
        with tracium.tenant("other"):
            assert tracium.get_current_tenant() == "other"
        print(tracium.get_current_tenant(), tracium.report().state, tracium.flush())
        """,
        environment(),
    )
    assert ended.stdout.split() == ["acme", "not", "started", "True"]


@pytest.mark.parametrize("sampler", ["always_on", "always_off"])
def test_a_fastapi_app_answers_the_same_unsampled(receiver, sampler):
    """A tenant that a sync dependency sets is known in the endpoint, whether or not the trace is sampled."""
    ended = run_app(
        """
        from fastapi import Depends, FastAPI, Header, HTTPException
        from fastapi.testclient import TestClient
        import tracium
        tracium.trace()
        app = FastAPI()

        def authenticate(x_tenant: str = Header()):
            tracium.set_tenant(x_tenant)

        @app.get("/", dependencies=[Depends(authenticate)])
        async def answer():
            if tracium.get_current_tenant() is None:
                raise HTTPException(401)
            return tracium.get_current_tenant()

        client = TestClient(app)
        for tenant in ("acme", "globex"):
            got = client.get("/", headers={"x-tenant": tenant, "baggage": "tenant.id=evil"})
            assert got.json() == tenant, got.text
        """,
        environment(receiver, OTEL_TRACES_SAMPLER=sampler, PYTHONWARNINGS="ignore"),
    )
    assert "Traceback" not in ended.stderr
    tenants = {span.tenant for span in receiver.spans if span.kind == 2}
    assert tenants == ({"acme", "globex"} if sampler == "always_on" else set())
    assert "evil" not in str(receiver.spans)


INSTRUMENT = [str(BIN / "opentelemetry-instrument")]


@pytest.mark.parametrize(
    "variables",
    [
        {"OTEL_PYTHON_DISTRO": "tracium"},
        {},
        {"OTEL_PYTHON_DISTRO": "distro", "OTEL_PYTHON_CONFIGURATOR": "configurator"},
        {"OTEL_PYTHON_CONFIGURATOR": "mistyped"},
    ],
    ids=["ours", "whichever comes first", "the other distro", "mistyped configurator"],
)
def test_opentelemetry_instrument_does_the_same(receiver, variables):
    """With and without another distro, the spans of an app that knows nothing of tracium arrive, once."""
    ended = run_app(
        """
        from flask import Flask
        app = Flask(__name__)

        @app.get("/")
        def index():
            import tracium
            tracium.set_tenant("acme")
            return "ok"

        assert app.test_client().get("/").data == b"ok"
        """,
        environment(receiver, **variables),
        launcher=INSTRUMENT,
    )
    assert [(span.name, span.tenant) for span in receiver.spans] == [("GET /", "acme")], ended.stderr


def test_a_later_init_takes_effect_under_opentelemetry_instrument(receiver):
    """There the resource exists before the app's `init` runs."""
    run_app(
        'import tracium\ntracium.init(api_key="sk_late", default_version="9.9", default_tenant="system")\n'
        "from opentelemetry import trace\n"
        'trace.get_tracer("app").start_span("nobody").end()\n' + SPAN,
        environment(receiver, OTEL_SERVICE_NAME="kept"),
        launcher=INSTRUMENT,
    )
    assert {span.resource["service.version"] for span in receiver.spans} == {"9.9"}
    assert {span.resource["service.name"] for span in receiver.spans} == {"kept"}
    assert {span.name: span.tenant for span in receiver.spans} == {"nobody": "system", "work": "acme"}
    assert {headers.get("authorization") for headers in receiver.headers} == {"Bearer sk_late"}


def test_a_later_init_can_name_the_destination():
    """The first spans may go to where the environment said, the later ones go to where `init` says."""
    with http_receiver() as first, http_receiver() as second:
        run_app(
            f"import tracium\nfrom opentelemetry import trace\ntracium.trace()\n"
            f'trace.get_tracer("app").start_span("early").end()\ntracium.flush()\n'
            f'tracium.init(endpoint="{second.url}")\n' + SPAN,
            environment(first),
        )
    assert [span.name for span in first.spans] == ["early"]
    assert [span.name for span in second.spans] == ["work"]


def test_import_is_light():
    """`import tracium` loads no SDK, exporter, framework or server."""
    run_app(
        """
        import sys, tracium
        heavy = ("opentelemetry.sdk", "opentelemetry.exporter", "fastapi", "flask", "django", "openai", "requests", "grpc",
                 "chdb", "clickhouse_connect", "starlette", "uvicorn", "rich", "click", "google", "tracium.server")
        loaded = [name for name in sys.modules if name in heavy or name.startswith(tuple(h + "." for h in heavy))]
        assert not loaded, loaded
        """,
        environment(),
    )


def test_trace_imports_nothing_that_the_app_does_not_use(receiver):
    """Instrumentors wait for the first import of their library."""
    ended = run_app(
        """
        import sys, tracium
        tracium.trace()
        assert not {"openai", "fastapi", "flask", "django", "httpx2", "starlette"} & set(sys.modules)
        states = {found.name: found.state for found in tracium.report().libraries}
        assert states["openai"] == "waits for its import", states
        import openai
        states = {found.name: found.state for found in tracium.report().libraries}
        assert states["openai"] == "instrumented", states
        """,
        environment(receiver),
    )
    assert ended.stderr == ""
