"""What can be changed from a page, in a real Chromium: tokens, retention, erasure, and who is signed in."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect
from support.otlp_requests import request, span
from support.serving import Serving

from tracium.server.access.operatorkey import found
from tracium.server.client import Endpoint
from tracium.server.location import Directory

FAILED = "Failed to load resource: net::ERR_FAILED"


@pytest.fixture(scope="module")
def guarded(tmp_path_factory):
    """A server with two tenants' spans and an administrator's token."""
    with Serving(tmp_path_factory.mktemp("changing")) as server:
        operator = Endpoint(server.url, found(Directory(server.data)).token)
        server.admin = operator.ask("POST", "/api/v1/tokens", {"kind": "admin"})["secret"]
        made = operator.ask("POST", "/api/v1/tokens", {"kind": "read", "tenants": ["acme"]})
        server.reader = made["secret"]
        server.operator = operator
        ingest = operator.ask("POST", "/api/v1/tokens", {"kind": "ingest"})["secret"]
        for tenant in ("acme", "gone"):
            body = request(span(tenant)).SerializeToString()
            status, _, answer = server.send(body, Authorization=f"Bearer {ingest}")
            assert status == 200, answer
        yield server


@pytest.fixture
def signed_in(open_page, guarded):
    """Open a path through the page that asks for a token."""

    def opener(path, token, **options):
        page = open_page(path, url=guarded.url, **options)
        page.locator("input[name=token]").fill(token)
        page.keyboard.press("Enter")
        page.wait_for_url(guarded.url + path)
        page.wait_for_load_state("networkidle")
        return page

    return opener


def test_signing_in_and_out(signed_in, guarded):
    """A token leads to where one wanted to go; signing out closes the door, also for the way back."""
    page = signed_in("/tenants", guarded.admin)
    assert "acme" in page.locator("main").inner_text()
    page.locator("[data-sign-out]").click()
    page.wait_for_url("**/sign-in*")
    page.goto(f"{guarded.url}/tenants")
    assert page.locator("input[name=token]").is_visible()


def test_a_wrong_token(open_page, guarded):
    """It is refused with a sentence, and can be typed anew."""
    expected = "Failed to load resource: the server responded with a status of 401 (Unauthorized)"
    page = open_page("/sign-in", url=guarded.url, expect=(expected,))
    page.locator("input[name=token]").fill("tracium_read_wrong")
    page.keyboard.press("Enter")
    expect(page.locator("[role=alert]")).to_contain_text("token")
    assert page.locator("#sign-in button").is_enabled()


def test_a_token_is_made_and_revoked(signed_in, guarded):
    """Its secret is shown once and lets in; revoked, it is refused from then on."""
    page = signed_in("/settings", guarded.admin)
    form = page.locator("form[data-api='/api/v1/tokens'][data-method=POST]")
    form.locator("[name=tenants]").fill("acme, globex")
    form.locator("[name=name]").fill("for a test")
    form.locator("[value=cost]").check()
    form.locator("button").click()
    secret = form.locator("output code").inner_text()
    headers = {"Authorization": f"Bearer {secret}"}
    assert guarded.ask("GET", "/api/v1/tenants", None, headers)[0] == 200
    page.reload()
    row = page.locator("#tokens tr", has_text="for a test")
    expect(row).to_contain_text("acme, globex")
    page.once("dialog", lambda dialog: dialog.accept())
    row.locator("button").click()
    expect(page.locator("#tokens tr", has_text="for a test")).to_contain_text("revoked")
    assert guarded.ask("GET", "/api/v1/tenants", None, headers)[0] == 401


def test_retention(signed_in, guarded):
    """A rule is set, shown, and taken back by an empty field."""
    page = signed_in("/settings", guarded.admin)

    def keep(days):
        form = page.locator("#retention form")
        form.locator("[name=tenant]").fill("acme")
        form.locator("[name=days]").fill(days)
        form.locator("button").click()

    keep("7")
    expect(page.locator("#retention tbody tr", has_text="acme")).to_contain_text("7")
    page.wait_for_load_state("networkidle")
    keep("")
    expect(page.locator("#retention tbody tr", has_text="acme")).to_have_count(0)


def test_erasure_asks_first(signed_in, guarded):
    """What is not confirmed deletes nothing; what is, deletes that tenant and says so with a receipt."""
    page = signed_in("/settings", guarded.admin)
    form = page.locator("#erase form")
    form.locator("[name=tenant]").fill("gone")
    asked = []

    def answer(dialog):
        asked.append(dialog.message)
        dialog.accept() if len(asked) > 1 else dialog.dismiss()

    page.on("dialog", answer)
    form.locator("button").click()
    assert guarded.operator.ask("GET", "/api/v1/traces?tenant=gone")["rows"]
    form.locator("button").click()
    expect(form.locator("output")).to_contain_text("Done. Receipt:", timeout=30_000)
    assert asked == ["Delete everything of “gone”? It cannot be taken back."] * 2
    assert guarded.operator.ask("GET", "/api/v1/traces?tenant=gone")["rows"] == []
    assert guarded.operator.ask("GET", "/api/v1/traces?tenant=acme")["rows"]


def test_what_to_do_when_the_server_is_gone(signed_in, guarded):
    """A change that did not get through says so beside its button, which works again."""
    page = signed_in("/settings", guarded.admin, expect=(FAILED,))
    page.route("**/api/v1/store/retention", lambda route: route.abort("failed"))
    form = page.locator("#retention form")
    form.locator("[name=days]").fill("7")
    form.locator("button").click()
    expect(form.locator("output")).to_have_text("The server does not answer. Is it still running?")
    assert form.locator("button").is_enabled()


def test_a_waterfall_that_does_not_come(signed_in, guarded):
    """The table of spans stays, with a sentence."""
    trace = guarded.operator.ask("GET", "/api/v1/traces?tenant=acme")["rows"][0]["trace_id"]
    page = signed_in("/overview", guarded.admin, expect=(FAILED,))
    page.route("**/traces/*/columns*", lambda route: route.abort("failed"))
    page.goto(f"{guarded.url}/traces/{trace}")
    expect(page.locator("[data-loading]")).to_contain_text("could not be loaded: The server does not answer.")
    assert page.locator("[data-waterfall] table").is_visible()


@pytest.mark.parametrize("path", ["/overview", "/tenants", "/traces", "/errors", "/usage"])
def test_a_customers_own_admin_on_a_phone(signed_in, guarded, path):
    """A tenant's token, 390 pixels, dark: its own name where others switch, nothing of others, nothing cut off."""
    page = signed_in(path, guarded.reader, width=390, dark=True)
    assert page.locator(".switcher b").inner_text() == "acme"
    assert "gone" not in page.content()
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
