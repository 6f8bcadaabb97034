"""Live dashboards of what trends: one stream for each region, with the whole ranking in each event.

What trends in a region comes from all that hold it, so an event anywhere may move every dashboard: those that somebody
has asked for lately are ranked anew, each at most once in SECONDS.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import redis
import structlog
from django.utils.text import Truncator

from realtime import streams
from realtime.bounds import Bounds
from realtime.subscriptions import Grant, Request
from realtime.valkey import Trip, get_client
from recsys.accounts.models import User
from recsys.accounts.regions import normalise_region
from recsys.accounts.templatetags.display import tint
from recsys.catalog.models import Item
from recsys.events.features import hidden_items
from recsys.events.heat import totals
from recsys.outbox.pacing import Pace
from recsys.outbox.rows import Child, Row
from recsys.recommend import engine
from recsys.recommend.candidates import fetch
from recsys.recommend.keys import DASHBOARDS, MOST_DASHBOARDS
from recsys.recommend.slates import ServedEntry, ServedSlate

KIND = "trending"
RAIL, PAGE = 5, 24  # entries beside other pages, and on the page of its own
LONGEST_TITLE = 160  # characters
MOST_HIDDEN = 200  # items of one reader that a page names
BOUNDS = Bounds(history=20, ttl=900)
TOPIC = "recommend.trending"
# A ranking takes some milliseconds: each dashboard comes at most so often, and where there are many, less often.
SECONDS, SLOWEST = 2.0, 60.0
PER_SECOND = 10

# Those of the regions, each with who asks for it, that there are for them.
_PARTS = """
    SELECT asked.reader, asked.region FROM unnest(%(users)s::bigint[], %(regions)s::text[]) AS asked (reader, region)
    WHERE EXISTS (SELECT FROM events_itemheat heat WHERE heat.region = asked.region)
       OR EXISTS (SELECT FROM accounts_user who WHERE who.id = asked.reader AND who.region = asked.region)
"""

logger = structlog.get_logger(__name__)


def stream_of(region: str) -> str:
    """What moves on the dashboard of a region ("" is everywhere)."""
    return f"trending:{region or 'all'}"


def dashboard_rule(requests: Sequence[Request]) -> list[Grant | None]:
    """Rule of the subscription kind "trending": for everybody; the argument is a region.

    Of a country's parts there are those that something happened in, and for people who live there their own: whoever
    makes names up makes nobody rank anything.
    """
    asked = [(request.user, _region(request.argument)) for request in requests]
    there = _parts_among({(user, region) for user, region in asked if region and "-" in region})
    regions = [
        region if region is None or "-" not in region or (user, region) in there else None for user, region in asked
    ]
    trip = Trip()
    _note(trip, [region for region in regions if region is not None])
    trip.go()
    return [None if region is None else Grant([stream_of(region)]) for region in regions]


def _parts_among(asked: Collection[tuple[int | None, str]]) -> set[tuple[int | None, str]]:
    if not asked:
        return set()
    users, regions = zip(*asked, strict=True)
    found = fetch(_PARTS, {"users": [user or 0 for user in users], "regions": list(regions)})
    return {(user or None, region) for user, region in found}


def position_of(region: str) -> str:
    """Where live updates of a region's dashboard go on; ask before it is ranked. Empty where there are none."""
    try:
        trip = Trip()
        _note(trip, [region])
        token = streams.ask_positions(trip, [stream_of(region)])
        trip.go()
        return token()
    except redis.RedisError as error:
        logger.warning("dashboard_without_position", error=repr(error))
        return ""


def changed() -> list[Child]:
    """The children that rank all dashboards anew that somebody has asked for lately."""
    watched = _watched()
    return _pace(watched).ask(watched)


def publish_dashboards(rows: Sequence[Row]) -> list[Child]:
    """Rank the dashboards anew that these children are for, as far as somebody still asks for them."""
    watched = _watched()
    return _pace(watched).run([row for row in rows if row.key in watched], _publish)


