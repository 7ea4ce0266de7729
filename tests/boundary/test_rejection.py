"""A tenant that arrives and is not believed is counted, and said once for each reason, with the cure."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pytest
from opentelemetry.baggage.propagation import W3CBaggagePropagator
from opentelemetry.context import Context
from opentelemetry.propagators.textmap import default_getter
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader

from tracium import notices
from tracium.attributes import REJECTED, REJECTION_REASON
from tracium.boundary import broker, rejection
from tracium.boundary.propagation import TenantPropagator
from tracium.boundary.signature import Verdict

SENT = {
    "oversize": "tenant.id=acme,x=" + "y" * 9000,
    "ambiguous": "tenant.id=a,tenant.id=b",
    "broken": "tenant.id=%zz",
    "invalid": "tenant.id=" + "a" * 256,
}


@pytest.fixture
def counted(monkeypatch):
    """How often each reason was counted, by a meter provider of the SDK's."""
    reader = InMemoryMetricReader()
    provider = MeterProvider([reader], shutdown_on_exit=False)
    monkeypatch.setattr("opentelemetry.metrics.get_meter", provider.get_meter)
    rejection._counter.cache_clear()

    def look():
        data = reader.get_metrics_data()
        found = Counter()
        for resource in () if data is None else data.resource_metrics:
            for scope in resource.scope_metrics:
                assert scope.scope.name == "tracium"
                for metric in scope.metrics:
                    assert (metric.name, metric.unit) == (REJECTED, "{tenant}")
                    for point in metric.data.data_points:
                        assert set(point.attributes) == {REJECTION_REASON}
                        found[point.attributes[REJECTION_REASON]] += point.value
        return found

    yield look
    rejection._counter.cache_clear()
    provider.shutdown()


def arrive(header):
    return broker.receive({"baggage": header}, default_getter, Context())[1]


def test_each_reason_is_counted_and_said_once(counted, caplog):
    """Whoever watches the metric sees how many, and the log says what to do."""
    for reason, header in SENT.items():
        for _ in range(3):
            assert arrive(header) is None
        assert counted()[reason] == 3
    assert counted() == dict.fromkeys(SENT, 3)
    assert [notice.key for notice in notices.notices()] == [f"tenant:{reason}" for reason in SENT]
    said = [record for record in caplog.records if record.name == "tracium"]
    assert len(said) == len(SENT)
    for record in said:
        assert record.levelname == "WARNING"
        assert re.search(r"the work goes on without a tenant\. Send ", record.getMessage())


def test_a_request_from_outside_is_counted_as_unproven(counted):
    """Another reason than those of messages: its cure is another."""
    TenantPropagator(W3CBaggagePropagator()).extract({"baggage": "tenant.id=evil"})
    assert counted() == {"unproven": 1}


def test_what_is_believed_or_names_no_tenant_is_not_counted(counted):
    """Nor said."""
    for header in ("", "color=blue", "tenant.id=acme", "tenant.id=acme,tenant.id=acme", "x=" + "y" * 9000):
        arrive(header)
    assert counted() == {}
    assert notices.notices() == ()


@pytest.mark.parametrize("reason", sorted(rejection._WHY))
def test_each_reason_has_a_sentence_and_a_row_in_the_documentation(reason, caplog):
    """What happened, what becomes of it, and the cure."""
    rejection.reject(reason)
    (said,) = [record.getMessage() for record in caplog.records if record.name == "tracium"]
    assert "so it is dropped" in said or "so the work goes on without a tenant" in said
    assert f"| `{reason}` |" in (Path(__file__).parents[2] / "docs" / "trust.md").read_text()


def test_every_verdict_on_a_signature_is_a_reason():
    """Or the tenant would be dropped in silence."""
    assert {verdict.value for verdict in Verdict} - {"valid"} <= set(rejection._WHY)
