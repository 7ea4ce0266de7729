"""Metrics from end to end: what arrives over OTLP, whoever's meter provider it is, and what forked children send."""

from __future__ import annotations

import json
import os
import textwrap
from collections import Counter

import pytest
from opentelemetry.sdk.metrics.export import MetricExporter, MetricExportResult
from opentelemetry.sdk.metrics.view import View
from support.app import environment, run_app
from support.receiver import grpc_receiver, http_receiver
from support.recorder import recorder

from tracium import notices
from tracium.destination import Signal
from tracium.startup.asked import further, named
from tracium.startup.metric_reader import ExportingMetricReader

SETTINGS = """
    import json, logging, os, sys
    import tracium
    from opentelemetry import metrics
    from opentelemetry.sdk import _configuration
    from opentelemetry.sdk.metrics import MeterProvider
    from opentelemetry.sdk.metrics.export import InMemoryMetricReader
    from opentelemetry.sdk.resources import Resource
    from tracium import notices
    from tracium.destination import Signal
    from tracium.settings import resolve
    from tracium.startup.instrumentation import Instrumentation
    from tracium.startup.meters import Meters
    from tracium.startup.asked import further

    logging.basicConfig()
    destination = resolve({}).destination

    def sums(reader, name):
        data = reader.get_metrics_data()
        points = [
            point
            for resource in (data.resource_metrics if data else ())
            for scope in resource.scope_metrics
            for metric in scope.metrics
            if metric.name == name
            for point in metric.data.data_points
        ]
        return {str(point.attributes.get("tenant.id")): getattr(point, "value", None) or point.sum for point in points}
"""
# As the pipeline does it: the SDK reads its configuration and calls ours where it would make the provider.
START = """
    def start(wanted=True, **options):
        meters = Meters(destination, **options)
        _configuration._init_metrics = meters.make
        _configuration._initialize_components(
            metric_exporter_names=further(Signal.METRICS, wanted=wanted, protocol=destination.protocol)
        )
        return meters
"""
OWN = """
    reader = InMemoryMetricReader()
    own = MeterProvider(metric_readers=[reader], shutdown_on_exit=False)
"""
LIMITED = pytest.mark.skipif(
    not hasattr(View(instrument_name="x"), "_aggregation_cardinality_limit"), reason="this SDK has no limit of points"
)


def run(code, env, setup=START):
    """Run the code of an app after what each of them begins with."""
    return run_app("".join(map(textwrap.dedent, (SETTINGS, setup, code))), env)


def sums(points):
    """What arrived last of each series, by tenant; the key of nobody is None."""
    last = {
        (json.dumps(point.attributes, sort_keys=True), point.resource["service.instance.id"]): point for point in points
    }
    total = Counter()
    for point in last.values():
        total[point.tenant] += point.value
    return dict(total)


def test_every_tenants_sum_is_true(receiver):
    """1,000 tenants, 5 models, 2 types of tokens: 10,000 points of one instrument, none of them lost or mixed up."""
    run(
        """
        meters = start()
        usage = metrics.get_meter("app").create_histogram("gen_ai.client.token.usage", "{token}")
        for tenant in range(1000):
            with tracium.tenant(f"t{tenant}"):
                for model in range(5):
                    for kind in ("input", "output"):
                        usage.record(tenant * 10 + model, {"gen_ai.request.model": f"m{model}", "gen_ai.token.type": kind})
        assert meters.flush(20_000)
        meters.shutdown(20_000)
        """,
        environment(receiver),
    )
    points = receiver.points_of("gen_ai.client.token.usage")
    assert len({json.dumps(point.attributes, sort_keys=True) for point in points}) == 10_000
    assert sums(points) == {f"t{tenant}": 2 * (5 * tenant * 10 + 10) for tenant in range(1000)}


