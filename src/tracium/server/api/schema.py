"""JSON Schema of answers, made from their dataclasses."""

from __future__ import annotations

import types
from collections.abc import Mapping, Sequence
from dataclasses import is_dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Final, Union, get_args, get_origin, get_type_hints

from tracium.server.plain import columns

_SIMPLE: Final[dict[Any, dict[str, Any]]] = {
    str: {"type": "string"},
    bool: {"type": "boolean"},
    int: {"type": "integer"},
    float: {"type": "number"},
    datetime: {"type": "string", "format": "date-time"},
    Decimal: {"type": "string", "pattern": r"^-?[0-9]+(\.[0-9]+)?$"},
}

# What a module may import for its types alone.
_NAMES: Final = {"Decimal": Decimal, "Mapping": Mapping, "datetime": datetime}


class Schemas:
    """The schemas of dataclasses, each under its name in ``#/components/schemas``."""

    def __init__(self) -> None:
        self.by_name: dict[str, dict[str, Any]] = {}

    def of(self, kind: Any) -> dict[str, Any]:
        """The schema of a type that answers have; a dataclass's is a reference.

        Raises:
            TypeError: no answer has the type.
        """
        if kind in _SIMPLE:
            return dict(_SIMPLE[kind])
        if is_dataclass(kind):
            return self._reference(kind)
        origin, inner = get_origin(kind), get_args(kind)
        if origin in {Union, types.UnionType}:
            known = [self.of(one) for one in inner if one is not types.NoneType]
            return {"anyOf": [*known, {"type": "null"}]} if types.NoneType in inner else {"anyOf": known}
        if isinstance(origin, type) and issubclass(origin, Mapping):
            return {"type": "object", "additionalProperties": self.of(inner[1])}
        if isinstance(origin, type) and issubclass(origin, Sequence):
            return {"type": "array", "items": self.of(inner[0])}
        raise TypeError(f"{kind!r} has no schema.")

    def _reference(self, kind: Any) -> dict[str, Any]:
        name = kind.__name__
        if name not in self.by_name:
            # Known from here on, for what holds itself.
            self.by_name[name] = {}
            hints = get_type_hints(kind, localns=_NAMES)
            names = columns(kind)
            self.by_name[name] = {
                "type": "object",
                "description": (kind.__doc__ or "").strip(),
                "properties": {one.rstrip("_"): self.of(hints[one]) for one in names},
                "required": [one.rstrip("_") for one in names],
            }
        return {"$ref": f"#/components/schemas/{name}"}
