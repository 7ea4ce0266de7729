"""What model calls cost: dated prices in the store, and SQL over them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tracium.server.prices.book import PriceBook, book
from tracium.server.prices.cuts import Cuts
from tracium.server.prices.sql import priced

if TYPE_CHECKING:
    from tracium.server.store import Store

__all__ = ["Cuts", "PriceBook", "book", "ensure", "priced"]


def ensure(store: Store) -> None:
    """Look up the prices of everything that has none yet; to be called before each question that shows cost.

    Raises:
        StoreError: the store could not answer.
    """
    book(store).ensure()
