"""`tracium doctor`, as a user runs it."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from support.app import BIN, environment, free_port
from support.receiver import http_receiver

TRACIUM = str(BIN / "tracium")


def doctor(*arguments, env):
    return subprocess.run(
        [TRACIUM, "doctor", *arguments], env=env, capture_output=True, text=True, timeout=60, check=False
    )


@pytest.fixture
def receiver():
    with http_receiver() as running:
        yield running


def test_all_is_well(receiver):
    """With a destination that answers, nothing is wrong and the exit code is 0."""
    ended = doctor(env=environment(receiver, TRACIUM_API_KEY="sk_1"))
    assert ended.returncode == 0, ended.stdout
    assert "Nothing is wrong." in ended.stdout
    assert receiver.url in ended.stdout
    assert "openai" in ended.stdout
    assert ended.stderr == ""


def test_what_is_wrong_is_numbered_and_the_exit_code_is_1():
    """A destination that does not answer is a problem with a cure."""
    ended = doctor(env=environment(TRACIUM_ENDPOINT=f"http://127.0.0.1:{free_port()}"))
    assert ended.returncode == 1
    assert "cannot be reached" in " ".join(ended.stdout.split())
    assert "1 problem found." in ended.stdout


def test_a_bad_setting_is_one_sentence():
    """No traceback for what the user can mend."""
    ended = doctor(env=environment(TRACIUM_ENDPOINT="nonsense"))
    assert ended.returncode == 1
    assert ended.stderr.startswith("tracium: TRACIUM_ENDPOINT is 'nonsense'")
    assert "Traceback" not in ended.stderr


def test_json_is_the_report(receiver):
    """For machines."""
    ended = doctor("--json", env=environment(receiver))
    report = json.loads(ended.stdout)
    assert report["destination"]["url"] == f"{receiver.url}/v1/traces"
    assert report["answers"] is True


APP = "import tracium, time; tracium.trace(); import openai, flask; {then}"


@pytest.mark.parametrize("then", ["pass", "time.sleep(60)"], ids=["it ends", "it serves"])
def test_a_command_is_looked_at_from_inside(receiver, then):
    """The report is that of the process that COMMAND starts, whether it ends by itself or not."""
    ended = doctor("--wait", "3", "--", sys.executable, "-c", APP.format(then=then), env=environment(receiver))
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "openai" in ended.stdout
    assert "instrumented by" in ended.stdout


def test_a_command_with_a_problem(receiver):
    """What is wrong inside is wrong for doctor."""
    code = APP.format(
        then="tracium.init(endpoint='http://127.0.0.1:1'); tracium.start_trace('x').__enter__().__exit__(None, None, None)"
    )
    ended = doctor("--", sys.executable, "-c", code, env=environment(receiver))
    assert ended.returncode == 1
    assert "cannot be reached" in " ".join(ended.stdout.split())


@pytest.mark.parametrize(
    ("command", "said"),
    [(["true"], "ended with exit code 0 and had not called"), (["no-such-command"], "cannot be started")],
)
def test_a_command_without_tracium_is_named(receiver, command, said):
    """There is nothing to tell about an app that never called tracium."""
    ended = doctor("--", *command, env=environment(receiver))
    assert ended.returncode == 1
    assert said in ended.stderr


def test_a_command_with_the_sdk_disabled_is_told_so(receiver):
    """It has called tracium, and it is nobody's mistake that nothing is sent."""
    command = (sys.executable, "-c", APP.format(then="pass"))
    ended = doctor("--", *command, env=environment(receiver, OTEL_SDK_DISABLED="true"))
    assert (ended.returncode, ended.stdout.splitlines()[0].partition(" (")[2].partition(",")[0]) == (0, "disabled")


def test_logs_and_metrics_are_told_too(receiver):
    """Where they go, if they do."""
    ended = doctor("--json", env=environment(receiver, TRACIUM_LOGS="true", TRACIUM_METRICS="true"))
    report = json.loads(ended.stdout)
    assert [report[signal]["url"] for signal in ("logs", "metrics")] == [
        f"{receiver.url}/v1/logs",
        f"{receiver.url}/v1/metrics",
    ]
