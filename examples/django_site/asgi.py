"""What uvicorn and other ASGI servers serve."""

import os

from django.core.asgi import get_asgi_application

import tracium

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "settings")
tracium.trace()
application = get_asgi_application()
