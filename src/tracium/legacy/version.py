"""`tracium.__version__`: the installed version."""

from __future__ import annotations

from typing import Final

from tracium.startup.libraries import installed_version

__version__: Final = installed_version("tracium") or "unknown"
"""As `tracium --version` tells it."""
