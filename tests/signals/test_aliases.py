"""The tenant under further names, which a backend may want: on spans and log records, beside `tenant.id`."""

from __future__ import annotations

import pytest
from opentelemetry._logs import LogRecord
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import InMemoryLogRecordExporter, SimpleLogRecordProcessor
from opentelemetry.sdk.trace import SpanLimits
from opentelemetry.trace import SpanKind

import tracium
from tracium import notices
from tracium.signals import TenantLogRecordProcessor, TenantSpanProcessor, tenant_span_processor
from tracium.testing import MemoryPipeline

NAMES = ("app.customer", "tenant.id", "langfuse.org", "app.customer")
ALIASES = ("app.customer", "langfuse.org")


@pytest.fixture
def make(way):
    def make(default=None, **options):
        processor = (tenant_span_processor if way == "direct" else TenantSpanProcessor)(default, aliases=NAMES)
        return MemoryPipeline(processor=processor, **options)

    return make


def told(pipeline):
    """What each span has under the three names; an empty value is none."""
    return {
        span.name: tuple(span.attributes.get(key) or None for key in ("tenant.id", *ALIASES)) for span in pipeline.spans
    }


def test_every_span_has_it_under_each_name(make):
    """Those in a scope, those that are marked when the tenant is set, and a request's."""
    pipeline = make()
    tracer = pipeline.tracer
    with tracium.tenant("acme"):
        tracer.start_span("scope").end()
        tracer.start_span("given others", attributes={"color": "blue"}).end()
    with tracer.start_as_current_span("request", kind=SpanKind.SERVER), tracer.start_as_current_span("open"):
        tracium.set_tenant("globex")
        tracer.start_span("below").end()
    with tracer.start_as_current_span("current"):
        tracium.set_tenant("hooli")
    tracium.set_tenant(None)
    tracer.start_span("nobody's").end()
    assert told(pipeline) == {
        "scope": ("acme",) * 3,
        "given others": ("acme",) * 3,
        "below": ("globex",) * 3,
        "open": ("globex",) * 3,
        "request": ("globex",) * 3,
        "current": ("hooli",) * 3,
        "nobody's": (None,) * 3,
    }


@pytest.mark.parametrize("default", [None, "anonymous"])
def test_what_the_caller_gave_stays(make, default):
    """Under whichever name; a given tenant goes under the others too, if it can be one."""
    pipeline = make(default)
    with tracium.tenant("acme"):
        pipeline.tracer.start_span("alias", attributes={"app.customer": "A."}).end()
        pipeline.tracer.start_span("tenant", attributes={"tenant.id": "globex"}).end()
        pipeline.tracer.start_span("no tenant", attributes={"tenant.id": 7}).end()
    with pipeline.tracer.start_as_current_span("open", attributes={"app.customer": "A."}):
        tracium.set_tenant("acme")
    assert told(pipeline) == {
        "alias": ("acme", "A.", "acme"),
        "tenant": ("globex",) * 3,
        "no tenant": (7, None, None),
        "open": ("acme", "A.", "acme"),
    }


def test_they_go_with_the_default_and_with_what_replaces_it(make):
    """The first tenant that is set."""
    pipeline = make("anonymous")
    pipeline.tracer.start_span("nobody's").end()
    with pipeline.tracer.start_as_current_span("request", kind=SpanKind.SERVER):
        tracium.set_tenant("acme")
    assert told(pipeline) == {"nobody's": ("anonymous",) * 3, "request": ("acme",) * 3}


@pytest.mark.parametrize("way", ["direct"], indirect=True)
def test_a_span_that_has_its_tenant_gets_no_other_under_another_name(make):
    """Also where its alias was lost to the limit on attributes."""
    pipeline = make(span_limits=SpanLimits(max_span_attributes=4))
    with tracium.tenant("acme"), pipeline.tracer.start_as_current_span("work") as span:
        for number in range(4):
            span.set_attribute(f"key.{number}", number)
        tracium.set_tenant("globex")
    (found,) = told(pipeline).values()
    assert found == ("acme", None, None)


