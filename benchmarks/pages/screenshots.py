"""Takes the pictures of the pages for README and docs: a server of its own with a made-up company's days, in Chromium.

Usage: python benchmarks/pages/screenshots.py [FOLDER]
"""

from __future__ import annotations

import json
import re
import shutil
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "tests"))

from support.serving import Serving  # noqa: E402 - found by the line above
from support.story import HOSTILE, a_day  # noqa: E402

SIZE = {"width": 1180, "height": 660}
PATHS = {
    "overview": "/overview",
    "trace": "/traces/{trace}",
    "compare": "/compare?tenant=acme-corp&tenant=initech",
}


def main(folder: Path) -> None:
    """Take every picture, in light and in dark."""
    folder.mkdir(parents=True, exist_ok=True)
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        raise SystemExit("Chromium is not installed, and takes the pictures. Try: apt-get install chromium")
    with tempfile.TemporaryDirectory() as data, Serving(data) as server, sync_playwright() as playwright:
        server.send(days().SerializeToString())
        browser = playwright.chromium.launch(executable_path=chromium, args=["--headless", "--no-sandbox"])
        trace = a_failed_trace(server)
        for name, path in PATHS.items():
            for scheme in ("light", "dark"):
                take(browser, server.url + path.format(trace=trace), scheme, folder / f"{name}-{scheme}.png")
        browser.close()


def days():
    """Three days of a small company, without the text that tests put in to break pages."""
    request = a_day(traces=1500, hours=72)
    hostile = json.dumps(f" {HOSTILE}")[1:-1]
    for resource in request.resource_spans:
        for scope in resource.scope_spans:
            for span in scope.spans:
                for attribute in span.attributes:
                    if attribute.key == "gen_ai.input.messages":
                        attribute.value.string_value = attribute.value.string_value.replace(hostile, "")
    return request


def a_failed_trace(server: Serving) -> str:
    """The id of a trace with an error."""
    _, _, page = server.ask("GET", "/traces?status=error&tenant=initech", headers={"Accept": "text/html"})
    return re.search(r"/traces/([0-9a-f]{32})", page.decode())[1]


def take(browser: Browser, url: str, scheme: str, to: Path) -> None:
    """Take one picture."""
    page = browser.new_page(viewport=SIZE, color_scheme=scheme, locale="en-GB")
    page.goto(url, wait_until="networkidle")
    page.wait_for_timeout(300)
    page.screenshot(path=to)
    page.close()
    print(f"{to}: {to.stat().st_size:,} bytes")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "docs" / "images")
