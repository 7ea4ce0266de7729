"""A destination that is down, and a Collector that is killed, cost nothing but what tail sampling holds in memory."""

from __future__ import annotations

import pytest
from support.clickhouse_front import ask, clickhouse_front
from support.collector import CONFIG, Collecting, branches, free_port
from support.otlp_requests import request, span
from support.otlp_signals import log_request, metric, metric_request, record
from support.waiting import eventually

pytestmark = pytest.mark.timeout(300)
SPANS = 2000


@pytest.fixture
def collector(tmp_path, places):
    with Collecting(
        tmp_path, CLICKHOUSE=f"http://127.0.0.1:{free_port()}?compress=none", **branches(places)
    ) as started:
        yield started


def port_of(collector):
    return int(collector.variables["CLICKHOUSE"].partition("?")[0].rpartition(":")[2])


def send_all(collector, who):
    for first in range(0, SPANS, 500):
        spans = [span(who, name=f"{number}") for number in range(first, first + 500)]
        assert collector.send(collector.services, request(*spans), x_tenant_id=who) == 200
    assert collector.send(collector.services, log_request(record(who, body="kept")), "logs") == 200
    assert (
        collector.send(collector.services, metric_request(metric("kept", "gauge", tenant=who, as_int=1)), "metrics")
        == 200
    )


def counts(front):
    sql = "SELECT count() AS n, uniqExact(SpanName) AS names FROM otel_traces"
    logs, points = (
        ask(front, f"SELECT count() AS n FROM {table}")[0]["n"] for table in ("otel_logs", "otel_metrics_gauge")
    )
    (found,) = ask(front, sql)
    (rolled,) = ask(front, "SELECT sum(Spans) AS n FROM tracium_requests_15m")
    return tuple(int(n) for n in (found["n"], found["names"], rolled["n"], logs, points))


def test_clickhouse_is_down_and_comes_back(collector, tmp_path):
    """What was sent meanwhile is there when it is back, once, in the roll-ups too; senders notice nothing."""
    send_all(collector, "acme")
    with clickhouse_front(tmp_path / "store", port_of(collector)) as front:
        eventually(lambda: counts(front), (SPANS, SPANS, SPANS, 1, 1), 60)


def test_the_collector_is_killed_with_a_full_queue(collector, places, tmp_path):
    """The queue on disk is sent after the restart; Tempo's spans still have their tenant's header."""
    for name in ("eu", "tempo"):
        places[name].status = 503
    send_all(collector, "initech")
    send_all(collector, "killed")
    collector.kill()
    for name in ("eu", "tempo"):
        places[name].status = 200
        places[name].headers.clear()
        places[name].spans.clear()
    collector.start()
    with clickhouse_front(tmp_path / "store", port_of(collector)) as front:
        eventually(lambda: counts(front), (SPANS, SPANS, SPANS, 1, 1), 60)
    names = sorted(map(str, range(SPANS)))
    for place, who in (("eu", "initech"), ("tempo", "killed")):
        # What had gone out when the Collector was killed may come a second time.
        eventually(lambda place=place: sorted({one.name for one in places[place].spans}), names, 60)
        assert {one.tenant for one in places[place].spans} == {who}
    assert {headers.get("x-scope-orgid") for headers in places["tempo"].headers} == {"killed"}


def test_a_full_queue_is_said_to_senders(tmp_path, places):
    """When no more fits, senders are asked to come again: nothing is accepted that is not kept."""
    config = tmp_path / "config.yaml"
    small = CONFIG.read_text().replace("queue_size: 1000000", "queue_size: 100")
    config.write_text(small.replace("min_size: 5000", "min_size: 10").replace("min_size: 1000", "min_size: 10"))
    variables = {"CLICKHOUSE": f"http://127.0.0.1:{free_port()}?compress=none"}
    with Collecting(tmp_path, config=config, **variables) as collector:
        answers = [
            collector.send(collector.services, request(*(span("acme", name=f"{n} {m}") for m in range(50))))
            for n in range(5)
        ]
        accepted = [number for number, answer in enumerate(answers) if answer == 200]
        assert set(answers) == {200, 503}
        with clickhouse_front(
            tmp_path / "store", int(variables["CLICKHOUSE"].partition("?")[0].rpartition(":")[2])
        ) as front:
            sql = "SELECT DISTINCT splitByChar(' ', SpanName)[1] AS n FROM otel_traces"
            eventually(lambda: sorted(int(row["n"]) for row in ask(front, sql)), accepted, 60)
