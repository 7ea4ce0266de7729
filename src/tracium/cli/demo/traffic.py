"""The traffic of the demo: several customers at once, one of them noisy, one of them unlucky."""

from __future__ import annotations

import asyncio
import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterable


@dataclass(frozen=True, slots=True)
class Customer:
    """One customer of the demo's app.

    Attributes:
        tenant: Its tenant id; None sends no header.
        share: Requests of it in each round.
        calls: What it asks for, in turn: a path and its parameters.
    """

    tenant: str | None
    share: int
    calls: tuple[tuple[str, dict[str, str]], ...]


_QUESTION: Final = "Where is my parcel? I ordered two weeks ago and nobody answers my mails."
_CHAT: Final = ("/chat", {"message": _QUESTION})
_STREAM: Final = ("/stream", {"message": _QUESTION})
_STREAM_WITHOUT_USAGE: Final = ("/stream", {"message": _QUESTION, "usage": "false"})
_RESOLVE: Final = ("/resolve", {"message": _QUESTION})
_FAIL: Final = ("/chat", {"message": "please fail"})

CUSTOMERS: Final = (
    Customer("acme-corp", 2, (_CHAT, _STREAM, _RESOLVE)),
    Customer("globex", 2, (_STREAM, _CHAT)),
    Customer("initech", 2, (_CHAT, _FAIL, _CHAT)),
    Customer("org_123:workspace_456", 1, (_STREAM_WITHOUT_USAGE, _CHAT)),
    Customer("hooli", 9, (_CHAT, _RESOLVE)),
    Customer(None, 1, (_CHAT,)),
)
"""`hooli` is noisy, `initech` meets errors, one streams without usage, and one is nobody."""

_AT_ONCE: Final = 12


async def send(app_url: str, requests: int) -> int:
    """Send `requests` requests to the app at `app_url`, twelve at a time; give how many were answered with an error."""
    import httpx2  # noqa: PLC0415 - of the extra `demo`

    waiting = asyncio.Semaphore(_AT_ONCE)
    async with httpx2.AsyncClient(base_url=app_url, timeout=60, trust_env=False) as client:
        answers = await asyncio.gather(
            *(_request(client, waiting, tenant, call) for tenant, call in itertools.islice(_round(), requests))
        )
    return sum(status >= 500 for status in answers)  # noqa: PLR2004 - HTTP's server errors


async def _request(
    client: Any, waiting: asyncio.Semaphore, tenant: str | None, call: tuple[str, dict[str, str]]
) -> int:
    path, parameters = call
    headers = {} if tenant is None else {"X-Tenant-ID": tenant}
    async with waiting:
        answer = await client.post(path, params=parameters, headers=headers)
        status: int = answer.status_code
        return status


def _round() -> Iterable[tuple[str | None, tuple[str, dict[str, str]]]]:
    calls = {customer.tenant: itertools.cycle(customer.calls) for customer in CUSTOMERS}
    while True:
        for customer in CUSTOMERS:
            for _ in range(customer.share):
                yield customer.tenant, next(calls[customer.tenant])
