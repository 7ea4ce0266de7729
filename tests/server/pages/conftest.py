"""A real Chromium, and a server with a small company's day in it."""

from __future__ import annotations

import os
import shutil

import pytest
from playwright.sync_api import sync_playwright
from support.serving import Serving
from support.story import a_broad_trace, a_day

_CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
# Nothing of it talks to anybody but the server.
_OPTIONS = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip


@pytest.fixture(scope="session")
def company(tmp_path_factory):
    """A server with requests of six tenants, and one trace of 10,000 spans."""
    with Serving(tmp_path_factory.mktemp("company")) as server:
        server.broad_trace, requests = a_broad_trace()
        for request in (a_day(), *requests):
            status, _, body = server.send(request.SerializeToString())
            assert status == 200, body
        yield server


@pytest.fixture(scope="module")
def chromium():
    # For one file only: while it is open an event loop runs in this thread, and other tests have loops of their own.
    if _CHROMIUM is None:
        if os.environ.get("CI") == "true":
            pytest.fail("chromium is not installed: apt-get install chromium")
        pytest.skip("chromium is not installed: apt-get install chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=_CHROMIUM, args=_OPTIONS)
        yield browser
        browser.close()


@pytest.fixture
def open_page(chromium, company):
    """Open a path of the server; what a page says to the console is a failure."""
    contexts, said = [], []

    def opener(path, *, width=1360, dark=False, script=True, url=company.url, expect=()):
        context = chromium.new_context(
            viewport={"width": width, "height": 900},
            color_scheme="dark" if dark else "light",
            java_script_enabled=script,
            locale="en-GB",
        )
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: said.append(message.text) if message.text not in expect else None)
        page.on("pageerror", lambda error: said.append(str(error)))
        page.answers = answers = []
        # Playwright keeps a mark on a listener, which a method of a list does not take.
        page.on("response", lambda answer: answers.append(answer))  # noqa: PLW0108
        page.goto(url + path, wait_until="networkidle")
        return page

    yield opener
    for context in contexts:
        context.close()
    assert said == []
