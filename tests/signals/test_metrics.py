"""The tenant on metrics: which instruments get it, whose a measurement is, and how many tenants are told apart."""

from __future__ import annotations

import contextvars
import logging
import os
import threading
from collections import Counter
from types import MappingProxyType

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry import metrics as api
from opentelemetry import trace
from opentelemetry.context import attach, detach, get_current
from opentelemetry.metrics import NoOpMeterProvider, Observation
from opentelemetry.propagators.composite import CompositePropagator
from opentelemetry.sdk.metrics import AlwaysOnExemplarFilter, MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider

import tracium
from tracium import faults, notices
from tracium.boundary.propagation import TenantPropagator
from tracium.signals.instruments import TenantInstrument
from tracium.signals.metrics import TenantMeterProvider

propagator = TenantPropagator(CompositePropagator([]))
OVERFLOW = "tracium.tenant.overflow"
KINDS = [
    ("counter", "add", api.Counter),
    ("up_down_counter", "add", api.UpDownCounter),
    ("histogram", "record", api.Histogram),
    ("gauge", "set", api._Gauge),
]


class Metrics:
    """A provider with the tenant around one of the SDK's, and what it kept."""

    def __init__(self, **options):
        self.reader = InMemoryMetricReader()
        self.sdk = MeterProvider(
            metric_readers=[self.reader], shutdown_on_exit=False, exemplar_filter=AlwaysOnExemplarFilter()
        )
        self.provider = TenantMeterProvider(self.sdk, **options)
        self.meter = self.provider.get_meter("tests")
        self.tokens = self.meter.create_counter("gen_ai.tokens")

    def points(self, *names):
        """The points of each instrument that is named."""
        data = self.reader.get_metrics_data()
        return [
            point
            for resource in (data.resource_metrics if data else ())
            for scope in resource.scope_metrics
            for metric in scope.metrics
            if metric.name in (names or ("gen_ai.tokens",))
            for point in metric.data.data_points
        ]

    def sums(self, name="gen_ai.tokens"):
        """What each tenant has; the key of nobody is None, that of those without room is the name of their attribute."""
        sums = Counter()
        for point in self.points(name):
            sums[OVERFLOW if OVERFLOW in point.attributes else point.attributes.get("tenant.id")] += point.value
        return dict(sums)


@pytest.fixture
def metrics():
    return Metrics()


@pytest.mark.parametrize(("kind", "record", "of_the_api"), KINDS)
def test_every_kind_that_is_listed_has_the_tenant_and_no_other(kind, record, of_the_api, metrics):
    """Counters, up-down counters, histograms and gauges; the class of the API stays."""
    listed, other = (getattr(metrics.meter, f"create_{kind}")(name) for name in ("gen_ai.Work", "http.work"))
    with tracium.tenant("acme"):
        getattr(listed, record)(1, {"kind": "a"})
        getattr(other, record)(1, {"kind": "a"})
    assert [dict(point.attributes) for point in metrics.points("gen_ai.work", "http.work")] == [
        {"kind": "a", "tenant.id": "acme"},
        {"kind": "a"},
    ]
    assert isinstance(listed, of_the_api)
    assert isinstance(listed, TenantInstrument)
    assert not isinstance(other, TenantInstrument)


def test_a_measurement_belongs_to_its_context():
    """To the one that was passed, else to the current one."""
    metrics = Metrics()
    with tracium.tenant("acme"):
        made = get_current()
    with tracium.tenant("globex"):
        metrics.tokens.add(1, {}, made)
        metrics.tokens.add(2)
        metrics.tokens.add(4, None, context=get_current())
    metrics.tokens.add(8)
    assert metrics.sums() == {"acme": 1, "globex": 6, None: 8}


def test_a_measurement_of_a_request_keeps_its_binding(metrics):
    """After a clear, and without any span; not once the request is mixed, nor in a block without a tenant."""
    token = attach(propagator.extract({}))
    tracium.set_tenant("acme")
    tracium.set_tenant(None)
    metrics.tokens.add(1)
    with tracium.tenant(None):
        metrics.tokens.add(2)
    tracium.set_tenant("globex")
    metrics.tokens.add(4)
    tracium.set_tenant(None)
    metrics.tokens.add(8)
    detach(token)
    assert metrics.sums() == {"acme": 1, None: 10, "globex": 4}


