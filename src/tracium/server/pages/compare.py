"""The page that puts tenants beside each other, and says the difference in words."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

from tracium.server.pages.formatting import duration_text, percent_text
from tracium.server.queries.bucket import Bucket
from tracium.server.queries.compare import Comparison, compare
from tracium.server.queries.tenants import tenants

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from starlette.responses import Response

    from tracium.server.pages.page import Page
    from tracium.server.store import Store
    from tracium.server.usage import TenantUsage, Usage

MOST: Final = 6
_LEAST: Final = 2
# A difference that is worth a sentence.
_CLEARLY: Final = 1.25
_LONG: Final = timedelta(hours=8)
_ORDER: Final = tuple(Bucket)


def compare_page(page: Page, store: Store) -> Response:
    """``GET /compare?tenant=NAME&tenant=NAME``, for two to six tenants."""
    chosen = page.view.tenants
    if len(chosen) > MOST:
        raise ValueError(f"at most {MOST} tenants are compared at once, not {len(chosen)}")
    asked: dict[str, Callable[[], object]] = {"comparison": lambda: _compared(page, store)}
    if len(chosen) < _LEAST:
        asked = {"largest": lambda: _largest(page, store)}
    return page.answer(
        "compare.html",
        store,
        asked,
        title="Compare",
        compares=len(chosen) >= _LEAST,
        words=words,
        chosen=chosen,
        most=MOST,
        csv=page.export("compare.csv", tenant=chosen),
        json=page.export("compare.json", tenant=chosen),
    )


def _largest(page: Page, store: Store) -> list[str]:
    """The tenants to begin with."""
    found = tenants(store, page.principal, page.question_of_all, limit=MOST, compare=False).rows
    return [row.tenant for row in found if row.tenant is not None]


def _compared(page: Page, store: Store) -> Comparison:
    # Several lines in one chart are readable with fewer points.
    is_long = page.view.period.range.length > _LONG
    bucket = max(Bucket.fitting(page.view.period.range), Bucket.HOUR, key=_ORDER.index) if is_long else None
    return compare(store, page.principal, page.question, page.view.tenants, bucket=bucket)


def words(comparison: Comparison) -> Iterator[tuple[str, str]]:
    """What stands out, as tenant and sentence."""
    for row in comparison.rows:
        said = [sentence for sentence in _said(row, comparison.all) if sentence]
        yield row.tenant or "(none)", "; ".join(said) if said else "like the rest"


def _said(row: TenantUsage, everybody: Usage) -> Iterator[str]:
    if not row.requests and not row.model_calls:
        yield "nothing in this range of time"
        return
    if everybody.requests:
        yield f"{percent_text(row.requests / everybody.requests)} of all requests"
    if row.cost is not None and everybody.cost:
        yield f"{percent_text(float(row.cost / everybody.cost))} of the cost that is known"
    if row.error_rate is not None and everybody.error_rate is not None:
        yield _against(("more errors", "fewer errors"), row.error_rate, everybody.error_rate, percent_text)
    if row.p95_ms is not None and everybody.p95_ms is not None:
        yield _against(("slower, a p95 of", "faster, a p95 of"), row.p95_ms, everybody.p95_ms, duration_text)


def _against(words: tuple[str, str], own: float, all_: float, text: Callable[[float], str]) -> str:
    """A sentence with the word for more or for less; empty where the difference is not worth one."""
    if own == all_ or max(own, all_) < min(own, all_) * _CLEARLY:
        return ""
    return f"{words[0] if own > all_ else words[1]}: {text(own)} against {text(all_)} of all".replace("of:", "of")
