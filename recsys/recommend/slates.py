"""A slate as it is served, and as it is kept."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from django.conf import settings

from recsys.catalog.models import Item
from recsys.recommend.models import Slate

PRUNE_CHUNK = 5000


@dataclass(frozen=True)
class ServedEntry:
    """One item of a slate. `position` counts from 0; `source` gave most of `score`; `anchor` is the item of the
    reader's past that led to it; `propensity` is the probability with which it was put there.
    """

    item: Item
    source: str
    reason: str
    anchor: Item | None
    score: float
    position: int
    scores: dict[str, float] = field(default_factory=dict)
    propensity: float = 1.0


@dataclass(frozen=True)
class ServedSlate:
    """What was recommended. `served_by` names the sources of the entries, the one with most of them first ("none" for
    an empty slate); `trace` says what led to it.
    """

    recommendation_id: uuid.UUID
    entries: list[ServedEntry]
    served_by: str
    trace: dict[str, Any]


def do_save_slate(*, served: ServedSlate, user_id: int | None, surface: str, region: str) -> None:
    """Keep what was served, so that it can be explained and learned from. One insert."""
    Slate.objects.create(
        recommendation_id=served.recommendation_id,
        user_id=user_id,
        surface=surface,
        region=region,
        entries=[_kept(entry) for entry in served.entries],
        trace=served.trace,
    )


def find_slate(*, recommendation_id: uuid.UUID, user_id: int, surface: str) -> Slate | None:
    """What was served to this user on this surface under that id, as long as it is kept."""
    return Slate.objects.filter(pk=recommendation_id, user=user_id, surface=surface).first()


def do_prune_slates(*, now: datetime | None = None) -> int:
    """Delete the slates that are past their retention, in chunks; return how many."""
    before = (now or datetime.now(UTC)) - timedelta(days=settings.SLATE_RETENTION_DAYS)
    total = 0
    while True:
        oldest = list(
            Slate.objects.filter(created_at__lt=before)
            .order_by("created_at")
            .values_list("pk", flat=True)[:PRUNE_CHUNK]
        )
        total += Slate.objects.filter(pk__in=oldest).delete()[0]
        if len(oldest) < PRUNE_CHUNK:
            return total


def _kept(entry: ServedEntry) -> dict[str, Any]:
    return {
        "item": entry.item.pk,
        "source": entry.source,
        "anchor": entry.anchor.pk if entry.anchor else None,
        "score": round(entry.score, 6),
        "scores": entry.scores,
        "propensity": entry.propensity,
        "reason": entry.reason,
    }
