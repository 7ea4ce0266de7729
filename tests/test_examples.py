"""The examples run as their docstrings say, and every span of theirs has the tenant of its request."""

from __future__ import annotations

import argparse
import ast
import http.client
import re
import shlex
import socket
import subprocess
import time
import tomllib
import uuid
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import NamedTuple

import pytest
from support.app import BIN, environment, free_port, run_app
from support.receiver import http_receiver
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

ROOT = Path(__file__).parents[1]
# Those of queues run in tests/queues.
FILES = sorted(file for file in (ROOT / "examples").rglob("*.py") if file.parent.name != "queues")
GUIDES = [(file, ast.get_docstring(ast.parse(file.read_text()), clean=False) or "") for file in FILES]
COMMANDS = {
    command: (file, guide)
    for file, guide in GUIDES
    for command in re.findall(r"^    ((?:uvicorn|gunicorn|flask) .+)$", guide, re.MULTILINE)
}
LISTEN = {"uvicorn": "--port {}", "gunicorn": "--bind 127.0.0.1:{}", "flask": "--port {}"}
TENANTS = ("acme", "globex")
ROUNDS = 3  # of all requests at once
SERVER = 2
# Python notes what it imports; one of Django's two kinds of streams warns in each server, and tells what it does instead.
VARIABLES = {
    "PYTHONDONTWRITEBYTECODE": "",
    "PYTHONWARNINGS": "ignore:StreamingHttpResponse must consume",
    "GUNICORN_CMD_ARGS": "--no-control-socket",  # it would be one file in the home directory for all
}

# What the agent behind a path does, by its last part.
WRITER = {"invoke_agent writer": 1, "chat next_word": 5}
AGENTS = {
    "answer": {"invoke_agent support": 1, "execute_tool find_order": 1},
    "stream": WRITER,
    "async_stream": WRITER,
    "tickets": {"invoke_agent triage": 1},
    "chat": {"invoke_agent support": 1},
}
# What comes of a request that names no tenant that there is: status, tenant of its spans, server spans.
OTHERS = {
    "uvicorn fastapi_app:app": (401, None, 1),
    "uvicorn starlette_app:app": (200, None, 1),
    "flask --app flask_app run": (200, "anonymous", 1),
    "gunicorn --threads 8 wsgi:application": (401, None, 1),
    "uvicorn asgi:application": (401, None, 1),
    "uvicorn asgi_app:app": (401, None, 1),
    "gunicorn --threads 8 wsgi_app:app": (401, None, 1),
}
HEALTHY = (200, None, 1)

curl = argparse.ArgumentParser("curl")
curl.add_argument("url")
curl.add_argument("-H", dest="headers", action="append", default=[])
curl.add_argument("-X", dest="method")
curl.add_argument("-d", dest="body")
curl.add_argument("-N", "-i", dest="shown", action="store_true")


class Exchange(NamedTuple):
    """A request, what should come of it, and what did."""

    path: str
    status: int
    tenant: str | None
    servers: int
    trace_id: str
    answer: tuple[int, str]


