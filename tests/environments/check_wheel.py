"""What a user has after `pip install tracium`, looked at with nothing but the standard library and tracium itself."""

from __future__ import annotations

import subprocess
import sys
from importlib import metadata
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from support.app import BIN, environment, free_port, run_app
from support.receiver import http_receiver

MOST_DISTRIBUTIONS = 25


def tracium(*arguments, **variables):
    return subprocess.run([BIN / "tracium", *arguments], env=environment(**variables), capture_output=True, text=True)


def main():
    installed = {distribution.name for distribution in metadata.distributions()}
    assert len(installed) <= MOST_DISTRIBUTIONS, f"{len(installed)} distributions: {sorted(installed)}"
    assert any(str(path).endswith("tracium/py.typed") for path in metadata.files("tracium")), "py.typed is missing"
    licences = [path for path in metadata.files("tracium") if path.name == "LICENSE"]
    assert licences, "the licence is missing"
    assert metadata.version("tracium") == "2.0.0"

    with http_receiver() as receiver:
        run_app(
            "import tracium\ntracium.trace()\ntracium.set_tenant('acme')\nwith tracium.start_trace('agent'): pass\n",
            environment(receiver),
        )
        assert [span.tenant for span in receiver.spans] == ["acme"]
        doctor = tracium("doctor", TRACIUM_ENDPOINT=receiver.url)
        assert doctor.returncode == 0, doctor.stdout + doctor.stderr

    assert tracium("--version").stdout.startswith("tracium, version 2.0.0")
    for command in ("serve", "demo"):
        answer = tracium(command, TRACIUM_PORT=str(free_port()))
        assert answer.returncode == 1, answer
        assert answer.stderr.count("\n") == 1, answer.stderr
        assert "pip install" in answer.stderr, answer.stderr
    print(
        f"{len(installed)} distributions; import, export, doctor and the sentences for what is not installed: as they should be"
    )
    print("1 passed, 0 failed")


if __name__ == "__main__":
    main()