@pytest.mark.parametrize("protocol", ["http/protobuf", "grpc"])
def test_metrics_go_where_everything_goes(protocol):
    """With the key, over the protocol of the settings, and what is left when the process ends."""
    with grpc_receiver() if protocol == "grpc" else http_receiver() as receiver:
        run(
            """
            meters = start(default="anonymous")
            calls = metrics.get_meter("app").create_counter("gen_ai.calls")
            others = metrics.get_meter("app").create_counter("calls")
            calls.add(1)
            with tracium.tenant("acme"):
                calls.add(2)
                others.add(4)
            meters.shutdown(10_000)
            calls.add(8)
            meters.flush(1_000)
            """,
            environment(receiver, TRACIUM_PROTOCOL=protocol, TRACIUM_API_KEY="sk_1"),
        )
    assert sums(receiver.points_of("gen_ai.calls")) == {"acme": 2, "anonymous": 1}
    assert sums(receiver.points_of("calls")) == {None: 4}
    assert {headers.get("authorization") for headers in receiver.headers} == {"Bearer sk_1"}


def test_metrics_go_out_from_time_to_time(receiver):
    """Every OTEL_METRIC_EXPORT_INTERVAL milliseconds, without anybody asking for it."""
    ended = run(
        """
        import urllib.request
        meters = start()
        with tracium.tenant("acme"):
            metrics.get_meter("app").create_counter("gen_ai.calls").add(1)
        while not meters.exporters[0].delivery.delivered.sent:
            pass
        print("sent", flush=True)
        os._exit(0)
        """,
        environment(receiver, OTEL_METRIC_EXPORT_INTERVAL="50"),
    )
    assert ended.stdout == "sent\n"
    assert sums(receiver.points_of("gen_ai.calls")) == {"acme": 1}


@pytest.mark.parametrize(
    ("exporters", "wanted", "printed", "arrived"),
    [
        ("console", False, True, 0),
        ("console", True, True, 1),
        ("console,otlp", False, True, 1),
        ("otlp", True, False, 1),
    ],
)
def test_exporters_of_the_environment_are_respected(receiver, exporters, wanted, printed, arrived):
    """With console metrics are printed; OTLP is ours, and once."""
    ended = run(
        f"""
        meters = start(wanted={wanted})
        with tracium.tenant("acme"):
            metrics.get_meter("app").create_counter("gen_ai.calls").add(1)
        meters.drain(10_000)
        os._exit(0)
        """,
        environment(receiver, OTEL_METRICS_EXPORTER=exporters),
    )
    assert ('"tenant.id": "acme"' in ended.stdout) is printed
    assert len(receiver.points) == arrived


def test_what_is_wanted_is_told_by_the_option_or_the_environment(monkeypatch):
    """None and nothing mean no metrics; an OTLP exporter that is named is not asked for again."""
    for variable, otlp in (
        ("", True),
        ("none", True),
        ("console", True),
        ("otlp", False),
        ("console, otlp_proto_grpc", False),
    ):
        monkeypatch.setenv("OTEL_METRICS_EXPORTER", variable)
        assert bool(named(Signal.METRICS)) is (variable not in {"", "none"})
        assert further(Signal.METRICS, wanted=True, protocol="grpc") == (["otlp_proto_grpc"] if otlp else [])
        assert further(Signal.METRICS, wanted=False, protocol="grpc") == []
    monkeypatch.setenv("OTEL_METRICS_EXPORTER", "none")
    assert further(Signal.METRICS, wanted=True, protocol="http/protobuf") == ["otlp_proto_http"]


