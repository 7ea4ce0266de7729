"""The apps of the tests in their servers, what they were asked, and whether all that they did has the right tenant."""

from __future__ import annotations

import itertools
import tempfile
import time
from collections import defaultdict
from contextlib import contextmanager

from support.receiver import http_receiver
from support.web import APPS, web_server

SERVER = 2
# app: its server, its environment, its endpoints
APP = {
    "fastapi": (
        "uvicorn",
        {},
        (
            "/plain /async /stream /events /background /late /error /nested /own/endpoint /own/nested "
            "/own/sync-dependency /own/async-dependency /own/sync-yield-dependency /own/async-yield-dependency"
        ),
    ),
    "starlette": ("uvicorn h11", {}, "/plain /async /stream /events /error /own/endpoint"),
    "flask": (
        "gunicorn",
        {},
        "/plain /async /stream /events /error /nested /own/endpoint /own/nested /own/path/{tenant}",
    ),
    "django": ("gunicorn", {}, "/plain /async /stream /error /nested /own/endpoint"),
    "django asgi": (
        "uvicorn",
        {"ASGI": "1", "PYTHONWARNINGS": "ignore:StreamingHttpResponse must consume"},
        "/plain /async /stream /events /error /nested /own/endpoint /own/async",
    ),
}
# Spans that may have ended before the tenant was known, which is when the endpoint sets it.
ENDS_BEFORE = ("http receive", "fastapi.dependencies")


class Running:
    """An app in its server, and the tenant of each request that it was asked, by number."""

    def __init__(self, server, receiver, workers):
        self.server, self.receiver, self.workers = server, receiver, workers
        self.asked = {}
        self._numbers = itertools.count()

    def url(self, path, tenant):
        """The URL of a request of a new number."""
        n = next(self._numbers)
        self.asked[n] = tenant
        return f"{path.format(tenant=tenant)}?n={n}"

    def ask(self, path, tenant, connection=None):
        """Ask and read the whole answer."""
        if "{tenant}" in path and tenant is None:
            return
        status, _ = self.server.get(self.url(path, tenant), tenant, connection)
        if status != 200 and connection is not None:
            connection.close()
        assert status == (500 if path == "/error" else 200), (path, self.server.log.read_text()[-3000:])

    def check_noted(self):
        """Everything that was noted, by `get_current_tenant()` and by logs, has the tenant of its request."""
        for told in self._noted():
            for kind in ("current", "logs"):
                wrong = [(n, where, tenant) for n, where, tenant in told[kind] if tenant != self.asked[n]]
                assert wrong == [], kind
            assert len(told["logs"]) == len(told["current"])
        assert self.server.trouble() == []

    def check_spans(self):
        """Each request has one server span and one tenant, and all of its spans are in one trace."""
        traces = defaultdict(list)
        for span in self._spans():
            traces[span.trace_id].append(span)
        checked = set()
        for spans in traces.values():
            numbers = {span.attributes["request"] for span in spans if "request" in span.attributes}
            if not numbers:
                continue  # /noted, or a request whose client went away first
            (n,) = numbers
            assert n not in checked
            checked.add(n)
            assert [span.kind for span in spans].count(SERVER) == 1, [(span.name, span.kind) for span in spans]
            told = [span for span in spans if not span.name.endswith(ENDS_BEFORE)]
            assert {span.tenant for span in told} == {self.asked[n]}, [(span.name, span.tenant) for span in told]
        return checked

    def _noted(self):
        """What each worker noted, when it is quiet."""
        seen, deadline = {}, time.monotonic() + 20
        while time.monotonic() < deadline:
            told = self.server.json("/noted")
            before = seen.get(told["process"])
            seen[told["process"]] = told
            if before == told and len(seen) == self.workers:
                break
            time.sleep(0.02)
        return seen.values()

    def _spans(self):
        """What arrived, when nothing has for a while."""
        count = -1
        while len(self.receiver.spans) != count:
            count = len(self.receiver.spans)
            time.sleep(0.4)
        return list(self.receiver.spans)


@contextmanager
def running_app(name, *, server=None, **variables):
    """Run an app of `support/apps` until the block ends."""
    usual, settings, _ = APP[name]
    kind = server or usual
    with http_receiver() as receiver, tempfile.TemporaryDirectory() as folder:
        module = f"{name.split()[0]}_app"
        # The receiver answers 200 to logs and forgets them; the app keeps them too.
        variables |= {"OTEL_LOGS_EXPORTER": "otlp", "OTEL_EXPORTER_OTLP_LOGS_ENDPOINT": f"{receiver.url}/v1/logs"}
        with web_server(kind, folder, receiver, module=module, python_path=[APPS], **settings, **variables) as running:
            yield Running(running, receiver, 2 if kind == "gunicorn" else 1)
