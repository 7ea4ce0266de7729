"""`TraciumClient`: the older SDK's handle, on the one running tracium of the process."""

from __future__ import annotations

import pytest
from support.app import environment, run_app
from support.receiver import http_receiver

from tracium.exceptions import RemovedError
from tracium.startup.client import TraciumClient, get_client, get_queue_stats, running_client

# Methods of the older client that asked or told its HTTP API.
REMOVED = {
    "start_agent_trace": "start_trace",
    "record_agent_spans": "run.span",
    "update_agent_span": "run.span",
    "complete_agent_trace": "start_trace",
    "fail_agent_trace": "mark_failed",
    "trigger_drift_check": "tracium usage",
    "trigger_prompt_embeddings_drift_check": "tracium usage",
    "get_gantt_data": "tracium serve",
    "get_current_user": "tracium.user",
}


@pytest.fixture
def receiver():
    with http_receiver() as running:
        yield running


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("verb", ["init", "trace"])
def test_older_code_runs(receiver, verb):
    """`init` and `trace` give the client; its runs, its numbers and its end work as they did."""
    run_app(
        f"""
        import tracium
        switches = {{}} if "{verb}" == "init" else {{"auto_instrument_langchain": True, "auto_instrument_llm_clients": False}}
        client = tracium.{verb}(
            api_key="sk_live_0123456789", base_url="{receiver.url}", default_version="3", capture_media=False, **switches
        )
        assert client is tracium.get_client()
        assert isinstance(client, tracium.TraciumClient)
        tracium.set_tenant("acme")
        with client.agent_trace(agent_name="support") as run:
            assert tracium.current_trace() is run
            with run.span(span_type="tool", name="search"):
                pass
            with tracium.span(span_type="plan", name="next"):
                pass
        assert tracium.current_trace() is None
        try:
            tracium.span(span_type="plan")
        except RuntimeError as error:
            assert "start_trace" in str(error)
        else:
            raise AssertionError
        assert client.flush()
        stats = tracium.get_queue_stats()
        assert stats == client.get_queue_stats()
        assert (stats["total_sent"], stats["total_failed"], stats["total_dropped"]) == (3, 0, 0), stats
        assert (stats["queue_size"], stats["max_queue_size"], stats["capacity_percent"]) == (0, 2048, 0), stats
        assert (stats["success_rate"], stats["drop_rate"], stats["is_healthy"]) == (1, 0, True), stats
        client.close()
        with client:
            tracium.start_trace("later").__enter__().__exit__(None, None, None)
        """,
        environment(),
    )
    assert {span.name: span.tenant for span in receiver.spans} == {
        "invoke_agent support": "acme",
        "execute_tool search": "acme",
        "plan next": "acme",
        "invoke_agent later": "acme",
    }
    assert receiver.headers[0]["authorization"] == "Bearer sk_live_0123456789"


def test_a_client_that_is_made_sets_tracium_up_and_a_second_destination_is_refused(receiver):
    """One process sends to one destination: spans of one customer never go to another's account."""
    run_app(
        f"""
        import warnings
        warnings.simplefilter("ignore", DeprecationWarning)
        import tracium
        from opentelemetry.trace import get_tracer
        client = tracium.TraciumClient.init(api_key="sk_live_0123456789", base_url="{receiver.url}")
        again = tracium.TraciumClient("sk_live_0123456789", base_url="{receiver.url}")
        for other in ({{"api_key": "sk_live_other_one"}}, {{"base_url": "http://127.0.0.1:1"}}):
            try:
                tracium.TraciumClient.init(**other)
            except tracium.exceptions.RemovedError as error:
                assert "{receiver.url}" in str(error) and "sk_live" not in str(error)
            else:
                raise AssertionError(other)
        assert client.trace() is client
        assert tracium.report().libraries
        get_tracer("app").start_span("work").end()
        """,
        environment(),
    )
    assert [span.name for span in receiver.spans] == ["work"]


def test_there_is_no_client_before_the_set_up():
    """As it was; this test's own process is never set up."""
    with pytest.raises(RuntimeError, match=r"call tracium.init\(\)"):
        get_client()
    with pytest.raises(RuntimeError, match=r"call tracium.init\(\)"):
        get_queue_stats()


def test_without_a_key_nothing_is_refused():
    """The older `init` wanted one; a local receiver needs none."""
    run_app(
        "import tracium\nclient = tracium.init()\nassert client is not None\n", environment(OTEL_TRACES_EXPORTER="none")
    )


def test_what_others_export_has_no_numbers():
    """It is not healthy, because nobody knows."""
    run_app(
        """
        import warnings
        warnings.simplefilter("ignore", DeprecationWarning)
        import tracium
        tracium.init()
        stats = tracium.get_queue_stats()
        assert "does not export" in stats["error"] and stats["is_healthy"] is False, stats
        """,
        environment(OTEL_TRACES_EXPORTER="none"),
    )


@pytest.mark.parametrize("name", sorted(REMOVED))
def test_a_method_that_is_gone_names_what_is_there(name):
    """The error is an `AttributeError`, so that code which asks first gets an answer."""
    with pytest.raises(RemovedError, match=REMOVED[name]):
        getattr(running_client(), name)
    assert not hasattr(running_client(), name)


def test_a_run_that_starts_late_is_refused():
    """And what never was is no attribute."""
    with pytest.deprecated_call(), pytest.raises(RemovedError, match="where its first step begins"):
        running_client().agent_trace(agent_name="support", lazy_start=True)
    with pytest.raises(AttributeError, match="'TraciumClient' object has no attribute 'nonsense'"):
        running_client().nonsense  # noqa: B018 - that is what is tried


def test_a_transport_is_refused():
    """Before anything is set up."""
    with pytest.raises(RemovedError, match="protocol="):
        TraciumClient("sk_live_0123456789", transport=object())