CLIENTS = """
    metrics.set_meter_provider(own)
    meters = Meters(destination, names=["http.*", "gen_ai.*"], default="anonymous")
    assert meters.joined
    Instrumentation(meters.provider).apply()
    import threading
    import urllib.request
    import httpx
    import requests
    import urllib3
    from flask import Flask
    from starlette.applications import Starlette
    from starlette.responses import PlainTextResponse
    from starlette.routing import Route
    from starlette.testclient import TestClient

    url = os.environ["TRACIUM_ENDPOINT"] + "/"

    def fetch(get):
        try:
            get(url)
        except Exception as error:
            assert "501" in str(error), error

    app = Flask("app")
    app.route("/")(lambda: "ok")
    other = Starlette(routes=[Route("/", lambda request: PlainTextResponse("ok"))])
    with tracium.tenant("acme"):
        for get in (requests.get, httpx.get, urllib.request.urlopen, lambda url: urllib3.request("GET", url)):
            fetch(get)
    for client in (app.test_client(), TestClient(other)):
        assert client.get("/").status_code == 200
"""


def test_the_apps_own_provider_is_given_to_instrumentors_with_the_tenant(receiver):
    """Those that ours apply and those that are applied as they are; what the app makes itself has none, and that is said."""
    ended = run(
        """
        with tracium.tenant("acme"):
            metrics.get_meter("app").create_counter("gen_ai.mine").add(1)
            meters.provider.get_meter("app").create_counter("gen_ai.ours").add(1)
        found = {}
        for scope in reader.get_metrics_data().resource_metrics[0].scope_metrics:
            for metric in scope.metrics:
                told = {point.attributes.get("tenant.id") for point in metric.data.data_points}
                found.setdefault(scope.scope.name, {})[metric.name] = sorted(map(str, told))
        said = [notice.text for notice in notices.notices() if notice.key == "metrics:joined"]
        print(json.dumps([found, said]))
        meters.shutdown(1_000)
        assert own.force_flush()
        """,
        environment(receiver),
        setup=OWN + CLIENTS,
    )
    found, said = json.loads(ended.stdout)
    assert found.pop("app") == {"gen_ai.mine": ["None"], "gen_ai.ours": ["acme"]}
    scopes = {name.rpartition(".")[2]: told for name, told in found.items()}
    for client in ("requests", "httpx", "urllib", "urllib3"):
        durations = {name: told for name, told in scopes[client].items() if name.endswith("duration")}
        assert durations
        assert set(map(tuple, durations.values())) == {("acme",)}, client
    for server in ("flask", "starlette"):
        durations = {name: told for name, told in scopes[server].items() if name.endswith("duration")}
        assert durations
        assert set(map(tuple, durations.values())) == {("anonymous",)}, server
    assert len(said) == 1
    assert "opentelemetry.sdk.metrics._internal.MeterProvider" in said[0]


def test_a_provider_that_the_app_sets_afterwards_gets_the_tenant_from_instrumentors():
    """Instruments that were made before begin to record with it; a model call, by OpenTelemetry's own instrumentation."""
    with recorder() as models:
        ended = run(
            f"""
            meters = Meters(destination)
            Instrumentation(meters.provider).apply()
            import openai
            client = openai.OpenAI(api_key="sk-test", base_url={models.url("/v1")!r}, max_retries=0)

            def ask():
                client.chat.completions.create(model="gpt-test", messages=[{{"role": "user", "content": "Hi"}}])

            ask()
            assert not meters.joined
            metrics.set_meter_provider(own)
            for tenant in ("acme", "globex"):
                with tracium.tenant(tenant):
                    ask()
            print(json.dumps(sorted(sums(reader, "gen_ai.client.operation.duration"))))
            """,
            environment(),
            setup=OWN,
        )
    assert json.loads(ended.stdout) == ["acme", "globex"]


def test_a_provider_that_the_app_has_wrapped_itself_is_taken_as_it_is():
    """So that its own instruments have the tenant; what it was made with holds."""
    ended = run(
        """
        from tracium.signals.metrics import TenantMeterProvider
        metrics.set_meter_provider(TenantMeterProvider(own, names=["mine.*"], default="app"))
        meters = Meters(destination, names=["gen_ai.*"])
        assert meters.provider is metrics.get_meter_provider()
        calls = metrics.get_meter("app").create_counter("mine.calls")
        calls.add(1)
        meters.update(destination, "later", ("app.customer",))
        calls.add(2)
        print(json.dumps(sums(reader, "mine.calls")))
        """,
        environment(),
        setup=OWN,
    )
    assert json.loads(ended.stdout) == {"app": 1, "later": 2}