class Served:
    """An example in its server, whose docstring's requests were sent."""

    def __init__(self, command, folder, imported, stack):
        self.command = command
        self.file, self.guide = COMMANDS[command]
        self.variables = dict(re.findall(r"^    export (\w+)=(.+)$", self.guide, re.MULTILINE))
        self.tokens = {
            tenant: run_app(code.replace("acme", tenant), environment(**self.variables)).stdout.strip()
            for code in re.findall(r"^    TOKEN=\$\(python -c '(.+)'\)$", self.guide, re.MULTILINE)
            for tenant in TENANTS
        }
        self.port = free_port()
        self.log = folder / "log"
        self.receiver = stack.enter_context(http_receiver())
        self.exchanges = []
        server, *arguments = shlex.split(f"{command} {LISTEN[command.split()[0]].format(self.port)}")
        output = stack.enter_context(self.log.open("w"))
        self.process = subprocess.Popen(
            [BIN / server, *arguments],
            cwd=self.file.parent,
            env=environment(self.receiver, PYTHONPYCACHEPREFIX=str(imported), **VARIABLES, **self.variables),
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        stack.callback(self.end)

    def wait(self):
        deadline = time.monotonic() + 60
        while self.process.poll() is None and time.monotonic() < deadline:
            with suppress(OSError):
                return socket.create_connection(("127.0.0.1", self.port), 1).close()
            time.sleep(0.05)
        raise AssertionError(self.output)

    def end(self):
        """It sends its last spans by itself."""
        self.process.terminate()
        try:
            self.process.wait(20)
        finally:
            self.process.kill()
            self.process.wait()

    @property
    def output(self):
        return self.log.read_text()

    def requests(self):
        """Those of the docstring, each that names a tenant for every tenant, as what sends them and its arguments."""
        for line in re.findall(r"^    curl (.+)$", self.guide, re.MULTILINE):
            named = re.search(r"acme|globex|\$TOKEN", line)
            if named is None:
                yield self.send, (line, HEALTHY if line.endswith("/healthz") else OTHERS[self.command])
                continue
            for tenant in TENANTS:
                name = self.tokens[tenant] if named[0] == "$TOKEN" else tenant
                yield self.send, (line.replace(named[0], name), (None, tenant, 1))
        if "@app.websocket" in self.file.read_text():
            for tenant in (*TENANTS, None):
                yield self.chat, (tenant,)

    def send(self, line, expected):
        asked = curl.parse_args(shlex.split(line))
        host, _, rest = asked.url.partition("/")
        status, tenant, servers = expected
        path = f"/{rest}".partition("?")[0]
        trace_id = uuid.uuid4().hex
        headers = {"Host": host, "traceparent": f"00-{trace_id}-{trace_id[:16]}-01"}
        headers |= dict(header.split(": ") for header in asked.headers)
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.request(asked.method or ("POST" if asked.body else "GET"), f"/{rest}", asked.body, headers)
            response = connection.getresponse()
            answer = response.status, response.read().decode()
        finally:
            connection.close()
        return Exchange(path, status or (202 if path == "/tickets" else 200), tenant, servers, trace_id, answer)

    def chat(self, tenant):
        """A websocket, which no docstring shows: curl cannot talk."""
        trace_id = uuid.uuid4().hex
        headers = {"traceparent": f"00-{trace_id}-{trace_id[:16]}-01"}
        if tenant is not None:
            headers["Authorization"] = f"Bearer {self.tokens[tenant]}"
        try:
            with connect(f"ws://127.0.0.1:{self.port}/chat", additional_headers=headers, proxy=None) as websocket:
                websocket.send("Where is it?")
                answer = 101, websocket.recv()
        except InvalidStatus as error:
            answer = error.response.status_code, ""
        return Exchange("/chat", 401 if tenant is None else 101, tenant, 1, trace_id, answer)

    def spans_of(self, exchange):
        return [span for span in self.receiver.spans if span.trace_id == exchange.trace_id]


@pytest.fixture(scope="module")
def imported(tmp_path_factory):
    """The folder in which Python notes what the servers imported."""
    return tmp_path_factory.mktemp("imported")


@pytest.fixture(scope="module")
def all_served(imported, tmp_path_factory):
    """Start every example, send everything at once, end them: what is looked at then is complete."""
    with ExitStack() as stack:
        every = [Served(command, tmp_path_factory.mktemp("log"), imported, stack) for command in COMMANDS]
        for served in every:
            served.wait()
        with ThreadPoolExecutor(32) as pool:
            sent = [
                (served, pool.submit(send, *arguments))
                for _ in range(ROUNDS)
                for served in every
                for send, arguments in served.requests()
            ]
        for served, exchange in sent:
            served.exchanges.append(exchange.result())
        for served in every:
            served.process.terminate()
    return {served.command: served for served in every}


@pytest.fixture(params=COMMANDS)
def served(request, all_served):
    return all_served[request.param]


def test_answers(served):
    """Who names a tenant that there is, is served as this tenant; the others as the example says."""
    for exchange in served.exchanges:
        assert exchange.answer[0] == exchange.status, (exchange, served.output)
        if exchange.path.endswith("/answer") and exchange.status == 200:
            assert (exchange.tenant if exchange.tenant in TENANTS else "a stranger") in exchange.answer[1]


def test_one_server_span_a_request(served):
    """Whoever makes it, and none for what is refused before OpenTelemetry sees it."""
    for exchange in served.exchanges:
        kinds = [span.kind for span in served.spans_of(exchange)]
        assert kinds.count(SERVER) == exchange.servers, exchange


def test_every_span_has_the_tenant(served):
    """While the requests of several run at once, and for the spans of bodies, tasks and websockets too."""
    for exchange in served.exchanges:
        spans = served.spans_of(exchange)
        assert [(span.name, span.tenant) for span in spans if span.tenant != exchange.tenant] == [], exchange
        if exchange.answer[0] < 400:
            assert Counter(AGENTS.get(Path(exchange.path).name)) <= Counter(span.name for span in spans)
    assert {span.tenant for span in served.receiver.spans} <= {exchange.tenant for exchange in served.exchanges}


def test_nothing_goes_wrong(served):
    """Neither for the example nor for OpenTelemetry, and there is nothing that tracium has to warn of."""
    assert re.findall(r"Traceback|Failed to|tracium.*", served.output) == []


def test_every_file_is_run(all_served, imported):
    """No example is forgotten."""
    assert [file for file in FILES if not [*(imported / file.parent.relative_to("/")).glob(f"{file.stem}.*.pyc")]] == []


def test_what_is_installed_exists():
    """An example asks for extras that there are, and shows what to ask it."""
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    for _, guide in COMMANDS.values():
        (packages,) = re.findall(r"^    pip install (.+)$", guide, re.MULTILINE)
        (wanted,) = re.findall(r"\btracium(?:\[([\w,-]+)\])?", packages)
        assert set(filter(None, wanted.split(","))) <= extras.keys()
        assert "\n    curl " in guide
