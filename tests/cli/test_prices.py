"""`tracium prices` and `tracium reprice`, while a server runs and while none does."""

from __future__ import annotations

import csv
import io
import json
import os
import subprocess
import sys
import time

import pytest
from support.otlp_requests import request, span
from support.serving import Serving

OWN = """
[[price]]
provider = "openai"
model = "house-*"
input = {price}
output = "{price}"
"""


def tracium(*arguments, code=0):
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("OTEL_", "TRACIUM_"))}
    done = subprocess.run(
        [sys.executable, "-m", "tracium", *arguments], capture_output=True, text=True, env=environ, timeout=60
    )
    assert done.returncode == code, done.stderr
    return done.stdout if code == 0 else done.stderr


def call(model):
    attributes = {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "gen_ai.response.model": model,
        "gen_ai.usage.input_tokens": 1_000_000,
        "gen_ai.usage.output_tokens": 1_000_000,
    }
    return span("acme", kind=3, parent=b"p" * 8, attributes=attributes, end=time.time_ns() - 3600 * 10**9)


@pytest.fixture
def data(tmp_path):
    return tmp_path / "data"


@pytest.fixture
def own(tmp_path):
    def write(price):
        path = tmp_path / "own.toml"
        path.write_text(OWN.format(price=price))
        return str(path)

    return write


def test_prices_from_a_file_to_the_past(data, own):
    """A model without a price gets one from a file, another one holds from now on, and reprice says what it changes."""
    with Serving(data) as server:
        assert server.send(request(call("house-1"), call("gpt-4o")).SerializeToString())[0] == 200
        told = json.loads(tracium("prices", "--json", "--data", str(data)))
        assert [(one["model"], one["input"]) for one in told["prices"]] == [("gpt-4o", "2.5")]
        assert [(one["model"], one["calls"]) for one in told["unpriced"]] == [("house-1", 1)]
        shown = tracium("prices", "--data", str(data))
        assert "genai-prices has no model 'house-1' of openai" in shown

        assert "1 price of own.toml is loaded" in tracium("prices", "load", own("1.5"), "--data", str(data))
        assert "nothing changes" in tracium("prices", "load", own("1.5"), "--data", str(data))
        assert json.loads(tracium("prices", "--json", "--data", str(data)))["unpriced"] == []
        tracium("prices", "load", own("2.5"), "--data", str(data))
        shown = tracium("reprice", "--dry-run", "--data", str(data))
        assert "$ 3.000000" in shown
        assert "In sum $ 3.00 would change to $ 5.00." in shown
        server.end()

    assert "In sum $ 3.00 changed to $ 5.00." in tracium("reprice", "--data", str(data))
    assert "nothing changes" in tracium("reprice", "--since", "7d", "--data", str(data))
    rows = list(csv.DictReader(io.StringIO(tracium("prices", "--csv", "--data", str(data)))))
    assert {(row["model"], row["source"], row["input"]) for row in rows} == {
        ("gpt-4o", "genai-prices", "2.5"),
        ("house-1", "override", "2.5"),
    }


def test_the_server_takes_a_file(data, own):
    """`tracium serve --prices` loads a file into the store, where it stays."""
    with Serving(data, "--prices", own("1.5")) as server:
        server.send(request(call("house-2")).SerializeToString())
        server.end()
    with Serving(data):
        (price,) = json.loads(tracium("prices", "--json", "--data", str(data)))["prices"]
    assert (price["source"], price["input"], price["matched"]) == ("override", "1.5", "provider=openai, model=house-*")
    assert price["version"].startswith("own.toml@")


def test_a_mistake_in_the_file_is_a_sentence(data, tmp_path):
    """A file that cannot be used is refused before anything is started or stored."""
    path = tmp_path / "wrong.toml"
    path.write_text('[[price]]\nmodel = "m"\ninput = -1')
    for arguments in (("prices", "load", str(path)), ("serve", "--port", "0", "--prices", str(path))):
        told = tracium(*arguments, "--data", str(data), code=1)
        assert "wrong.toml, table 1: input=-1 is no price in US dollars" in told
    assert "cannot be read" in tracium("prices", "load", str(tmp_path / "none.toml"), "--data", str(data), code=1)


def test_a_stretch_that_ends_before_it_begins_is_refused(data):
    """A wrong range is refused with both times."""
    assert "is not after --since" in tracium("reprice", "--since", "1h", "--until", "2h", "--data", str(data), code=2)
