"""A tracing pipeline in memory for the tests that need no process of their own."""

from __future__ import annotations

import contextvars

import hypothesis
import pytest
from opentelemetry.context import Context, attach, detach

from tracium import faults, notices
from tracium.signals import TenantSpanProcessor, tenant_span_processor
from tracium.testing import MemoryPipeline

pytest_plugins = ["support.mechanisms", "support.accounts"]

# They have environments of their own: `make test-arq`, `make test-llama-index`.
collect_ignore = ["environments/test_arq.py", "environments/test_llama_index.py"]

# No test asserts a time: machines are noisy.
hypothesis.settings.register_profile("tracium", deadline=None)
hypothesis.settings.load_profile("tracium")


class Pipeline(MemoryPipeline):
    """The test kit's pipeline, with one look more."""

    def span(self, name):
        """The one span of this name."""
        (found,) = [span for span in self.spans if span.name == name]
        return found


@pytest.fixture(autouse=True)
def _clean_context():
    """Every test begins without tenant and notices, and a fault of ours is a failure."""
    notices.reset()
    token = attach(Context())
    with faults.raising():
        yield
    try:
        detach(token)
    except ValueError:
        contextvars.copy_context()


@pytest.fixture(params=["direct", "public"])
def way(request):
    """Both ways to mark spans keep the same rules."""
    return request.param


@pytest.fixture
def make_pipeline(way):
    def make(default=None, **options):
        processor = tenant_span_processor(default) if way == "direct" else TenantSpanProcessor(default)
        return Pipeline(processor=processor, **options)

    return make


@pytest.fixture
def pipeline(make_pipeline):
    return make_pipeline()


def pytest_make_parametrize_id(val, argname):
    """Bytes are no name for a test: some are made of random ids, and each process would have another name for it."""
    return argname if isinstance(val, bytes) else None
