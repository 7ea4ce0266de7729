"""The same views, for clients that send a header and for links."""

from django.urls import include, path
from views import answer, async_stream, stream

views = [path("answer", answer), path("stream", stream), path("async_stream", async_stream)]
urlpatterns = [*views, path("t/<tenant>/", include(views))]
