"""Names in every script, and names that are made to deceive, in a real Chromium."""

from __future__ import annotations

from urllib.parse import urlencode

import pytest
from support.otlp_requests import model_call, request, span
from support.serving import Serving

from tracium.server.pages.characters import visible

NAMES = (
    "عميل-شركة-النور", "משרד_123:סניף", "acme\u202eproc-evil", "gl\u200bobex", "\u2067turned\u2066", "a\tb", "🦄🚀 👩‍👩‍👧",
    "e\u0301\u0327\u0323 Zalgo h\u0335\u0323", "x" * 200, "日本の顧客株式会社", "می‌خواهم", "ж\u200dж", "acme ", "very-long-" * 20,
)  # fmt: skip
SIX = urlencode([("tenant", name) for name in NAMES[:6]])
PATHS = (
    "/overview", "/tenants", f"/tenant?{urlencode({'tenant': NAMES[2]})}", f"/compare?{SIX}", "/traces", "/traces/{trace}",
    "/errors", "/usage",
)  # fmt: skip


@pytest.fixture(scope="module")
def strangers(tmp_path_factory):
    """A server with a failed request and a model call for each name, which also stands for service, span and model."""
    with Serving(tmp_path_factory.mktemp("strangers")) as server:
        for index, tenant in enumerate(NAMES):
            other = NAMES[(index + 1) % len(NAMES)]
            root = span(tenant, name=other, trace_id=bytes([index + 1]) * 16)
            root.status.code, root.status.message = 2, other
            call = model_call(tenant, tokens=(10, 5), name=other, trace_id=root.trace_id, parent=root.span_id)
            call.attributes.add(key="gen_ai.request.model").value.string_value = other
            status, _, body = server.send(request(root, call, service=other).SerializeToString())
            assert status == 200, body
        # Its spans are named with an override of the direction.
        server.trace = (b"\2" * 16).hex()
        yield server


@pytest.fixture
def open_stranger(open_page, strangers):
    return lambda path, **options: open_page(path.format(trace=strangers.trace), url=strangers.url, **options)


@pytest.mark.parametrize("path", PATHS)
def test_no_name_is_too_wide(open_stranger, path):
    """At 390 pixels no name makes the page itself scroll sideways."""
    assert open_stranger(path, width=390).evaluate("document.documentElement.scrollWidth") <= 390


def test_what_is_not_seen_is_seen(open_stranger):
    """A name that would pass for another one shows what it hides; what is copied is still the name."""
    page = open_stranger("/tenants")
    name = page.locator("bdi.name", has=page.locator("[data-code='U+202E']"))
    assert name.evaluate("element => element.textContent") == NAMES[2]
    assert name.locator(".char").bounding_box()["width"] > 20
    assert page.locator("[data-code='U+200B']").first.bounding_box()["width"] > 20


def test_nothing_is_moved(open_stranger):
    """What stands behind a name in the same line stays behind it, whatever the name's direction."""
    moved = open_stranger(f"/compare?{SIX}").evaluate("""() =>
        [...document.querySelectorAll(".words li")].filter((line) => {
            const after = document.createRange();
            after.selectNodeContents(line.lastChild);
            const name = line.querySelector("bdi").getBoundingClientRect();
            return after.getClientRects()[0].left < name.right - 1;
        }).map((line) => line.textContent)""")
    assert moved == []


def test_the_waterfall_shows_the_same(open_stranger):
    """What a script writes has the same marks."""
    page = open_stranger("/traces/{trace}")
    page.wait_for_selector(".span-row [data-code='U+202E']", state="attached")
    assert "⟨U+202E⟩" in page.locator(".span-row").first.get_attribute("title")


def test_both_know_the_same(open_stranger):
    """The server's code and the browser's take the same characters for unseen."""
    page = open_stranger("/tenants")
    points = [*range(0x20, 0xD800), *range(0xE000, 0x1FB00, 3), *range(0xE0000, 0xE0200)]
    cases = [*NAMES, *(f"a{chr(point)}b {chr(point)}👧" for point in points)]
    source = page.locator("script[type=module]").get_attribute("src").replace("main.js", "characters.js")
    seen = page.evaluate(
        "async ([source, cases]) => { const { visible } = await import(source); return cases.map(visible); }",
        [source, cases],
    )
    assert [case for case, one in zip(cases, seen, strict=True) if one != visible(case)] == []