def test_the_apps_own_provider_exports_here_too_when_it_is_asked_to(receiver):
    """A reader is added to it. It goes on after our end; one that takes no readers is named."""
    ended = run(
        """
        metrics.set_meter_provider(own)
        meters = Meters(destination)
        meters.start(Resource({}))
        meters.start(Resource({}))
        calls = meters.provider.get_meter("app").create_counter("gen_ai.calls")
        with tracium.tenant("acme"):
            calls.add(1)
            assert meters.flush(10_000)
            calls.add(2)
            meters.shutdown(10_000)
            calls.add(4)
        print(json.dumps(sums(reader, "gen_ai.calls")))
        """,
        environment(receiver),
        setup=OWN,
    )
    assert json.loads(ended.stdout) == {"acme": 7}
    assert [point.value for point in receiver.points_of("gen_ai.calls")] == [1, 3]
    ended = run(
        """
        metrics.set_meter_provider(metrics.NoOpMeterProvider())
        meters = Meters(destination)
        meters.join()
        assert meters.flush(1_000)
        """,
        environment(receiver),
    )
    assert "NoOpMeterProvider takes no metric readers" in ended.stderr


def test_metrics_may_be_asked_for_later(receiver):
    """By a second `init`: instruments that were made before record from then on, once, with the same tenants."""
    run(
        """
        meters = Meters(destination, default="anonymous", tenants=2)
        Instrumentation(meters.provider)
        ours = meters.provider.get_meter("app").create_counter("gen_ai.ours")
        mine = metrics.get_meter("app").create_counter("gen_ai.mine")
        ours.add(100)
        meters.start(Resource.create({"service.name": "shop"}))
        for counter in (ours, mine):
            counter.add(1)
            for tenant in ("acme", "globex"):
                with tracium.tenant(tenant):
                    counter.add(2)
        meters.describe(Resource({"service.version": "7"}))
        meters.shutdown(10_000)
        """,
        environment(receiver),
    )
    for name in ("gen_ai.ours", "gen_ai.mine"):
        points = receiver.points_of(name)
        assert sums(points) == {"anonymous": 1, "acme": 2, None: 2}
        assert {(point.resource["service.name"], point.resource["service.version"]) for point in points} == {
            ("shop", "7")
        }
        assert [point.attributes for point in points if point.tenant is None] == [{"tracium.tenant.overflow": True}]


def test_a_later_destination_takes_what_is_exported_from_then_on(receiver):
    """As spans do."""
    with http_receiver() as other:
        run(
            f"""
            meters = start()
            calls = metrics.get_meter("app").create_counter("gen_ai.calls")
            calls.add(1)
            meters.flush(10_000)
            meters.update(resolve({{"endpoint": {other.url!r}}}).destination, "anonymous")
            calls.add(2)
            meters.shutdown(10_000)
            """,
            environment(receiver),
        )
    assert sums(receiver.points) == {None: 1}
    assert sums(other.points) == {None: 1, "anonymous": 2}


