"""The older SDK's threads: the tenant, the trace and the app's own context variables of the moment they are made."""

from __future__ import annotations

import asyncio
import threading
from contextvars import ContextVar

import pytest

import tracium
from tracium.legacy.threads import ContextThread, run_in_thread, with_context

app: ContextVar[str] = ContextVar("app", default="none")


def look():
    return tracium.get_current_tenant(), app.get()


def wait_for(thread):
    thread.join(10)
    assert not thread.is_alive()


def test_run_in_thread():
    """It starts at once, and what it sets there stays there."""
    found = []

    def work(number, *, name):
        found.append((number, name, *look()))
        tracium.set_tenant("other")
        app.set("other")

    tracium.set_tenant("acme")
    app.set("mine")
    wait_for(run_in_thread(work, 1, name="n"))
    assert found == [(1, "n", "acme", "mine")]
    assert look() == ("acme", "mine")


def test_with_context_has_the_moment_at_which_it_was_called():
    """Whatever holds when and where it runs, and with every call anew."""

    def work():
        """Work."""
        before = look()
        app.set("other")
        tracium.set_tenant("other")
        return before

    app.set("mine")
    with tracium.tenant("acme"):
        bound = with_context(work)
    app.set("later")
    with tracium.tenant("globex"):
        assert [bound(), bound()] == [("acme", "mine")] * 2
        assert look() == ("globex", "later")
    assert (bound.__name__, bound.__doc__) == ("work", "Work.")


def test_with_context_runs_in_two_threads_at_a_time():
    """One context of Python's cannot be entered twice."""
    barrier, found = threading.Barrier(2), []

    def work():
        barrier.wait(10)
        found.append(tracium.get_current_tenant())

    with tracium.tenant("acme"):
        bound = with_context(work)
    threads = [threading.Thread(target=bound) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        wait_for(thread)
    assert found == ["acme", "acme"]


async def test_with_context_carries_coroutine_functions():
    """Their tenant holds while they run, and not for whoever waits."""

    async def work():
        await asyncio.sleep(0)
        return tracium.get_current_tenant()

    with tracium.tenant("acme"):
        bound = with_context(work)
    with tracium.tenant("globex"):
        assert await bound() == "acme"
        assert tracium.get_current_tenant() == "globex"


def test_a_context_thread_has_the_moment_at_which_it_was_made():
    """And not that of its start; it lets the context go when it has run."""
    found = []
    with tracium.tenant("acme"):
        app.set("mine")
        thread = ContextThread(target=lambda: found.append(look()), name="worker", daemon=True)
    app.set("later")
    with tracium.tenant("globex"):
        thread.start()
    wait_for(thread)
    assert (found, thread.name, thread.daemon) == ([("acme", "mine")], "worker", True)
    assert thread._tracium_run is None


def test_an_exception_goes_on():
    """Unchanged."""
    error = KeyError("mine")

    def work():
        raise error

    with pytest.raises(KeyError) as raised:
        with_context(work)()
    assert raised.value is error
