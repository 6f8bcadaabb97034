"""Runs of the auditor over a sample, what is kept of the last one, and what staff and monitoring are told."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

import redis
import structlog
from django.contrib.auth.models import AnonymousUser
from django.urls import reverse
from prometheus_client import Counter, Gauge

from feeds import timelines
from feeds.audit import DRIFTS, Findings, audit_readers
from feeds.keys import AUDIT
from realtime.valkey import get_client
from recsys.accounts.models import User
from recsys.services.operations import Figure

SAMPLE, SAMPLE_PAGES = 500, 50  # readers, and those of them whose first page is compared
WALKED = 100_000  # keys to find them among
SHOWN = 5  # drifts that the log names
LATE = 3600  # seconds after which the panel says that nobody audits

DRIFT = Counter("tributary_timeline_drift", "Posts in which a cached timeline differed from SQL.", ["kind"])
AUDITED = Counter("tributary_timeline_audited_windows", "Windows compared with SQL.")
LAST_RUN = Gauge(
    "tributary_timeline_audit_timestamp_seconds", "When the last audit of a sample ended.", multiprocess_mode="livemax"
)
logger = structlog.get_logger(__name__)


def do_audit_sample() -> Findings:
    """Audit the next readers who have a window, go on from there the next time, and repair what they would miss."""
    found = last_audit()
    readers, cursor = timelines.find_readers(cursor=int(found.get("cursor", 0)), most=SAMPLE, walked=WALKED)
    findings = Findings()
    for so_far in audit_readers(readers, pages=SAMPLE_PAGES, repair=DRIFTS):
        findings = so_far
    note(findings)
    LAST_RUN.set_to_current_time()
    summary = {"at": time.time(), "windows": findings.windows, "drift": findings.kinds, "cursor": cursor}
    get_client().set(AUDIT.key(), json.dumps(summary), ex=AUDIT.ttl)
    return findings


def note(findings: Findings) -> None:
    """Count what an audit found, and log its first drifts."""
    AUDITED.inc(findings.windows)
    for kind, posts in findings.kinds.items():
        DRIFT.labels(kind).inc(posts)
    for drift in findings.drifts[:SHOWN]:
        logger.error("timeline_drift", kind=drift.kind, window=drift.window.name, posts=drift.posts[:SHOWN])
    logger.info(
        "timelines_audited",
        readers=findings.readers,
        windows=findings.windows,
        pages=findings.pages,
        waiting=findings.waiting,
        surplus=findings.surplus,
        drift=findings.kinds,
        repaired=findings.repaired,
    )


def every_reader() -> Iterator[int]:
    """All readers who have a window; one that comes while this walks may be left out, and one may come twice."""
    cursor = 0
    while True:
        readers, cursor = timelines.find_readers(cursor=cursor, most=SAMPLE, walked=WALKED)
        yield from readers
        if not cursor:
            return


def last_audit() -> dict[str, Any]:
    """What is known of the last audit of a sample; nothing where there was none, or Valkey forgot."""
    said = get_client().get(AUDIT.key())
    return dict(json.loads(said)) if said else {}


def figures(user: User | AnonymousUser) -> list[Figure]:
    """For the operations panel: what the last audit found."""
    if not user.has_perm("feeds.view_post"):
        return []
    url = reverse("admin:feeds_timeline")
    try:
        last = last_audit()
    except redis.RedisError:
        return [Figure("Audit of timelines", "unknown: Valkey does not answer", url, alarm=True)]
    if not last:
        return [Figure("Audit of timelines", "none in the last day", url)]
    minutes = (time.time() - last["at"]) / 60
    drift = sum(last["drift"].values())
    said = f"{drift:,} posts missing" if drift else "no drift"
    value = f"{said} in {last['windows']:,} windows, {minutes:.0f} min ago"
    return [Figure("Audit of timelines", value, url, alarm=bool(drift) or minutes * 60 > LATE)]
