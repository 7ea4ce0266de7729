"""The pages as a reader has them: in a real Chromium, from a server of its own."""

from __future__ import annotations

import re

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect
from support.otlp_requests import request, span
from support.story import HOSTILE

PATHS = (
    "/overview",
    "/tenants",
    "/tenant?tenant=acme-corp",
    "/tenant?none=true",
    "/compare",
    "/compare?tenant=acme-corp&tenant=globex&tenant=initech",
    "/traces",
    "/traces/{broad}",
    "/errors",
    "/session?session=session-1",
    "/usage",
    "/settings",
    "/sign-in",
)


@pytest.fixture(params=PATHS)
def path(request, company):
    return request.param.format(broad=company.broad_trace)


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_everybody_can_use_it(open_page, path, dark):
    """Axe finds nothing serious on any page, in light and in dark, and the console stays empty."""
    page = open_page(path, dark=dark)
    found = Axe().run(page).response["violations"]
    serious = [
        (one["id"], [node["html"][:200] for node in one["nodes"][:3]])
        for one in found
        if one["impact"] in {"serious", "critical"}
    ]
    assert serious == []


def test_it_is_light(open_page, path):
    """A page takes at most 20 requests and 100 KB, all of them from its own server."""
    page = open_page(path)
    sizes = [answer.request.sizes() for answer in page.answers]
    assert len(sizes) <= 20
    assert all(answer.url.startswith(page.url.split("/", 3)[0]) for answer in page.answers)
    assert sum(size["responseBodySize"] + size["responseHeadersSize"] for size in sizes) <= 100_000


def test_a_phone(open_page, path):
    """At 390 pixels nothing makes the page itself scroll sideways."""
    page = open_page(path, width=390)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


@pytest.mark.parametrize("path", ["/overview", "/tenants", "/traces", "/errors", "/usage"])
def test_without_script(open_page, path):
    """What there is to read is there without script."""
    page = open_page(path, script=False)
    assert "acme-corp" in page.content()


def test_the_same_number_behind_a_chart(open_page):
    """A chart is the table behind it: they have as many points, and there is a canvas."""
    page = open_page("/overview")
    assert page.locator(".chart canvas").count() == page.locator(".chart").count() > 0
    page.locator(".chart summary").first.click()
    rows = page.locator(".chart table").first.locator("tbody tr")
    assert rows.count() > 24
    # Opened, it is in the reader's language, as everything else.
    expect(rows.first.locator("time")).not_to_contain_text("UTC")


def test_from_tenant_to_span_by_keys(open_page, company):
    """`/` finds a tenant, `j` and Enter go down to its trace, and `e` to the errors in it."""
    page = open_page("/overview")
    page.keyboard.press("/")
    page.keyboard.type("acme-corp")
    page.keyboard.press("Enter")
    page.wait_for_url("**/tenant?tenant=acme-corp")
    page.goto(f"{company.url}/traces?tenant=acme-corp&minimum_ms=50000")
    page.keyboard.press("j")
    assert page.locator("tr.current").count() == 1
    page.keyboard.press("Enter")
    page.wait_for_url(f"**/traces/{company.broad_trace}*")
    page.wait_for_selector("[role=treegrid]")
    page.keyboard.press("e")
    assert page.locator(".span-row[aria-selected=true].error").count() == 1


def test_help_is_a_key_away(open_page):
    """`?` shows the keys, Escape hides them."""
    page = open_page("/tenants")
    page.keyboard.press("?")
    assert page.locator("#keys").is_visible()
    page.keyboard.press("Escape")
    assert not page.locator("#keys").is_visible()


def test_ten_thousand_spans(open_page, company):
    """The waterfall knows them all, draws those in sight, folds, finds and shows one."""
    page = open_page(f"/traces/{company.broad_trace}")
    grid = page.locator("[role=treegrid]")
    assert grid.get_attribute("aria-rowcount") == "10000"
    assert page.locator(".span-row").count() < 100
    grid.focus()
    page.keyboard.press("Home")
    assert "POST /batch" in page.locator(".span-row[aria-selected=true]").inner_text()
    page.keyboard.press("ArrowLeft")
    assert grid.get_attribute("aria-rowcount") == "1"
    page.keyboard.press("ArrowRight")
    page.locator("[aria-label^='Find spans']").fill("step 777")
    assert re.fullmatch(r"\d+ found", page.locator(".waterfall-bar output").inner_text())
    page.keyboard.press("Enter")
    expect(page.locator("[data-panel] h2")).to_contain_text("step 777")


def test_text_is_text(open_page, company):
    """What a span says is shown as it is, whatever it looks like."""
    page = open_page("/session?session=session-1")
    said = page.locator(".message.user .said").first.inner_text()
    assert said.endswith(HOSTILE)
    assert page.locator("main img").count() == 0


def test_dark_is_kept(open_page):
    """The reader's choice of colours is in the next page's first byte."""
    page = open_page("/tenants")
    page.locator("[data-theme-toggle]").click()
    page.reload()
    assert page.locator("html").get_attribute("data-theme") == "dark"
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(15, 20, 25)"


@pytest.mark.parametrize(
    "path",
    [
        "/overview",
        "/tenants?sort=errors",
        "/compare?tenant=acme-corp&tenant=globex",
        "/traces?status=error",
        "/traces/{broad}",
        "/errors",
        "/usage",
    ],
)
def test_the_same_as_csv_and_json(open_page, company, path):
    """Every page of rows leads to the same as CSV and as JSON."""
    page = open_page(path.format(broad=company.broad_trace))
    places = [link.get_attribute("href") for link in page.locator(".exports a").all()]
    answers = [company.ask("GET", place) for place in places]
    assert [status for status, _, _ in answers] == [200, 200]
    assert [headers["content-type"].partition(";")[0] for _, headers, _ in answers] == ["text/csv", "application/json"]


def test_live(open_page, company):
    """A live page takes over what has come, and keeps what the reader had opened."""
    page = open_page("/tenants?live=true")
    company.send(request(span("newcomer")).SerializeToString())
    page.wait_for_selector("text=newcomer", timeout=30_000)


def test_a_sentence_for_what_is_wrong(open_page):
    """A URL that says something unknown gives a page with a sentence, and the way back."""
    expected = "Failed to load resource: the server responded with a status of 400 (Bad Request)"
    page = open_page("/tenants?range=yesterday", expect=(expected,))
    assert "range='yesterday' is no range of time" in page.locator(".sentence").inner_text()
    assert page.locator("a[href='/overview']").first.is_visible()
