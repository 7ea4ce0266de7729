"""The folder tree tells the architecture, and imports keep its direction."""

from __future__ import annotations

import ast
import subprocess
from pathlib import Path

import tracium

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "src" / "tracium"

# Each part may import itself and these. `notices` and `faults` are how anything of ours speaks up.
BELOW = {
    "attributes": set(),
    "exceptions": set(),
    "forks": set(),
    "notices": {"forks"},
    "faults": {"notices"},
    "tenancy": {"attributes", "exceptions", "forks", "notices", "faults"},
    "values": {"attributes", "exceptions", "tenancy"},
    "destination": {"exceptions", "values"},
    "settings": {"destination", "exceptions", "values"},
    "defaults": set(),
    "signals": {"attributes", "forks", "notices", "faults", "tenancy"},
    "boundary": {"attributes", "exceptions", "notices", "faults", "tenancy"},
    "startup": {
        "attributes",
        "boundary",
        "defaults",
        "destination",
        "exceptions",
        "faults",
        "forks",
        "notices",
        "settings",
        "signals",
        "tenancy",
    },
    "agents": {"attributes", "defaults", "exceptions", "faults", "forks", "notices", "signals", "tenancy"},
    "models": {"attributes", "exceptions", "faults", "notices", "signals", "tenancy"},
    "legacy": {"agents", "exceptions", "frameworks", "notices", "queues", "signals", "startup", "tenancy"},
    "concurrency": {"faults", "tenancy"},
    "clients": {"attributes", "boundary", "faults", "models", "notices", "tenancy"},
    "frameworks": {"attributes", "boundary", "exceptions", "notices", "faults", "tenancy"},
    "queues": {"attributes", "exceptions", "notices", "faults", "tenancy", "boundary"},
    "testing": {"attributes", "faults", "signals"},
    "server": {"attributes", "exceptions"},
    "cli": {"exceptions", "server", "startup", "tracium"},
    "__init__": {"agents", "exceptions", "legacy", "queues", "signals", "startup", "tenancy"},
    "__main__": {"cli"},
}

TOP_LEVEL = {
    ".ci",
    "CHANGELOG.md",
    "LICENSE",
    "Makefile",
    "README.md",
    "benchmarks",
    "docker-compose.yml",
    "docs",
    "examples",
    "otel-collector-config.yaml",
    "pyproject.toml",
    "src",
    "tests",
    "uv.lock",
}


def imports(path):
    """The parts of tracium that a file imports, wherever in it."""
    for node in ast.walk(ast.parse(path.read_text())):
        modules = []
        if isinstance(node, ast.Import):
            modules = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module is not None:
            # `from tracium import notices` names a part, `from tracium import trace` the face
            parts = [alias.name for alias in node.names if alias.name in BELOW]
            modules = [f"tracium.{part}" for part in parts] if node.module == "tracium" and parts else [node.module]
        for module in modules:
            names = module.split(".")
            if names[0] == "tracium":
                yield names[1] if len(names) > 1 else "tracium"


def test_imports_point_downwards():
    """One direction of flow; the server shares only words and errors with the rest."""
    wrong = []
    for path in PACKAGE.rglob("*.py"):
        part = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
        allowed = BELOW[part] | {part}
        wrong += [(str(path.relative_to(PACKAGE)), found) for found in imports(path) if found not in allowed]
    assert wrong == []


def test_the_top_level_holds_only_what_it_should():
    """A newcomer sees everything at a glance."""
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    assert {name.split("/")[0] for name in listed} <= TOP_LEVEL


def test_there_are_no_drawers_for_everything():
    """One noun a file."""
    names = {path.stem for path in PACKAGE.rglob("*.py")}
    assert not names & {"utils", "util", "helpers", "helper", "common", "misc", "tools"}


def test_the_face_is_sorted():
    """And has what it says."""
    assert list(tracium.__all__) == sorted(tracium.__all__)
    assert all(hasattr(tracium, name) for name in tracium.__all__)
