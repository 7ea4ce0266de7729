"""The test kit, as users have it."""

from __future__ import annotations

import subprocess
import sys

import pytest
from opentelemetry import trace
from opentelemetry.context import Context, set_value
from support.app import environment, run_app

import tracium
from tracium.tenancy.standing import STANDING
from tracium.testing import assert_one_tenant_per_trace, assert_tenant, memory_pipeline

USER_TEST = """
import tracium
def test_work(tracium_pipeline):
    with tracium.tenant("acme"):
        tracium_pipeline.tracer.start_span("work").end()
    assert tracium_pipeline.tenants() == {"work": "acme"}
"""


@pytest.fixture
def kit():
    with memory_pipeline() as pipeline:
        yield pipeline


def test_the_fixture_is_a_pytest_plugin(tmp_path):
    """One line in a user's conftest.py."""
    (tmp_path / "conftest.py").write_text('pytest_plugins = ["tracium.testing"]')
    (tmp_path / "test_app.py").write_text(USER_TEST)
    command = [sys.executable, "-m", "pytest", "-q", "-W", "error", "-p", "no:asyncio", "-p", "no:cacheprovider", "."]
    ran = subprocess.run(command, check=False, capture_output=True, cwd=tmp_path)
    assert ran.returncode == 0, ran.stdout.decode()


def test_it_marks_spans_and_leaves_the_global_provider_alone(kit):
    """As tracium does in the app."""
    before = trace.get_tracer_provider()
    with tracium.tenant("acme"), kit.tracer.start_as_current_span("work"):
        pass
    assert kit.tenants() == {"work": "acme"}
    assert trace.get_tracer_provider() is before
    kit.clear()
    assert kit.spans == ()


def test_a_pipeline_begins_without_a_tenant_and_leaves_none_behind():
    """What the code around it and the test in it set stays apart."""
    tracium.set_tenant("around")
    with memory_pipeline(default_tenant="anonymous") as pipeline:
        assert tracium.get_current_tenant() is None
        pipeline.tracer.start_span("nobody").end()
        tracium.set_tenant("inside")
    assert tracium.get_current_tenant() == "around"
    assert pipeline.tenants() == {"nobody": "anonymous"}


def test_a_fault_is_raised_inside():
    """It cannot hide behind a log line."""
    with memory_pipeline() as pipeline, pytest.raises(AttributeError):
        pipeline.tracer.start_span("work", context=set_value(STANDING, "nonsense", Context()))


def test_the_spans_of_an_app_are_seen_as_long_as_somebody_looks():
    """Through the global provider that `tracium.trace()` makes, which is asked for by name if it is not there."""
    ended = run_app(
        """
        import os
        os.environ["OTEL_TRACES_EXPORTER"] = "none"
        import tracium
        from opentelemetry.trace import get_tracer
        from tracium.testing import captured_spans
        try:
            with captured_spans():
                pass
        except RuntimeError as error:
            print(error)
        tracium.trace()
        for number in range(2):
            with captured_spans() as outer, captured_spans() as inner, tracium.tenant("acme"):
                get_tracer("app").start_span(f"work {number}").end()
            get_tracer("app").start_span("unseen").end()
            print(outer.tenants(), inner.tenants())
        """,
        environment(),
    )
    assert ended.stdout.splitlines() == [
        (
            "The global tracer provider is opentelemetry.trace.ProxyTracerProvider, whose spans cannot be seen. Call "
            "tracium.trace() before, with OTEL_TRACES_EXPORTER=none so that nothing is sent."
        ),
        "{'work 0': 'acme'} {'work 0': 'acme'}",
        "{'work 1': 'acme'} {'work 1': 'acme'}",
    ]


def test_assertions_say_what_they_found(kit):
    """By span and tenant."""
    with kit.tracer.start_as_current_span("none"):
        for tenant in ("a", "b"):
            with tracium.tenant(tenant):
                kit.tracer.start_span(f"work of {tenant}").end()
    a, b, none = kit.spans
    assert_tenant(a, "a")
    assert_tenant(none, None)
    assert_one_tenant_per_trace([a, none])
    with pytest.raises(AssertionError, match="'work of a' belongs to the tenant 'a', not to 'b'"):
        assert_tenant(a, "b")
    with pytest.raises(AssertionError, match="has two tenants: the span 'work of a' belongs to 'a' and 'work of b'"):
        assert_one_tenant_per_trace([a, b, none])
