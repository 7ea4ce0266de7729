"""What gunicorn and other WSGI servers serve."""

import os

from django.core.wsgi import get_wsgi_application

import tracium

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "settings")
tracium.trace()
application = get_wsgi_application()
