"""Requests, tenants, failures and streams in any order over real servers: no span, log or answer has a wrong tenant."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.running import APP, running_app

EXAMPLES = int(os.environ.get("INTERLEAVINGS", "10"))
TENANTS = st.sampled_from(["acme", "globex", "initech", None])


def requests(paths):
    """What one client does on one connection: a request read to its end, one given up, or several sent at once."""
    read = st.tuples(st.just("read"), st.sampled_from(paths), TENANTS)
    given_up = st.tuples(st.just("give up"), st.sampled_from([path for path in paths if "stream" in path]), TENANTS)
    return st.lists(st.one_of(read, read, given_up), min_size=1, max_size=6)


def serve(app, client):
    connection = app.server.connect()
    for action, path, tenant in client:
        if action == "read":
            app.ask(path, tenant, connection)
        elif tenant is not None:
            app.server.hang_up(app.url(path, tenant), tenant)
    connection.close()


@pytest.mark.timeout(300)
@pytest.mark.parametrize("name", ["fastapi", "flask", "django", "django asgi"])
def test_no_order_of_requests_gives_anything_a_wrong_tenant(name):
    """Several clients at once, against what each of them asked for."""
    with running_app(name) as app:

        @settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
        @given(st.lists(requests(APP[name][2].split()), min_size=1, max_size=6))
        def check(clients):
            with ThreadPoolExecutor(len(clients)) as pool:
                list(pool.map(lambda client: serve(app, client), clients))
            app.check_noted()
            app.check_spans()

        check()
