"""What machines ask of an installation: is it alive, is it ready, what does it count."""

from __future__ import annotations

import sys
from ipaddress import ip_address
from typing import Any

from django.conf import settings
from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.template import loader
from django.utils.crypto import constant_time_compare
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from redis.exceptions import RedisError

from recsys.services import metrics
from recsys.services.health import examine

FORWARDED = ("X-Forwarded-For", "Forwarded", "X-Real-IP")
RETRY_LATER = 5  # seconds


@require_safe
@never_cache
def healthz(request: HttpRequest) -> HttpResponse:
    """This process answers. Asks nothing of anybody, so that a lost dependency does not get processes restarted."""
    return HttpResponse("ok\n", content_type="text/plain; charset=utf-8")


@require_safe
@never_cache
def readyz(request: HttpRequest) -> JsonResponse:
    """All that the installation needs works: 200, or 503 with what does not and a hint."""
    findings = examine()
    ready = all(finding.ok for finding in findings)
    body: dict[str, Any] = {
        "status": "ready" if ready else "not ready",
        "checks": {
            finding.name: {"ok": finding.ok, "detail": finding.detail, "ms": finding.ms}
            | ({} if finding.ok else {"hint": finding.hint})
            for finding in findings
        },
    }
    return JsonResponse(body, status=200 if ready else 503)


@require_safe
@never_cache
def metrics_page(request: HttpRequest) -> HttpResponse:
    """Prometheus' text format, for this machine itself or for who knows METRICS_TOKEN."""
    if not _may_scrape(request):
        return HttpResponse(
            "Scrape from this machine itself, or set METRICS_TOKEN and send it as: Authorization: Bearer …\n",
            status=403,
            content_type="text/plain; charset=utf-8",
        )
    return HttpResponse(metrics.exposition(), content_type=metrics.CONTENT_TYPE)


def _may_scrape(request: HttpRequest) -> bool:
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if settings.METRICS_TOKEN and scheme.lower() == "bearer" and constant_time_compare(token, settings.METRICS_TOKEN):
        return True
    # Behind a proxy on the same machine everybody seems to be local, so a forwarded request never counts as such.
    return _is_loopback(request.META.get("REMOTE_ADDR", "")) and not any(name in request.headers for name in FORWARDED)


def _is_loopback(address: str) -> bool:
    try:
        return ip_address(address).is_loopback
    except ValueError:
        return False


def server_error(request: HttpRequest) -> HttpResponse:
    """The page for what no view caught: 503 where PostgreSQL or Valkey is away for the moment, 500 otherwise."""
    if isinstance(sys.exc_info()[1], OperationalError | InterfaceError | RedisError):
        page = loader.render_to_string("503.html")
        return HttpResponse(page, status=503, headers={"Retry-After": str(RETRY_LATER)})
    return HttpResponse(loader.render_to_string("500.html"), status=500)
