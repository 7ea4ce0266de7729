"""How instrumentors are found, chosen and applied, and what is said of those that cannot be."""

from __future__ import annotations

import textwrap

from support.app import environment, run_app

PROBLEMS = "print(*tracium.report().problems, sep=chr(10))"


def distribution(folder, name, entry_point, *, requires="", body="", version="1.0"):
    """A small instrumentor, installed into `folder` as pip would."""
    module = name.replace("-", "_")
    info = folder / f"{module}-{version}.dist-info"
    info.mkdir()
    lines = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\nProvides-Extra: instruments\n"
    lines += f'Requires-Dist: {requires}; extra == "instruments"\n' if requires else ""
    (info / "METADATA").write_text(lines)
    if entry_point:
        (info / "entry_points.txt").write_text(f"[opentelemetry_instrumentor]\n{entry_point} = {module}:Instrumentor\n")
    (folder / f"{module}.py").write_text(textwrap.dedent(body) or "import this_is_not_installed\n")


WORKING = """
from opentelemetry.instrumentation.instrumentor import BaseInstrumentor

class Instrumentor(BaseInstrumentor):
    def instrumentation_dependencies(self): return ()
    def _instrument(self, **kwargs): print("patched by", __name__)
    def _uninstrument(self, **kwargs): pass
"""


def test_of_two_instrumentors_of_openai_one_is_applied_and_named(receiver, tmp_path):
    """openai-v2 and its continuation share the entry point's name; the continuation is used."""
    distribution(tmp_path, "opentelemetry-instrumentation-openai-v2", "openai", requires="openai>=1.26", body=WORKING)
    ended = run_app(
        "import logging, tracium\nlogging.basicConfig()\ntracium.trace()\nimport openai\n"
        'print({f.name: f.instrumentor for f in tracium.report().libraries}["openai"])',
        environment(receiver, PYTHONPATH=str(tmp_path)),
    )
    assert ended.stdout.startswith("opentelemetry-instrumentation-genai-openai")
    assert "patched" not in ended.stdout
    assert "Two packages instrument openai: opentelemetry-instrumentation-genai-openai" in ended.stderr


def test_an_instrumentor_that_does_not_import_is_named(receiver, tmp_path):
    """The user's import goes on; the log says who failed, why, and what to do."""
    distribution(tmp_path, "acme-instrumentor", "flask", requires="flask>=1", body="import missing_module")
    ended = run_app(
        f"import logging, tracium\nlogging.basicConfig()\ntracium.trace()\nimport flask\n{PROBLEMS}",
        environment(receiver, PYTHONPATH=str(tmp_path), OTEL_PYTHON_DISABLED_INSTRUMENTATIONS="none-of-them"),
    )
    said = "flask" in ended.stdout and ("missing_module" in ended.stdout or "Two packages" in ended.stdout)
    assert said, ended.stdout


def test_a_library_of_a_version_that_cannot_be_instrumented_is_named(receiver, tmp_path):
    """It is said when the library is imported, not before."""
    distribution(tmp_path, "anthropic", None, body="app = None", version="2.0")
    distribution(tmp_path, "some-anthropic-instrumentor", "anthropic", requires="anthropic>=1,<2", body=WORKING)
    ended = run_app(
        "import logging, tracium\nlogging.basicConfig()\ntracium.trace()\n"
        'assert not [p for p in tracium.report().problems if "is used" in p]\nimport anthropic\n' + PROBLEMS,
        environment(receiver, PYTHONPATH=str(tmp_path)),
    )
    assert "anthropic 2.0 is used but not instrumented" in ended.stdout
    assert "anthropic<2,>=1" in ended.stdout


def test_a_library_that_nothing_instruments_is_named_with_its_extra(receiver, tmp_path):
    """The cure is the command that installs the extra."""
    distribution(tmp_path, "anthropic", None, body="app = None", version="2.0")
    ended = run_app(
        f"import logging, tracium\nlogging.basicConfig()\ntracium.trace()\nimport anthropic\n{PROBLEMS}",
        environment(receiver, PYTHONPATH=str(tmp_path)),
    )
    assert 'pip install "tracium[anthropic]"' in ended.stderr
    assert 'pip install "tracium[anthropic]"' in ended.stdout


def test_an_unknown_instrumentor_waits_for_its_library_too(receiver, tmp_path):
    """Any instrumentor works, not only those of the extras."""
    distribution(tmp_path, "wonderful-lib", None, body="x = 1")
    distribution(tmp_path, "wonderful-instrumentor", "wonderful", requires="wonderful-lib>=1", body=WORKING)
    ended = run_app(
        'import tracium\ntracium.trace()\nprint("traced")\nimport wonderful_lib\n',
        environment(receiver, PYTHONPATH=str(tmp_path)),
    )
    assert ended.stdout.splitlines() == ["traced", "patched by wonderful_instrumentor"]


def test_disabled_instrumentations_are_left_alone(receiver, tmp_path):
    """OTEL_PYTHON_DISABLED_INSTRUMENTATIONS holds, also for all of them."""
    distribution(tmp_path, "wonderful-lib", None, body="x = 1")
    distribution(tmp_path, "wonderful-instrumentor", "wonderful", requires="wonderful-lib>=1", body=WORKING)
    for disabled in ("flask, wonderful", "*"):
        ended = run_app(
            "import tracium\ntracium.trace()\nimport wonderful_lib\n"
            'print({f.name: f.state for f in tracium.report().libraries}["wonderful"])',
            environment(receiver, PYTHONPATH=str(tmp_path), OTEL_PYTHON_DISABLED_INSTRUMENTATIONS=disabled),
        )
        assert ended.stdout.split() == ["disabled"]


def test_a_library_imported_before_trace_is_instrumented_at_once(receiver):
    """`trace()` may be called after the imports."""
    ended = run_app(
        "import openai, tracium\ntracium.trace()\n"
        'print({f.name: f.state for f in tracium.report().libraries}["openai"])',
        environment(receiver),
    )
    assert ended.stdout.strip() == "instrumented"
