"""gRPC's metadata as a carrier: pairs of names, in lower case, and values; a name may be there more than once."""

from __future__ import annotations

from typing import Any, Final

from opentelemetry.propagators.textmap import Getter

Pairs = tuple[tuple[str, str | bytes], ...]


class MetadataGetter(Getter[Any]):
    """Reads metadata."""

    def get(self, carrier: Pairs, key: str) -> list[str] | None:
        """All values of one name."""
        return [_text(value) for name, value in carrier if str(name).lower() == key.lower()] or None

    def keys(self, carrier: Pairs) -> list[str]:
        """All names."""
        return [name for name, _ in carrier]


GETTER: Final = MetadataGetter()


def _text(value: str | bytes) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else value
