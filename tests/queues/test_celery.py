"""Celery: real workers on a real Redis, each mechanism with its tenant and its trace, and nothing left behind."""

from __future__ import annotations

import pytest
from support.celery import celery_worker, troubles

# scenario of the app: its name in the documentation, and how many messages it takes
SCENARIOS = {
    "delay": ("delay", 1),
    "countdown": ("apply_async with countdown", 1),
    "chain": ("chain", 3),
    "group": ("group", 3),
    "chord": ("chord", 3),
    "chunks": ("chunks", 2),
    "starmap": ("starmap", 1),
    "retry": ("retry", 3),
    "autoretry": ("autoretry_for", 2),
    "replace": ("replace", 2),
    "link": ("link", 3),
    "link_error": ("link_error", 2),
    "link_error inline": ("link_error of the new style", 1),
    "chord error": ("chord whose header fails", 3),
    "nested": ("delay in a task", 2),
    "send_task by name": ("send_task by name", 1),
    "raise": ("task that raises", 1),
    "ignore": ("task that raises Ignore", 1),
    "reject": ("task that raises Reject", 1),
    "forwarded headers": ("headers of a message passed on", 2),
    "named in a chain": ("tenant named in the headers", 2),
}
OTHERS = ("named", "named nobody", "named badly", "for nobody")
FOREIGN = {
    "foreign": {None},
    "foreign with header": {None},
    "foreign with tenant": {"acme"},
    "foreign, broken": {None},
    "foreign, too long": {None},
    "foreign, ambiguous": {None},
}


@pytest.fixture(scope="module", params=["prefork", "threads"])
def pool(request):
    return request.param


@pytest.fixture(scope="module")
def worker(pool, redis_server, tmp_path_factory):
    """A worker of this pool that has ended, and what was sent to it."""
    url = f"{redis_server}/1"
    with celery_worker(tmp_path_factory.mktemp(pool), url, url, "--pool", pool, "-c", "2") as running:
        running.send(*SCENARIOS, *OTHERS)
        running.send(*FOREIGN, TRACE="no")
        if pool == "threads":
            running.send("unsampled", OTEL_TRACES_SAMPLER="always_off")
    return running


@pytest.mark.parametrize("name", SCENARIOS)
def test_mechanism(worker, pool, name, mechanism):
    """All tasks and sendings have the sender's tenant and trace, also where a task has set another tenant before."""
    what, messages = SCENARIOS[name]
    by = "named" if name.startswith("named") else None
    mechanism(f"Celery, {pool}: {what}", **worker.measured(name, messages, messages, by=by))


def test_a_header_names_the_tenant(worker):
    """Whatever holds where the message is sent; it is not in the headers then, and the others are."""
    seen = worker.done["named"]["seen"][0]
    assert (seen["tenant"], seen["header"], seen["other"]) == ("named", None, "header")
    assert worker.measured("named", 1, 1, by="named") == {"tenant": True, "trace": True, "clean": True}
    assert worker.done["named nobody"]["seen"][0]["tenant"] is None
    spans = worker.spans(worker.done["named nobody"]["expected"])
    assert {span.tenant for span in spans if span.name != "named nobody"} == {None}


def test_a_bad_name_is_refused_where_it_is_given(worker):
    """As by `set_tenant`; and nothing is sent."""
    ran = worker.done["named badly"]
    assert [each["error"] for each in ran["seen"]] == ["TenantValueError", "TenantValueError", "TenantTypeError"]
    assert ran["kept"]
    assert [span.name for span in worker.spans(ran["expected"])] == ["named badly"]


def test_a_task_for_nobody_can_say_for_whom_it_is(worker):
    """Its span and what it sends are that tenant's from then on; the message and its sender are not."""
    ran = worker.done["for nobody"]
    assert {seen["tenant"] for seen in ran["seen"]} == {"set in the task"}
    assert {span.name: span.tenant for span in worker.spans(ran["expected"])} == {
        "for nobody": None,
        "apply_async/celery_app.sets": None,
        "run/celery_app.sets": "set in the task",
        "apply_async/celery_app.see": "set in the task",
        "run/celery_app.see": "set in the task",
    }
    assert worker.measured("for nobody", 2, 2, by="set in the task")["clean"]


@pytest.mark.parametrize("name", FOREIGN)
def test_a_producer_without_tracium(worker, name):
    """Its messages are worked on; a tenant counts if it can be read for certain, and our name for a header says nothing."""
    seen = worker.done[name]["seen"]
    assert len(seen) == 3
    assert {seen[0]["tenant"]} == FOREIGN[name]
    assert "anyone" not in {each["tenant"] for each in seen}


def test_nothing_went_wrong(worker):
    """Neither we nor Celery nor the instrumentor had anything to say about it."""
    assert troubles(worker.log.read_text()) == []


@pytest.mark.parametrize("pool", ["threads"], scope="module", indirect=True)
def test_an_unsampled_message_has_its_tenant(worker):
    """Nobody makes spans of it."""
    ran = worker.done["unsampled"]
    assert {seen["tenant"] for seen in ran["seen"]} == {ran["for"]}
    assert {seen["trace"] for seen in ran["seen"]} == {ran["expected"]}
    assert worker.spans(ran["expected"]) == []