def _pace(watched: Sequence[str]) -> Pace:
    return Pace(TOPIC, min(max(SECONDS, len(watched) / PER_SECOND), SLOWEST))


@dataclass(frozen=True)
class Dashboard:
    """What trends in a region as somebody sees it, and what a page needs to go on from there.

    The events show it as a visitor does. `own` says that theirs is another ranking by an experiment; `hidden` are the
    items that it never shows them, as far as they are few enough to be told.
    """

    region: str
    slate: ServedSlate
    position: str
    taken_up: Mapping[int, int]
    own: bool
    hidden: list[int]
    blank: Item = field(default_factory=Item)  # for what scripts fill in


def dashboard(*, region: str, count: int, user: User | None) -> Dashboard:
    """The dashboard for `user` (None: a visitor). Its slate is kept like every slate."""
    position = position_of(region)
    hidden = hidden_items(user.pk) if user else frozenset()
    slate = engine.trending(region=region, count=count, user=user, hidden=hidden)
    return Dashboard(
        region=region,
        slate=slate,
        position=position,
        taken_up=totals([entry.item.pk for entry in slate.entries]) if count > RAIL else {},
        own=bool(slate.trace["variants"]) or len(hidden) > MOST_HIDDEN,
        hidden=sorted(hidden) if len(hidden) <= MOST_HIDDEN else [],
    )


def _publish(regions: Sequence[str]) -> None:
    streams.append((stream_of(region), event_of(region)) for region in regions)


def event_of(region: str) -> dict[str, Any]:
    """The whole dashboard as a visitor sees it: `items` in full, and their order in the `rail` and on the `page`."""
    rail, page = engine.would_trend(region=region, counts=(RAIL, PAGE))
    shown = {entry.item.pk: entry for entry in [*rail, *page]}
    taken_up = totals(shown)
    return {
        "type": "trending",
        "key": region,
        "region": region,
        "rail": [entry.item.pk for entry in rail],
        "page": [entry.item.pk for entry in page],
        "items": [_body(entry, taken_up.get(entry.item.pk, 0)) for entry in shown.values()],
    }


def _body(entry: ServedEntry, total: int) -> dict[str, Any]:
    item = entry.item
    kind = item.category or item.kind
    return {
        "id": item.pk,
        "title": Truncator(item.title).chars(LONGEST_TITLE),
        "url": item.get_absolute_url(),
        "kind": kind,
        "tint": tint(kind),
        "reason": entry.reason,
        "trends": entry.source == "trending",
        "taken_up": total,
        "is_made": item.creator_id is not None,  # by a person, whose things are not for everybody
    }


def _region(argument: str) -> str | None:
    try:
        return normalise_region(argument)
    except ValueError:
        return None


def _note(trip: Trip, regions: Sequence[str]) -> None:
    """Remember that somebody looks at these regions: before the streams are asked for, so that none stays unknown."""
    key, now = DASHBOARDS.key(), time.time()
    if regions:
        trip.ask("ZADD", key, *(part for region in regions for part in (now, stream_of(region))))
        trip.ask("ZREMRANGEBYRANK", key, 0, -MOST_DASHBOARDS - 1)
        trip.ask("EXPIRE", key, DASHBOARDS.ttl)


def _watched() -> list[str]:
    """The regions whose dashboards somebody has asked for within the life of their streams."""
    client, key, now = get_client(), DASHBOARDS.key(), time.time()
    known = [str(name, "utf-8") for name in client.zrange(key, 0, -1)]  # type: ignore[arg-type]  # no scores
    watched = sorted(streams.existing(known)) if known else []
    if watched:
        pipeline = client.pipeline(transaction=False)
        pipeline.zadd(key, dict.fromkeys(watched, now), xx=True)
        pipeline.zremrangebyscore(key, "-inf", now - 2 * BOUNDS.ttl)
        pipeline.expire(key, DASHBOARDS.ttl or 0)
        pipeline.execute()
    return [_region_of(name) for name in watched]


def _region_of(stream: str) -> str:
    region = stream.removeprefix("trending:")
    return "" if region == "all" else region
