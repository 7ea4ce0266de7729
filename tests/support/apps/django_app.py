"""Django in every way in which a tenant can be set and a body be streamed, sync and async, as WSGI and as ASGI."""

import asyncio
import os

from asgiref.sync import iscoroutinefunction, markcoroutinefunction
from django.conf import settings
from django.http import HttpResponse, StreamingHttpResponse
from django.urls import path
from noting import HAND_MADE, async_pieces, is_own, note, noted, pieces, start
from opentelemetry.trace import get_tracer

import tracium


def resolve(request):
    return None if is_own(request.path) else request.headers.get("X-Tenant-ID")


class SetTenant:
    def __init__(self, get_response):
        self.get_response = get_response

    def __call__(self, request):
        tenant = resolve(request)
        if tenant:
            tracium.set_tenant(tenant)
        response = self.get_response(request)
        tracium.set_tenant(None)
        return response


class AsyncPass:
    """Something async between the sync ones."""

    sync_capable = False
    async_capable = True

    def __init__(self, get_response):
        self.get_response = get_response
        assert iscoroutinefunction(get_response)
        markcoroutinefunction(self)

    async def __call__(self, request):
        await asyncio.sleep(0)
        return await self.get_response(request)


settings.configure(
    SECRET_KEY="x",
    ALLOWED_HOSTS=["*"],
    ROOT_URLCONF=__name__,
    MIDDLEWARE=[
        f"{__name__}.SetTenant" if HAND_MADE else "tracium.frameworks.django.TenantMiddleware",
        *([f"{__name__}.AsyncPass"] if "ASGI" in os.environ else []),
    ],
    TRACIUM_TENANT_RESOLVER=resolve,
)


def number(request):
    return int(request.GET["n"])


def plain(request):
    note(number(request), "endpoint")
    return HttpResponse("")


async def async_view(request):
    await asyncio.sleep(0)
    note(number(request), "endpoint")
    return HttpResponse("")


def stream(request):
    return StreamingHttpResponse(pieces(number(request)))


async def async_stream(request):
    return StreamingHttpResponse(async_pieces(number(request)))


def error(request):
    note(number(request), "endpoint")
    raise RuntimeError("as asked")


def nested(request):
    with get_tracer("app").start_as_current_span("outer"), get_tracer("app").start_as_current_span("inner"):
        note(number(request), "endpoint")
    return HttpResponse("")


def own(request):
    tracium.set_tenant(request.headers.get("X-Tenant-ID"))
    note(number(request), "endpoint")
    return StreamingHttpResponse(pieces(number(request)))


async def async_own(request):
    tracium.set_tenant(request.headers.get("X-Tenant-ID"))
    note(number(request), "endpoint")
    return StreamingHttpResponse(async_pieces(number(request)))


urlpatterns = [
    path("plain", plain),
    path("async", async_view),
    path("stream", stream),
    path("events", async_stream if "ASGI" in os.environ else stream),
    path("error", error),
    path("nested", nested),
    path("own/endpoint", own),
    path("own/async", async_own),
    path("noted", lambda request: HttpResponse(noted())),
]

start()
if "ASGI" in os.environ:
    from django.core.asgi import get_asgi_application

    app = get_asgi_application()
else:
    from django.core.wsgi import get_wsgi_application

    app = get_wsgi_application()
