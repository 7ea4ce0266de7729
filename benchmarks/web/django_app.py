"""The Django app, for WSGI and ASGI: the tenant is set by hand, as the guide does it, or by the ready-made middleware."""

from concurrent.futures import ThreadPoolExecutor

import wiring
from asgiref.sync import sync_to_async
from django.conf import settings
from django.core.asgi import get_asgi_application
from django.core.wsgi import get_wsgi_application
from django.http import HttpResponse, StreamingHttpResponse
from django.urls import path
from traffic import TENANTS

if wiring.READY_MADE:
    from tracium.frameworks.resolvers import from_header

    settings.configure(
        ROOT_URLCONF=__name__,
        ALLOWED_HOSTS=["*"],
        LOGGING_CONFIG=None,
        MIDDLEWARE=["tracium.frameworks.django.TenantMiddleware"],
        TRACIUM_TENANT_RESOLVER=from_header("X-Tenant-ID", known=TENANTS),
    )
else:
    settings.configure(
        ROOT_URLCONF=__name__,
        ALLOWED_HOSTS=["*"],
        LOGGING_CONFIG=None,
        MIDDLEWARE=[f"{__name__}.TenantMiddleware"],
    )
wiring.begin("django")
pool = ThreadPoolExecutor(4)


class TenantMiddleware:
    def __init__(self, get_response):
        self.get_response = get_response

    def __call__(self, request):
        tenant = request.headers.get("X-Tenant-ID")
        if tenant:
            wiring.set_tenant(tenant)
        response = self.get_response(request)
        wiring.set_tenant(None)
        return response


def plain(request):
    return HttpResponse(_work(_id(request)))


def thread(request):
    return HttpResponse(pool.submit(_work, _id(request)).result())


async def plain_async(request):
    return HttpResponse(_work(_id(request)))


async def thread_async(request):
    return HttpResponse(await sync_to_async(_work)(_id(request)))


def _work(number):
    with wiring.work("work", number):
        return str(wiring.get_current_tenant())


def stream(request):
    with wiring.work("work", _id(request)):
        return StreamingHttpResponse(_parts(_id(request)))


async def stream_async(request):
    with wiring.work("work", _id(request)):
        return StreamingHttpResponse(_parts_async(_id(request)))


def _parts(number):
    for name in ("first", "second"):
        with wiring.work(name, number):
            part = name
        yield part


async def _parts_async(number):
    for part in _parts(number):
        yield part


def fail(request):
    with wiring.work("work", _id(request)):
        pass
    raise ArithmeticError(_id(request))


def _id(request):
    return int(request.GET["id"])


urlpatterns = [
    path("plain", plain),
    path("thread", thread),
    path("stream", stream),
    path("raise", fail),
    path("async/plain", plain_async),
    path("async/thread", thread_async),
    path("async/stream", stream_async),
    path("async/raise", fail),
]

app = get_wsgi_application()
asgi_app = get_asgi_application()