@pytest.mark.skipif(not hasattr(os, "fork"), reason="processes are not forked here")
@pytest.mark.parametrize("temporality", ["cumulative", "delta"])
@pytest.mark.parametrize("protocol", ["http/protobuf", "grpc"])
def test_a_forked_child_sends_its_own_sums_alone(protocol, temporality):
    """Not those of its parent again, neither what was sent before nor what was not, and under its own instance id."""
    with grpc_receiver() if protocol == "grpc" else http_receiver() as receiver:
        run(
            """
            meters = start()
            calls = metrics.get_meter("app").create_counter("gen_ai.calls")
            with tracium.tenant("acme"):
                calls.add(1)
                meters.flush(10_000)
                calls.add(2)
                child = os.fork()
                if child == 0:
                    calls.add(8)
                    metrics.get_meter("app").create_counter("gen_ai.late").add(16)
                    assert meters.flush(10_000)
                    meters.shutdown(10_000)
                    os._exit(0)
                assert os.waitpid(child, 0)[1] == 0
                calls.add(4)
                meters.shutdown(10_000)
            """,
            environment(
                receiver, TRACIUM_PROTOCOL=protocol, OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE=temporality
            ),
        )
    series = {}
    for point in receiver.points_of("gen_ai.calls"):
        series.setdefault(point.resource["service.instance.id"], []).append(point.value)
    delta = temporality == "delta"
    # A cumulative sum is sent again with each export.
    assert sorted({sum(each) if delta else max(each) for each in series.values()}) == [7, 8]
    assert len(series) == 2
    assert {point.temporality for point in receiver.points_of("gen_ai.calls")} == {1 if delta else 2}
    assert {point.value for point in receiver.points_of("gen_ai.late")} == {16}


@pytest.mark.skipif(not hasattr(os, "fork"), reason="processes are not forked here")
def test_a_child_that_is_forked_while_metrics_are_collected_and_exported_can_do_so_too(receiver):
    """Locks that its parent held in that moment are not held there."""
    receiver.delay = 0.5
    run(
        """
        import threading
        collecting, forked = threading.Event(), threading.Event()
        meters = start()
        parent = os.getpid()

        def slow(options):
            if os.getpid() == parent:
                collecting.set()
                forked.wait(10)
            return []

        metrics.get_meter("app").create_observable_gauge("slow", [slow])
        calls = metrics.get_meter("app").create_counter("gen_ai.calls")

        def fork():
            child = os.fork()
            if child == 0:
                with tracium.tenant("child"):
                    calls.add(2)
                assert meters.flush(10_000)
                os._exit(0)
            return child

        with tracium.tenant("parent"):
            calls.add(1)
        flushing = threading.Thread(target=meters.flush, args=(20_000,))
        flushing.start()
        collecting.wait()
        first = fork()
        forked.set()
        exporter = meters.exporters[0]
        while exporter._underway is None and flushing.is_alive():
            pass
        second = fork()
        flushing.join()
        for child in (first, second):
            assert os.waitpid(child, 0)[1] == 0
        meters.shutdown(20_000)
        """,
        environment(receiver),
    )
    told = {
        (point.resource["service.instance.id"], point.tenant, point.value)
        for point in receiver.points_of("gen_ai.calls")
    }
    assert sorted(each[1:] for each in told) == [("child", 2), ("child", 2), ("parent", 1)]


def test_what_is_given_up_at_the_end_is_told(receiver):
    """A destination that does not answer: the process waits no longer, and says how much did not arrive."""
    receiver.delay = 20
    ended = run(
        """
        import threading
        meters = start()
        metrics.get_meter("app").create_counter("gen_ai.calls").add(1)
        threading.Thread(target=meters.drain, args=(20_000,), daemon=True).start()
        while meters.exporters[0]._underway is None:
            pass
        meters.give_up()
        os._exit(0)
        """,
        environment(receiver),
    )
    assert "1 of 1 metric points did not arrive" in ended.stderr


def test_a_point_beyond_the_limit_of_the_sdk_is_said(receiver):
    """It has no tenant; whichever SDK made it."""
    ended = run(
        """
        meters = start()
        metrics.get_meter("app").create_counter("gen_ai.calls").add(1, {"otel.metric.overflow": True})
        meters.shutdown(10_000)
        """,
        environment(receiver),
    )
    assert ended.stderr.count("gen_ai.calls has more combinations of attributes") == 1


