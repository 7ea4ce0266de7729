"""What the pages weigh and how fast they are: a server of its own with a store of a given size, looked at in Chromium.

For each page: bytes transferred, requests, first contentful paint and when its rows are there, the best of some looks. For a
trace of 10,000 spans also the time of scripts until the waterfall stands, and the frames while it is scrolled.

Usage: python benchmarks/pages/speed.py [--spans 100000] [--looks 3]

Chromium, the server and this script share the machine: figures of a busy one say little.
"""

from __future__ import annotations

import argparse
import http.client
import shutil
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from playwright.sync_api import Browser, Page, sync_playwright

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "benchmarks" / "store")]

from generator import Generator, tenant_name  # noqa: E402 - found by the line above
from support.serving import PROTOBUF, Serving  # noqa: E402
from support.story import a_broad_trace  # noqa: E402

DAY = 24 * 3600 * 10**9
PER_REQUEST = 2000
# The tables behind charts are folded away.
ROWS = "main section table tbody tr, [role=treegrid] .span-row, .empty"
PATHS = {
    "Overview": "/overview",
    "Tenants": "/tenants",
    "Tenant": f"/tenant?tenant={tenant_name(0)}",
    "Compare": f"/compare?tenant={tenant_name(0)}&tenant={tenant_name(1)}",
    "Traces": "/traces",
    "Errors": "/errors",
    "Usage": "/usage",
    "Trace, 10,000 spans": "/traces/{trace}",
}
# Since navigation began, in milliseconds: the first paint, and the first row.
WATCH = """
    new MutationObserver((_, watch) => {
        if (!document.querySelector(%r)) return;
        requestAnimationFrame(() => { window.rowsAt = performance.now(); });
        watch.disconnect();
    }).observe(document, { childList: true, subtree: true });
"""
# How long each frame took while 200 of them scrolled through all of it.
SCROLL = """async () => {
    const view = document.querySelector(".waterfall-view");
    const frames = [];
    let before = await new Promise(requestAnimationFrame);
    for (let step = 0; step < 200; step++) {
        view.scrollTop = (view.scrollHeight * step) / 200;
        const now = await new Promise(requestAnimationFrame);
        frames.push(now - before);
        before = now;
    }
    return frames;
}"""


@dataclass(frozen=True, slots=True)
class Look:
    """One look at a page; times in milliseconds since navigation began, those of scripts in all."""

    transferred: int
    requests: int
    painted: float
    rows: float
    script: float


def main() -> None:
    """Fill a store, look at every page, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--spans", type=int, default=100_000, help="how many spans are in the store")
    parser.add_argument("--looks", type=int, default=3, help="how often each page is looked at")
    options = parser.parse_args()
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        raise SystemExit("Chromium is not installed, and looks at the pages. Try: apt-get install chromium")
    with tempfile.TemporaryDirectory() as data, Serving(data) as server, sync_playwright() as playwright:
        trace = fill(server, options.spans)
        browser = playwright.chromium.launch(executable_path=chromium, args=["--headless", "--no-sandbox"])
        print(f"{options.spans:,} spans of 200 tenants, the best of {options.looks} looks\n")
        print(f"{'page':<22}{'KB':>7}{'requests':>10}{'first paint':>13}{'rows':>9}{'scripts':>9}")
        for name, path in PATHS.items():
            looks = [look(browser, server.url + path.format(trace=trace)) for _ in range(options.looks)]
            best = min(looks, key=lambda one: one.rows)
            print(
                f"{name:<22}{best.transferred / 1000:>7.0f}{best.requests:>10}{best.painted:>10.0f} ms{best.rows:>6.0f} ms"
                f"{min(one.script for one in looks):>6.0f} ms"
            )
        frames = scrolled(browser, f"{server.url}/traces/{trace}")
        middle, late = frames[len(frames) // 2], frames[len(frames) * 95 // 100]
        print(f"\nscrolling the waterfall: frames of {middle:.1f} ms, p95 {late:.1f} ms")
        browser.close()


def fill(server: Serving, spans: int) -> str:
    """Send spans of the last day, and the trace of 10,000, whose id is answered."""
    now = time.time_ns()
    for body in Generator(1, now - DAY, now).requests(spans, PER_REQUEST):
        send(server, body)
    trace, requests = a_broad_trace(tenant=tenant_name(0))
    for request in requests:
        send(server, request.SerializeToString())
    return trace


def send(server: Serving, body: bytes) -> None:
    """Send one request; what is full is asked again."""
    while True:
        connection = http.client.HTTPConnection(urlsplit(server.url).netloc, timeout=60)
        connection.request("POST", "/v1/traces", body, {"Content-Type": PROTOBUF})
        answer = connection.getresponse()
        said = answer.read()
        connection.close()
        if answer.status == 200:
            return
        if answer.status not in {429, 503}:
            raise SystemExit(f"The server answered {answer.status}: {said.decode()}")
        time.sleep(float(answer.headers.get("Retry-After", "1")))


def opened(browser: Browser, url: str) -> Page:
    """A page with nothing in its cache, as soon as nothing more is loaded."""
    page = browser.new_context(viewport={"width": 1360, "height": 900}).new_page()
    page.add_init_script(WATCH % ROWS)
    page.sizes = sizes = []
    page.on("requestfinished", lambda request: sizes.append(request.sizes()))
    # What was before it is not counted.
    page.session = page.context.new_cdp_session(page)
    page.session.send("Performance.enable")
    page.goto(url, wait_until="networkidle")
    return page


def look(browser: Browser, url: str) -> Look:
    """Open a page once."""
    page = opened(browser, url)
    told = {one["name"]: one["value"] for one in page.session.send("Performance.getMetrics")["metrics"]}
    painted = page.evaluate("performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? NaN")
    rows = page.evaluate("window.rowsAt ?? NaN")
    transferred = sum(one["responseBodySize"] + one["responseHeadersSize"] for one in page.sizes)
    page.context.close()
    return Look(transferred, len(page.sizes), painted, rows, told["ScriptDuration"] * 1000)


def scrolled(browser: Browser, url: str) -> list[float]:
    """How long each frame took while the waterfall was scrolled, the shortest first."""
    page = opened(browser, url)
    page.wait_for_selector("[role=treegrid]")
    frames = page.evaluate(SCROLL)
    page.context.close()
    return sorted(frames)


if __name__ == "__main__":
    main()