def test_a_block_that_ended_late_gives_no_tenant(metrics):
    """As for spans: a generator that is closed in its caller's block."""

    def work():
        with tracium.tenant("acme"):
            yield

    working = work()
    next(working)
    with tracium.tenant("globex"):
        working.close()
        metrics.tokens.add(1)
    metrics.tokens.add(2)
    assert metrics.sums() == {"globex": 1, None: 2}


def test_what_the_caller_gave_stays_and_the_default_comes_last():
    """As for spans; the default can be set later."""
    metrics = Metrics(default="anonymous")
    metrics.tokens.add(1)
    metrics.provider.default = "nobody"
    metrics.tokens.add(2)
    with tracium.tenant("acme"):
        metrics.tokens.add(4, {"tenant.id": "given"})
        metrics.tokens.add(8)
    assert metrics.sums() == {"anonymous": 1, "nobody": 2, "given": 4, "acme": 8}


def test_the_callers_attributes_are_never_changed(metrics):
    """A dict that is used again, and mappings that cannot be changed at all."""
    mine = {"kind": "a"}
    with tracium.tenant("acme"):
        metrics.tokens.add(1, mine)
        metrics.tokens.add(1, MappingProxyType(mine))
    assert mine == {"kind": "a"}
    assert metrics.sums() == {"acme": 2}


def test_the_tenant_is_written_under_further_names(metrics):
    """Not over what the caller gave under one."""
    metrics.provider.aliases = ("app.customer",)
    with tracium.tenant("acme"):
        metrics.tokens.add(1)
        metrics.tokens.add(1, {"app.customer": "mine"})
    told = [point.attributes["app.customer"] for point in metrics.points()]
    assert (sorted(told), metrics.sums()) == (["acme", "mine"], {"acme": 2})


def test_exemplars_keep_the_span_of_the_context(metrics):
    """The context goes to the SDK as it was given."""
    tracer = TracerProvider(shutdown_on_exit=False).get_tracer("tests")
    with tracium.tenant("acme"):
        span = tracer.start_span("call")
        context = trace.set_span_in_context(span)
    metrics.tokens.add(1, {}, context)
    (point,) = metrics.points()
    assert point.attributes["tenant.id"] == "acme"
    assert [exemplar.span_id for exemplar in point.exemplars] == [span.get_span_context().span_id]


def test_an_observable_one_passes_through_and_is_named(metrics, caplog):
    """It is read in no request; its callback can give the tenant. What is not listed is not named."""
    caplog.set_level(logging.INFO)
    for kind in ("counter", "gauge", "up_down_counter"):
        create = getattr(metrics.meter, f"create_observable_{kind}")
        for name in (f"gen_ai.{kind}", f"gen_ai.{kind}", f"process.{kind}"):
            create(name, [lambda _: [Observation(3, {"tenant.id": "acme"})]])
        assert metrics.sums(f"gen_ai.{kind}")["acme"]
    assert [record.args[0].split()[2] for record in caplog.records] == [
        "gen_ai.counter",
        "gen_ai.gauge",
        "gen_ai.up_down_counter",
    ]


def test_tenants_beyond_the_limit_share_one_point_and_it_is_said_once(caplog):
    """Over all instruments of the process; nothing is lost from the sum, and those that were there go on."""
    metrics = Metrics(tenants=2)
    calls = metrics.meter.create_counter("gen_ai.calls")
    for n in range(2):
        for tenant in ("acme", "globex", "initech", "umbrella"):
            with tracium.tenant(tenant):
                metrics.tokens.add(1 + n)
                calls.add(1, {"kind": "a"})
    assert metrics.sums() == {"acme": 3, "globex": 3, OVERFLOW: 6}
    assert metrics.sums("gen_ai.calls") == {"acme": 2, "globex": 2, OVERFLOW: 4}
    assert [record.args[0] for record in caplog.records] == [notices.notices()[0].text]
    assert "TRACIUM_METRIC_TENANTS" in caplog.text
    told = [dict(point.attributes) for point in metrics.points("gen_ai.calls") if OVERFLOW in point.attributes]
    assert told == [{"kind": "a", OVERFLOW: True}]