@LIMITED
def test_a_limit_of_the_apps_own_provider_is_said_when_it_matters():
    """2,000 points for each instrument are few for more than 62 tenants. A view that raises it is enough."""
    ask = """
        for n in range({tenants}):
            with tracium.tenant(f"t{{n}}"):
                meters.provider.get_meter("app").create_counter("gen_ai.calls").add(1)
        print(sum(notice.key == "metrics:limit" for notice in notices.notices()))
        """
    raised = """
    from opentelemetry.sdk.metrics.view import View
    own = MeterProvider(views=[View(instrument_name="gen_ai.*", aggregation_cardinality_limit=32_000)])
    """
    said = [
        run(
            "metrics.set_meter_provider(own)\nmeters = Meters(destination)\n"
            + textwrap.dedent(ask.format(tenants=tenants)),
            environment(),
            setup=setup,
        ).stdout
        for tenants, setup in ((62, OWN), (64, OWN), (64, raised))
    ]
    assert said == ["0\n", "1\n", "0\n"]


class Failing(MetricExporter):
    """Raises, which an exporter should not."""

    def export(self, metrics_data, timeout_millis=10_000, **kwargs):
        raise OSError("the disk is full")

    def force_flush(self, timeout_millis=10_000):
        return True

    def shutdown(self, timeout_millis=30_000, **kwargs):
        pass


class Keeping(Failing):
    """Keeps what it is given."""

    def __init__(self):
        super().__init__()
        self.kept = []

    def export(self, metrics_data, timeout_millis=10_000, **kwargs):
        self.kept.append(metrics_data)
        return MetricExportResult.SUCCESS


def provider_with(exporter):
    from opentelemetry.sdk.metrics import MeterProvider

    reader = ExportingMetricReader(exporter)
    provider = MeterProvider(metric_readers=[reader], shutdown_on_exit=False)
    return provider, reader, provider.get_meter("tests").create_counter("gen_ai.calls")


def test_an_exporter_that_raises_is_named_once_and_asked_again(caplog):
    """The thread that exports lives on."""
    provider, reader, calls = provider_with(Failing())
    calls.add(1)
    assert reader.force_flush()
    assert reader.force_flush()
    provider.shutdown()
    assert caplog.text.count("Metrics could not be exported by Failing: OSError: the disk is full.") == 1
    assert [notice.count for notice in notices.notices() if notice.key == "metrics:export"] == [3]


def test_metrics_that_cannot_be_collected_are_told(caplog):
    """A callback of the app's that takes too long; a flush says that it did not work."""
    provider, reader, _ = provider_with(Keeping())

    def slow(options):
        return []

    provider.get_meter("tests").create_observable_gauge("slow", [slow])
    assert not reader.force_flush(timeout_millis=0)
    assert "Metrics could not be collected: MetricsTimeoutError" in caplog.text
    provider.shutdown()


@pytest.mark.parametrize("value", ["soon", "0", "-1", "nan"])
def test_a_bad_interval_is_said_and_the_usual_one_holds(value, monkeypatch, caplog):
    """As with the SDK's own reader, which says less."""
    monkeypatch.setenv("OTEL_METRIC_EXPORT_INTERVAL", value)
    provider, _, calls = provider_with(kept := Keeping())
    calls.add(1)
    provider.shutdown()
    assert f"OTEL_METRIC_EXPORT_INTERVAL is {value!r}" in caplog.text
    assert len(kept.kept) == 1


def test_no_interval_at_all_exports_when_it_is_asked_to(monkeypatch):
    """Infinity, as the SDK has it; the end of the process asks too, once."""
    monkeypatch.setenv("OTEL_METRIC_EXPORT_INTERVAL", "inf")
    provider, reader, calls = provider_with(kept := Keeping())
    calls.add(1)
    assert reader.force_flush()
    provider.shutdown()
    assert reader.force_flush()
    assert len(kept.kept) == 2