def test_they_can_be_set_later(make):
    """On spans that start from then on."""
    pipeline = MemoryPipeline(processor=(processor := tenant_span_processor()))
    with tracium.tenant("acme"):
        pipeline.tracer.start_span("before").end()
        processor.aliases = NAMES
        pipeline.tracer.start_span("after").end()
    assert processor.aliases == ALIASES
    assert told(pipeline) == {"before": ("acme", None, None), "after": ("acme",) * 3}


def test_a_tenant_is_whole_under_every_name(make, way):
    """A part of an id is another tenant."""
    pipeline = make(span_limits=SpanLimits(max_span_attribute_length=8))
    with tracium.tenant("a-tenant-of-many-letters"):
        pipeline.tracer.start_span("work").end()
        pipeline.tracer.start_span("given", attributes={"tenant.id": "a-tenant-of-many-letters"}).end()
    whole = "a-tenant-of-many-letters" if way == "direct" else None
    assert told(pipeline)["work"] == (whole,) * 3
    assert {notice.key for notice in notices.notices()} == (
        set() if way == "direct" else {"tenant:cut", "tenant:cut:app.customer", "tenant:cut:langfuse.org"}
    )


# Log records


class Logs:
    def __init__(self, **options):
        self.exporter = InMemoryLogRecordExporter()
        provider = LoggerProvider(shutdown_on_exit=False)
        provider.add_log_record_processor(TenantLogRecordProcessor(**options))
        provider.add_log_record_processor(SimpleLogRecordProcessor(self.exporter))
        self.logger = provider.get_logger("tests")

    def emit(self, **attributes):
        """What a record has in the end."""
        self.logger.emit(LogRecord(body="said", attributes=attributes))
        return dict(self.exporter.get_finished_logs()[-1].log_record.attributes or {})


def test_a_record_has_the_tenant_under_each_name_its_user_and_its_session():
    """What the caller gave stays."""
    logs = Logs(aliases=NAMES)
    everything = {"tenant.id": "acme", **dict.fromkeys(ALIASES, "acme"), "user.id": "u-1", "session.id": "s-1"}
    with tracium.tenant("acme"), tracium.user("u-1"), tracium.session("s-1"):
        assert logs.emit() == everything
        assert logs.emit(**{"user.id": "given"}) == everything | {"user.id": "given"}
        assert logs.emit(**{"app.customer": "A."}) == everything | {"app.customer": "A."}
        with tracium.user(None), tracium.session(None):
            assert logs.emit() == {"tenant.id": "acme", **dict.fromkeys(ALIASES, "acme")}
    assert logs.emit() == {}


def test_a_record_of_another_tenant_has_no_user():
    """By its own attribute, by its context, or by the default."""
    logs = Logs(default="anonymous")
    with tracium.tenant("acme"), tracium.user("u-1"):
        assert logs.emit(**{"tenant.id": "globex"}) == {"tenant.id": "globex"}
        assert logs.emit(**{"tenant.id": 7}) == {"tenant.id": 7}
        assert logs.emit(**{"tenant.id": "acme"}) == {"tenant.id": "acme", "user.id": "u-1"}
        with tracium.tenant("globex"):
            assert logs.emit() == {"tenant.id": "globex"}
    with tracium.user("u-1"):
        assert logs.emit() == {"tenant.id": "anonymous", "user.id": "u-1"}


def test_a_records_ids_are_whole_or_not_there(monkeypatch):
    """OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT; a given tenant that may have been cut goes no further."""
    monkeypatch.setenv("OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT", "4")
    logs = Logs(aliases=["app.customer"])
    with tracium.tenant("acme"), tracium.user("user-of-many-letters"):
        assert logs.emit() == {"tenant.id": "acme", "app.customer": "acme"}
        assert logs.emit(**{"tenant.id": "acme-corp"}) == {"tenant.id": "acme"}
    assert [notice.key for notice in notices.notices()] == ["tenant:cut:user.id"]


def test_a_record_with_room_for_one_attribute_keeps_its_tenant(monkeypatch):
    """Where there are too many, the oldest go."""
    monkeypatch.setenv("OTEL_ATTRIBUTE_COUNT_LIMIT", "1")
    logs = Logs(aliases=["app.customer"])
    with tracium.tenant("acme"), tracium.user("u-1"):
        assert logs.emit()["tenant.id"] == "acme"
