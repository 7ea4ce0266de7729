"""The tenant that a request or a message brings: believed if it is proven, else dropped, counted and said."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from opentelemetry.trace import get_current_span

from tracium.boundary.member import HEADER, UnreadableTenantError, claim_in
from tracium.boundary.rejection import reject
from tracium.boundary.signature import Verdict
from tracium.boundary.trust import trust

if TYPE_CHECKING:
    from collections.abc import Callable

    from opentelemetry.context import Context
    from opentelemetry.propagators.textmap import Getter

    from tracium.boundary.member import Claim


def judge(carrier: Any, getter: Getter[Any], extract: Callable[[], Context], *, believed: bool) -> str | None:
    """The tenant that `carrier` brings, or None.

    Args:
        carrier: What was handed over.
        getter: How to read it.
        extract: Gives the context that all configured propagators make of it: the trace that the request finally has.
        believed: Whether it comes from a place that is believed without a signature.
    """
    headers = getter.get(carrier, HEADER)
    if not headers:
        return None
    try:
        claim = claim_in(headers)
        if claim is None:
            return None
        tenant, verdict = _verified(claim, extract)
        if tenant is not None:
            return tenant
        if believed:
            return claim.certain
    except UnreadableTenantError as unreadable:
        reject(unreadable.reason)
        return None
    reject(verdict.value if trust().keyring.keys else "unproven")
    return None


def _verified(claim: Claim, extract: Callable[[], Context]) -> tuple[str | None, Verdict]:
    """The reading of a claim that its signature proves; the verdict on the most likely one if there is none."""
    keyring = trust().keyring
    if not keyring.keys:
        return None, Verdict.UNSIGNED
    trace_id = get_current_span(extract()).get_span_context().trace_id
    verdicts = []
    for tenant in claim.readings:
        verdict = keyring.verify(claim.signature, tenant, trace_id)
        if verdict is Verdict.VALID:
            return tenant, verdict
        verdicts.append(verdict)
    return None, Verdict.TRACE_MISMATCH if Verdict.TRACE_MISMATCH in verdicts else verdicts[0]
