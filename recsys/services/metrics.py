"""Prometheus metrics: what is counted per request, what is asked at the moment of a scrape, and the exposition.

Each part of the product counts with prometheus_client where the thing happens (docs/observability.md lists the names).
Where PROMETHEUS_MULTIPROC_DIR names a directory, all processes of the machine count into files there, and any one of
them can be asked for the sum.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import structlog
from django.db import Error as DatabaseError
from django.db import connection, transaction
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from prometheus_client import (
    CONTENT_TYPE_LATEST,
    REGISTRY,
    CollectorRegistry,
    Counter,
    Histogram,
    generate_latest,
    multiprocess,
)
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from recsys.outbox.selectors import backlog, relay_lag
from recsys.services.counts import settled
from recsys.services.logging import route_of

CONTENT_TYPE = CONTENT_TYPE_LATEST
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
REQUESTS = Counter("tributary_http_requests", "Answered requests.", ["view", "method", "status"])
LATENCY = Histogram(
    "tributary_http_request_seconds",
    "Time from a request to its answer.",
    ["view", "method"],
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10),
)

logger = structlog.get_logger(__name__)


class RequestMetricsMiddleware:
    """Counts every answer and its time by the address's pattern, which is bounded in number."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        started = time.perf_counter()
        response = self.get_response(request)
        method = request.method if request.method in METHODS else "other"
        view = route_of(request)
        REQUESTS.labels(view, method, str(response.status_code)).inc()
        LATENCY.labels(view, method).observe(time.perf_counter() - started)
        return response


def _outbox() -> tuple[dict[str, dict[str, int]], float]:
    """The rows by topic and state, and the lag; within two seconds, or an error."""
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SELECT set_config('statement_timeout', '2000', true)")
        return backlog(), relay_lag()


class OutboxCollector(Collector):
    """The state of the outbox, asked from PostgreSQL when somebody scrapes."""

    def collect(self) -> Iterator[Metric]:
        try:
            waiting, lag = _outbox()
        except DatabaseError as error:
            # The other metrics matter most when PostgreSQL is away; /readyz says that it is.
            logger.warning("metrics_without_outbox", error=type(error).__name__)
            return
        rows = GaugeMetricFamily("tributary_outbox_rows", "Outbox rows by topic and state.", labels=["topic", "state"])
        for topic, counts in waiting.items():
            for state, count in counts.items():
                rows.add_metric([topic, state], count)
        yield rows
        yield GaugeMetricFamily("tributary_outbox_lag_seconds", "Age of the oldest row that is due.", value=lag)


def exposition() -> bytes:
    """All metrics in Prometheus' text format."""
    outbox = CollectorRegistry()
    outbox.register(OutboxCollector())
    # Asked before the counts' lock is taken, under which others wait.
    return generate_latest(outbox) + _counts()


def _counts() -> bytes:
    """What this process counted, or all of this machine's together."""
    directory = os.environ.get("PROMETHEUS_MULTIPROC_DIR")
    if not directory:
        return generate_latest(REGISTRY)
    with settled(Path(directory)):
        registry = CollectorRegistry()
        multiprocess.MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
        return generate_latest(registry)
