"""How often one address came with a wrong token."""

from __future__ import annotations

import ipaddress
import time
from collections import OrderedDict
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

_LIMIT: Final = 20
_SECONDS: Final = 60
# Some hundred bytes each.
_ADDRESSES: Final = 10_000


class Attempts:
    """Counts wrong tokens by address, in windows of a minute and in bounded memory.

    A right token is never counted nor kept waiting: whoever shares an address with a client that was set up wrongly
    goes on working.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        # The start of the window and how many there were, the longest untouched first.
        self._windows: OrderedDict[str, tuple[float, int]] = OrderedDict()

    def another(self, address: str) -> bool:
        """Note one more from `address`; answer whether that is too many."""
        network = _network(address)
        now = self._clock()
        start, count = self._windows.pop(network, (now, 0))
        if now - start >= _SECONDS:
            start, count = now, 0
        self._windows[network] = start, count + 1
        if len(self._windows) > _ADDRESSES:
            self._windows.popitem(last=False)
        return count >= _LIMIT


def _network(address: str) -> str:
    """An IPv6 host has a whole /64 to itself."""
    try:
        host = ipaddress.ip_address(address)
    except ValueError:
        return address
    return str(ipaddress.ip_network((host, 64), strict=False)) if host.version == 6 else address  # noqa: PLR2004 - IPv6
