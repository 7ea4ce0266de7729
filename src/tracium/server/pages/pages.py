"""Which pages there are, and whom each answers."""

from __future__ import annotations

from typing import Final

from tracium.server.access.route import NUMBERS
from tracium.server.pages import tenants
from tracium.server.pages.site import PageRoute

PAGES: Final = (PageRoute("/tenants", tenants.tenants_page, NUMBERS, tenants.OWN),)
