"""docker-compose.yml, as Compose's own parser reads it: there is no engine here to start it with."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from support.collector import CONFIG, ROOT

from tracium.cli.serve import command as serve

FILE = ROOT / "docker-compose.yml"
DOCKERFILE = ROOT / "examples/compose/Dockerfile"
SECRET = "a-secret-of-the-test"


def parse(**variables):
    """What `docker compose config` reads, by Compose's own library."""
    if not shutil.which("go"):
        if os.environ.get("CI"):
            pytest.fail("Compose's parser is built with Go, which is not installed.")
        pytest.skip("Compose's parser is built with Go, which is not installed.")
    environ = {name: value for name, value in os.environ.items() if name != "CLICKHOUSE_PASSWORD"}
    return subprocess.run(
        ["go", "run", ".", str(FILE)],
        cwd=ROOT / ".ci/compose",
        env=environ | {"GOFLAGS": "-mod=readonly"} | variables,
        capture_output=True,
        text=True,
        timeout=280,
    )


@pytest.fixture(scope="module")
def services():
    done = parse(CLICKHOUSE_PASSWORD=SECRET)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)["services"]


@pytest.mark.timeout(300)
def test_it_is_valid_and_complete(services):
    """Compose takes it, and it has the whole product."""
    assert set(services) == {"clickhouse", "tracium", "collector", "model", "app"}


@pytest.mark.timeout(300)
def test_a_secret_that_is_missing_is_said():
    """Nothing starts with an empty password."""
    done = parse()
    assert done.returncode == 1
    assert "Write CLICKHOUSE_PASSWORD=… into .env" in done.stderr


def test_images_are_pinned(services):
    """No image moves by itself, and the Dockerfile's do not either."""
    bases = re.findall(r"^FROM (\S+:\S+) ", DOCKERFILE.read_text(), re.MULTILINE)
    assert bases
    for image in [*bases, *(one["image"] for one in services.values() if "image" in one)]:
        assert re.fullmatch(r"[\w./-]+:\d+\.\d+[\w.-]*", image), image


def test_only_this_machine_reaches_it(services):
    """Every port is published on loopback, and what is on the host's network listens there."""
    for name, one in services.items():
        assert {port["host_ip"] for port in one.get("ports", [])} <= {"127.0.0.1"}, name
    assert services["tracium"]["network_mode"] == "host"
    command = services["tracium"]["command"]
    assert command[command.index("--host") + 1] == "127.0.0.1"


def test_what_is_mounted_is_there(services):
    """Each mounted file and each build context, Dockerfile and target exists."""
    text = DOCKERFILE.read_text()
    for one in services.values():
        for volume in one.get("volumes", []):
            if volume["type"] == "bind":
                assert Path(volume["source"]).exists(), volume
        if "build" in one:
            assert (Path(one["build"]["context"]) / one["build"]["dockerfile"]).samefile(DOCKERFILE)
            assert f" AS {one['build']['target']}\n" in text
    copied = re.findall(r"^COPY (?!--from)(.+) \S+$", text, re.MULTILINE)
    assert copied
    assert all((ROOT / name).exists() for line in copied for name in line.split())


def test_variables_and_options_exist(services):
    """What is set is what the Collector's configuration, `tracium serve` and the demo's app read."""
    read = set(re.findall(r"\$\{env:(\w+)", CONFIG.read_text()))
    assert set(services["collector"]["environment"]) - {"GOMEMLIMIT"} <= read
    options = {name for parameter in serve.params for name in parameter.opts}
    assert {word for word in services["tracium"]["command"] if word.startswith("--")} <= options
    app = (ROOT / "src/tracium/cli/demo/app.py").read_text()
    assert "AsyncOpenAI(" in app
    assert set(services["tracium"]["environment"]) == {"TRACIUM_DSN"}


def test_what_starts_first_is_healthy_first(services):
    """Whatever is waited for has a health check, and secrets come from outside."""
    for one in services.values():
        for name, condition in (one.get("depends_on") or {}).items():
            assert condition["condition"] != "service_healthy" or "healthcheck" in services[name]
    assert [name for name in services if "healthcheck" not in services[name]] == ["collector"]
    assert SECRET not in FILE.read_text()
    assert services["clickhouse"]["environment"]["CLICKHOUSE_PASSWORD"] == SECRET


def test_the_image_is_small_and_not_roots():
    """`tracium serve` is installed without the embedded engine, and does not run as root."""
    serve_stage = DOCKERFILE.read_text().rpartition(" AS serve\n")[2]
    assert "[server]" in serve_stage
    assert "USER tracium" in serve_stage
    assert "local" not in serve_stage
