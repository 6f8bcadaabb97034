"""The product's addresses, and the least that a request can be, to measure the others by. For benches alone."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.urls import include, path

from realtime.valkey import get_client


def one_read(request: HttpRequest) -> HttpResponse:
    """Read one key of Valkey."""
    return HttpResponse(get_client().get("bench:one") or b"nothing", content_type="text/plain")


urlpatterns = [path("bench/one-read", one_read), path("", include("recsys.urls"))]