def test_threads_that_come_at_once_take_no_more_room_than_there_is():
    """The limit holds, and every measurement is somewhere."""
    metrics = Metrics(tenants=5)
    ready = threading.Barrier(4)

    def work(offset):
        ready.wait()
        for n in range(50):
            with tracium.tenant(f"t{(n + offset) % 25}"):
                metrics.tokens.add(1)

    threads = [threading.Thread(target=work, args=(n * 6,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    sums = metrics.sums()
    assert sum(sums.values()) == 200
    assert len(sums) == 6
    assert metrics.provider.tenants.count == 5


def test_a_provider_around_one_that_adds_the_tenant_adds_it_once():
    """Also where there is no room: the tenant does not get it from the inner one."""
    metrics = Metrics(tenants=1)
    outer = TenantMeterProvider(metrics.provider, tenants=1)
    tokens = outer.get_meter("tests").create_counter("gen_ai.tokens")
    with tracium.tenant("acme"):
        tokens.add(1)
    with tracium.tenant("globex"):
        tokens.add(2)
    assert metrics.sums() == {"acme": 1, OVERFLOW: 2}
    around = metrics.provider.around(NoOpMeterProvider())
    assert around.tenants is metrics.provider.tenants


def test_the_api_without_any_provider_gets_the_tenant_when_one_is_set(monkeypatch):
    """Instruments that were made through the API's own provider begin to record then, and with the tenant."""
    proxy = api._internal._ProxyMeterProvider()
    outer = TenantMeterProvider(proxy)
    before = outer.get_meter("tests").create_histogram("gen_ai.before", "s", "Of calls.")
    with tracium.tenant("acme"):
        before.record(1)
    metrics = Metrics()
    proxy.on_set_meter_provider(metrics.sdk)
    after = outer.get_meter("tests").create_histogram("gen_ai.after")
    with tracium.tenant("acme"):
        before.record(2)
        after.record(3)
    for name, total in (("gen_ai.before", 2), ("gen_ai.after", 3)):
        (point,) = metrics.points(name)
        assert (point.sum, point.attributes["tenant.id"]) == (total, "acme")


def test_everything_else_is_the_other_providers(metrics):
    """What the SDK's provider, meters and instruments have beyond the API, and their buckets."""
    assert metrics.provider.provider is metrics.sdk
    assert metrics.provider.force_flush()
    assert metrics.meter.name == "tests"
    assert metrics.tokens.name == "gen_ai.tokens"
    with pytest.raises(AttributeError):
        _ = metrics.provider.no_such_thing
    histogram = metrics.meter.create_histogram("gen_ai.size", explicit_bucket_boundaries_advisory=[1, 2])
    histogram.record(1)
    assert metrics.points("gen_ai.size")[0].explicit_bounds == (1, 2)
    scoped = metrics.provider.get_meter("tests", "1", "https://schema.example", {"team": "blue"})
    scoped.create_counter("gen_ai.scoped").add(1)
    (scope,) = (
        each.scope
        for each in metrics.reader.get_metrics_data().resource_metrics[0].scope_metrics
        if each.scope.version == "1"
    )
    assert (scope.schema_url, dict(scope.attributes)) == ("https://schema.example", {"team": "blue"})


def test_bad_attributes_are_the_sdks_to_judge(metrics):
    """No mapping: older ones raise, others drop the attributes, as without us."""

    def outcome(counter):
        try:
            counter.add(1, ["kind"])
        except ValueError as error:
            return str(error)
        return None

    plain = metrics.sdk.get_meter("plain").create_counter("plain")
    with tracium.tenant("acme"):
        assert outcome(metrics.tokens) == outcome(plain)
    assert metrics.sums() in ({}, {None: 1})


def test_a_fault_of_ours_costs_the_tenant_and_not_the_measurement(metrics, monkeypatch, caplog):
    """It is logged once."""
    monkeypatch.setattr(faults, "_raising", False)
    monkeypatch.setattr("tracium.signals.metric_tenants.recorded_tenant", lambda *_: 1 / 0)
    metrics.tokens.add(1, {"kind": "a"})
    metrics.tokens.add(1, {"kind": "a"})
    assert metrics.sums() == {None: 2}
    assert caplog.text.count("marking a measurement") == 1


@pytest.mark.parametrize(
    ("options", "error", "says"),
    [
        ({"names": "gen_ai.*"}, TypeError, "names is 'gen_ai.*'"),
        ({"names": 3}, TypeError, "names is 3"),
        ({"names": ["gen_ai.*", 3]}, TypeError, "names has 3"),
        ({"names": [" "]}, ValueError, "empty name"),
        ({"tenants": 0}, ValueError, "tenants is 0"),
        ({"tenants": True}, TypeError, "tenants is True"),
        ({"tenants": "10"}, TypeError, "tenants is '10'"),
    ],
)
def test_a_bad_argument_is_loud(options, error, says):
    """A full sentence that names the value."""
    with pytest.raises(error, match=r".+\.$") as raised:
        TenantMeterProvider(NoOpMeterProvider(), **options)
    assert says in str(raised.value)


def test_a_provider_must_be_one():
    """It is told where it is passed."""
    with pytest.raises(TypeError, match="provider is None"):
        TenantMeterProvider(None)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="processes are not forked here")
def test_a_forked_child_goes_on_with_its_copy():
    """It knows its parent's tenants, and what it learns its parent does not; a lock that was held is no lock there."""
    metrics = Metrics(tenants=2)
    with tracium.tenant("acme"):
        metrics.tokens.add(1)
    read, write = os.pipe()
    with metrics.provider.tenants._lock:
        child = os.fork()
        if child == 0:
            for tenant in ("globex", "initech"):
                with tracium.tenant(tenant):
                    metrics.tokens.add(1)
            os.write(write, ",".join(sorted(str(key) for key in metrics.sums())).encode())
            os._exit(0)
    os.waitpid(child, 0)
    assert os.read(read, 1000).decode() == f"acme,globex,{OVERFLOW}"
    assert metrics.provider.tenants.count == 1


STEPS = st.lists(
    st.tuples(st.integers(0, 2), st.sampled_from(["set", "clear", "record", "given"]), st.sampled_from("abcd")),
    max_size=40,
)


@given(STEPS)
def test_any_interleaving_of_requests_keeps_their_sums_apart(steps):
    """Every measurement is in the sum of the tenant that its request had then, or of nobody; a mixed request's falls back to none."""
    metrics = Metrics(tenants=3)
    requests = [contextvars.copy_context() for _ in range(3)]
    for request in requests:
        request.run(lambda: attach(propagator.extract({})))
    current, bound, mixed = [None] * 3, [None] * 3, [False] * 3
    admitted, expected = set(), Counter()

    def point_of(whose):
        if whose is None or (whose not in admitted and len(admitted) == 3):
            return OVERFLOW if whose else None
        admitted.add(whose)
        return whose

    for n, step, tenant in steps:
        if step == "set":
            requests[n].run(tracium.set_tenant, tenant)
            mixed[n] = mixed[n] or (bound[n] is not None and bound[n] != tenant)
            bound[n] = bound[n] or tenant
            current[n] = tenant
        elif step == "clear":
            requests[n].run(tracium.set_tenant, None)
            current[n] = None
        elif step == "given":
            requests[n].run(metrics.tokens.add, 1, {"tenant.id": "given"})
            expected[point_of("given")] += 1
        else:
            requests[n].run(metrics.tokens.add, 1)
            expected[point_of(current[n] or (None if mixed[n] else bound[n]))] += 1
    assert metrics.sums() == dict(expected)
