"""The metadata of a gRPC call that leaves: the tenant is written into it, or taken out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tracium.boundary.member import HEADER
from tracium.boundary.metadata import GETTER
from tracium.boundary.outgoing import baggage_for
from tracium.clients.target import host_of
from tracium.faults import fault

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tracium.boundary.metadata import Pairs


def settled(metadata: Iterable[Any] | None, target: str | bytes | None) -> Iterable[Any] | None:
    """The metadata of a call, right for the channel's target: what was given, if nothing has to be changed.

    Args:
        metadata: Of this call; it stays as it is.
        target: Of its channel; None where gRPC does not tell.
    """
    pairs: Pairs = ()
    try:
        pairs = () if metadata is None else tuple((_text(name), value) for name, value in metadata)
        given = GETTER.get(pairs, HEADER)
        host = host_of(target.decode() if isinstance(target, bytes) else target or "")
        value = baggage_for(host, given or (), [str(name) for name, _ in pairs], pairs, GETTER)
        if not value and not given:
            # An iterator is used up by now.
            return metadata if metadata is None or isinstance(metadata, tuple | list) else pairs
        others = _others(pairs)
    except Exception as error:  # noqa: BLE001 - the call is made all the same, but never with a tenant that we could not judge
        fault("writing the tenant into a call's metadata", error)
        return _others(pairs)
    return (*others, (HEADER, value)) if value else others


def _others(pairs: Pairs) -> Pairs:
    return tuple(pair for pair in pairs if str(pair[0]).lower() != HEADER)


def _text(name: Any) -> Any:
    # gRPC takes names of bytes too; what is neither it refuses itself.
    return name.decode("latin-1") if isinstance(name, bytes) else name
