"""Item heat: exponentially decayed counters for each item and region, and the ranking by them.

A counter is kept as heat = log2(sum of weight * 2^(t / half-life)), so that decay never rewrites a row: an event of
weight w at time t is itself a heat of log2(w) + t / half-life, and two heats add up as log2(2^a + 2^b).
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from django.db import connection, transaction
from django.db.models import OuterRef, Subquery

from ml.decay import add_heats
from recsys.catalog.models import Item
from recsys.events.models import ItemHeat
from recsys.events.strength import STRENGTH_SQL

EPOCH = datetime(2020, 1, 1, tzinfo=UTC)
HALF_LIFE = timedelta(days=2)

# exp() of PostgreSQL raises an error on underflow; 2^-60 is nothing to a double anyway.
_UPSERT = """
INSERT INTO events_itemheat AS known (region, item_id, heat, total)
SELECT new.region, new.item_id, new.heat, new.total
FROM unnest(%s::text[], %s::bigint[], %s::float8[], %s::bigint[]) AS new (region, item_id, heat, total)
JOIN catalog_item ON catalog_item.id = new.item_id
ORDER BY new.region, new.item_id
ON CONFLICT (region, item_id) DO UPDATE SET
    heat = greatest(known.heat, excluded.heat)
           + ln(1 + power(2, -least(abs(known.heat - excluded.heat), 60))) / ln(2),
    total = known.total + excluded.total
"""

# What the outbox still holds is left to the handler, which would otherwise count it a second time.
_REBUILD = f"""
WITH counted AS (
    SELECT item_id, part.region, ln(strength::float8) / ln(2)
           + extract(epoch FROM occurred_at - %(epoch)s)::float8 / %(half_life)s AS heat
    FROM (SELECT id, item_id, occurred_at, string_to_array(region, '-') AS parts, {STRENGTH_SQL} AS strength
          FROM events_interaction) one
    CROSS JOIN LATERAL (SELECT array_to_string(parts[1:length], '-') AS region
                        FROM generate_series(0, cardinality(parts)) length) part
    WHERE strength > 0 AND NOT EXISTS (
        SELECT 1 FROM outbox WHERE aggregatetype = 'events.interaction' AND aggregateid = one.id::text)
), hottest AS (
    SELECT *, max(heat) OVER (PARTITION BY region, item_id) AS most FROM counted
)
INSERT INTO events_itemheat (region, item_id, heat, total)
SELECT region, item_id, most + ln(sum(power(2, -least(most - heat, 60)))) / ln(2), count(*)
FROM hottest GROUP BY region, item_id, most
"""  # noqa: S608


@dataclass(frozen=True)
class Warmth:
    """What one positive event adds: `strength` > 0 at `occurred_at` to an item in a region and all that hold it."""

    item_id: int
    region: str
    strength: float
    occurred_at: datetime


@dataclass(frozen=True)
class Hot:
    """An item by its heat. `count` is the decayed weighted count of now, `total` the plain one since ever."""

    item_id: int
    region: str
    count: float
    total: int


def region_chain(region: str) -> list[str]:
    """The region and all that hold it, narrowest first: US-CA, US, and "" for everywhere."""
    parts = region.split("-") if region else []
    return ["-".join(parts[:length]) for length in range(len(parts), -1, -1)]


def heat_at(moment: datetime) -> float:
    """The heat of one event of strength 1 at `moment`."""
    return (moment - EPOCH) / HALF_LIFE


def add_heat(events: Iterable[Warmth]) -> None:
    """Add `events` to the counters, in one statement whose row order is fixed, so that two of them cannot deadlock."""
    heats: dict[tuple[str, int], tuple[float, int]] = {}
    for event in events:
        heat = math.log2(event.strength) + heat_at(event.occurred_at)
        for region in region_chain(event.region):
            known, total = heats.get((region, event.item_id), (-math.inf, 0))
            heats[region, event.item_id] = (add_heats(known, heat), total + 1)
    if not heats:
        return
    with connection.cursor() as cursor:
        cursor.execute(
            _UPSERT,
            [
                [region for region, _ in heats],
                [item_id for _, item_id in heats],
                [heat for heat, _ in heats.values()],
                [total for _, total in heats.values()],
            ],
        )


def totals(items: Collection[int]) -> dict[int, int]:
    """How often each of the items was taken up since ever, everywhere; who never was is left out. One query."""
    counted = ItemHeat.objects.filter(region="", item_id__in=list(items))
    return dict(counted.values_list("item_id", "total"))


def taken_up(items: Collection[int]) -> dict[int, dict[str, int]]:
    """The counter of what people took up, for items but posts (see catalog/counts.py). One query."""
    counted = ItemHeat.objects.filter(region="", item_id=OuterRef("pk")).values("total")
    things = Item.objects.filter(pk__in=items, post__isnull=True).annotate(total=Subquery(counted))
    return {item: {"taken_up": total or 0} for item, total in things.values_list("pk", "total")}


@transaction.atomic
def rebuild_heat() -> int:
    """Compute all counters anew from the interactions (after an import of history); return how many there are.

    Exact also while events are being recorded: nothing is lost and nothing counted twice.
    """
    with connection.cursor() as cursor:
        cursor.execute("LOCK TABLE events_itemheat IN SHARE ROW EXCLUSIVE MODE")
        cursor.execute("DELETE FROM events_itemheat")
        cursor.execute(_REBUILD, {"epoch": EPOCH, "half_life": HALF_LIFE.total_seconds()})
        return int(cursor.rowcount)


def decayed_counts(heats: Sequence[float], now: datetime | None = None) -> list[float]:
    """The decayed weighted counts of now that `heats` stand for."""
    base = heat_at(now or datetime.now(UTC))
    return [2.0 ** min(heat - base, 1000.0) for heat in heats]
