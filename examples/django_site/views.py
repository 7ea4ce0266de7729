"""Views that know nothing of tenants: the middleware does."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator

from django.http import HttpRequest, HttpResponse, StreamingHttpResponse

import tracium


def answer(request: HttpRequest, **_: str) -> HttpResponse:
    order = request.GET.get("order", "It")
    with tracium.start_trace(agent_name="support") as run, run.span("tool", "find_order"):
        return HttpResponse(f"{order} is on its way to {tracium.get_current_tenant()}.\n")


def stream(request: HttpRequest, **_: str) -> StreamingHttpResponse:
    """For WSGI; under ASGI, Django collects the words before it sends them."""
    return StreamingHttpResponse(words(request.GET.get("order", "It")), content_type="text/plain")


async def async_stream(request: HttpRequest, **_: str) -> StreamingHttpResponse:
    """For ASGI; under WSGI, Django collects the words before it sends them."""
    return StreamingHttpResponse(async_words(request.GET.get("order", "It")), content_type="text/plain")


def words(order: str) -> Iterator[str]:
    with tracium.start_trace(agent_name="writer") as run:
        for word in (order, "is", "on", "its", "way.\n"):
            with run.span("llm", "next_word"):
                time.sleep(0.05)  # the model
            yield f"{word} "


async def async_words(order: str) -> AsyncIterator[str]:
    with tracium.start_trace(agent_name="writer") as run:
        for word in (order, "is", "on", "its", "way.\n"):
            with run.span("llm", "next_word"):
                await asyncio.sleep(0.05)  # the model
            yield f"{word} "
