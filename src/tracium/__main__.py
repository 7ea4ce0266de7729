"""`python -m tracium` is the `tracium` command."""

from __future__ import annotations

from tracium.cli.main import main

if __name__ == "__main__":
    main()
