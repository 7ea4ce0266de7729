"""Django: the tenant is in a header or, for links that people click, in the path.

Run it, here in `django_site`; spans go to http://localhost:4318, where `tracium serve` listens, or to TRACIUM_ENDPOINT:

    pip install "tracium[django]" django gunicorn uvicorn
    gunicorn --threads 8 wsgi:application
    uvicorn asgi:application

Try it:

    curl -H "X-Tenant-ID: acme" localhost:8000/answer
    curl localhost:8000/t/globex/answer
    curl -N localhost:8000/t/acme/stream
    curl -N localhost:8000/t/acme/async_stream
    curl -i localhost:8000/answer

What it shows: one setting says who the tenant is, for WSGI and ASGI, and for streamed bodies of both kinds. What names
no tenant that there is gets 401.
"""

import os

from django.core.management.utils import get_random_secret_key

from tracium.frameworks.resolvers import first_of, from_header, from_path

SECRET_KEY = os.environ.get("SECRET_KEY") or get_random_secret_key()
ALLOWED_HOSTS = ["localhost", "127.0.0.1"]
ROOT_URLCONF = "urls"

# First, so that what the other middlewares do is the tenant's too. If who the tenant is depends on the user, put it
# below AuthenticationMiddleware, and let TRACIUM_TENANT_RESOLVER be a function of the request.
MIDDLEWARE = [
    "tracium.frameworks.django.TenantMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "django.middleware.common.CommonMiddleware",
]

CUSTOMERS = {"acme", "globex"}
TRACIUM_TENANT_RESOLVER = first_of(
    from_header("X-Tenant-ID", known=CUSTOMERS),
    from_path("/t/{tenant}", known=CUSTOMERS),
)
TRACIUM_TENANT_MISSING = "reject"
