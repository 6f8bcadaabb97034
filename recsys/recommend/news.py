"""Live news for those who look at recommendations: that there are better ones, and which are for them no more.

Of each reader a stream of their own, and one that all share for what concerns everybody. What a reader would be shown
takes some milliseconds to find out, so it is for readers who are connected alone, each at most once in SECONDS.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Any

import redis
import structlog
from django.db import connection

from realtime import streams
from realtime.bounds import Bounds
from realtime.subscriptions import Grant, Request
from recsys.accounts.models import User
from recsys.catalog.models import Item
from recsys.events.features import hidden_among
from recsys.outbox.pacing import Pace
from recsys.outbox.rows import Child, Row
from recsys.recommend import engine
from recsys.recommend.creators import unwanted_creators
from recsys.recommend.models import Slate

KIND = "recommendations"
EVERYBODY = "catalog"  # the stream that all readers share
RAIL, PAGE = 5, 24  # entries beside other pages, and on the page of its own
COMPARED = 10
BOUNDS = Bounds(history=50, ttl=900)
TOPIC = "recommend.news"
PACE = Pace(TOPIC, seconds=5.0)
NAMED = 1000  # items of one event

Event = dict[str, Any]
logger = structlog.get_logger(__name__)

# What these readers were shown lately of things by these creators.
_SHOWN = """
    SELECT DISTINCT named.reader, item.id
    FROM unnest(%(readers)s::bigint[], %(creators)s::bigint[]) AS named (reader, creator)
    CROSS JOIN LATERAL (
        SELECT entries FROM recommend_slate WHERE user_id = named.reader ORDER BY created_at DESC LIMIT 20
    ) slate
    CROSS JOIN LATERAL jsonb_array_elements(slate.entries) entry
    JOIN catalog_item item ON item.id = (entry ->> 'item')::bigint AND item.creator_id = named.creator
"""
_LATELY = """
    SELECT DISTINCT user_id FROM recommend_slate WHERE user_id IS NOT NULL AND created_at > now() - interval '1 hour'
"""


def stream_of(reader: int) -> str:
    """What changes for a reader."""
    return f"recommendations:{reader}"


def recommendations_rule(requests: Sequence[Request]) -> list[Grant | None]:
    """Rule of the subscription kind "recommendations": one's own, and no other."""
    return [
        Grant([stream_of(request.user), EVERYBODY]) if request.user is not None and not request.argument else None
        for request in requests
    ]


def position_of(reader: int) -> str:
    """Where live news of a reader's recommendations go on; ask before they are made. Empty where there are none."""
    try:
        return streams.positions([stream_of(reader), EVERYBODY])
    except redis.RedisError as error:
        logger.warning("recommendations_without_position", error=repr(error))
        return ""


def connected(readers: Collection[int]) -> set[int]:
    """Those of the readers who look on now. The others lose their streams: they load anew when they come back."""
    names = {stream_of(reader): reader for reader in readers}
    heard = streams.with_readers(list(names))
    streams.forget([name for name in names if name not in heard])
    return {names[name] for name in heard}


def tell_of_events(rows: Sequence[Row]) -> list[Child]:
    """Take what readers spoke against from all their pages, and let what suits them now be found out."""
    readers = connected({reader for row in rows for reader in row.payload["users"]})
    verdicts = {(reader, item) for row in rows for reader, item in row.payload["verdicts"] if reader in readers}
    retract(hidden_among(verdicts))
    return PACE.ask(map(str, sorted(readers)))


def tell_of_model() -> list[Child]:
    """Let it be found out what a new model has for those who look on; all in their turn, nobody at once."""
    with connection.cursor() as cursor:
        cursor.execute(_LATELY)
        readers = [reader for (reader,) in cursor.fetchall()]
    heard = streams.with_readers([stream_of(reader) for reader in readers])
    waiting = [reader for reader in readers if stream_of(reader) in heard]
    return [Child(TOPIC, str(reader), "settle", every=PACE.seconds) for reader in waiting]


def publish_news(rows: Sequence[Row]) -> list[Child]:
    """Tell the readers that these children are for what would be recommended to them now, where they still look on."""
    readers = connected({int(row.key) for row in rows})
    return PACE.run([row for row in rows if int(row.key) in readers], _publish)


def _publish(keys: Sequence[str]) -> None:
    readers = User.objects.filter(is_active=True).in_bulk([int(key) for key in keys])
    streams.append((stream_of(reader.pk), event_of(reader)) for reader in readers.values())


def event_of(reader: User) -> Event:
    """What would be recommended now, in the `rail` and on the `page`, of which `count` were not in the newest slate."""
    rail, page = engine.would_recommend(user=reader, counts=(RAIL, PAGE))
    newest = Slate.objects.filter(user=reader, surface=engine.FOR_YOU).order_by("-created_at").first()
    shown = {entry["item"] for entry in newest.entries} if newest else set()
    best = rail if len(shown) <= RAIL else page[:COMPARED]
    count = sum(item not in shown for item in best)
    return {"type": "recommendations.new", "key": "for_you", "count": count, "rail": rail, "page": page}


def retract(hidden: Iterable[tuple[int, int]]) -> None:
    """Take items, given with the reader for whom they are no more, from that reader's pages."""
    items: dict[int, list[int]] = {}
    for reader, item in sorted(hidden):
        items.setdefault(reader, []).append(item)
    streams.append((stream_of(reader), _retracted(gone)) for reader, gone in items.items())


def retract_from_everybody(items: Collection[int]) -> None:
    """Take items from everybody's pages."""
    if items:
        streams.append([(EVERYBODY, _retracted(sorted(items)))])


def retract_creators(apart: Collection[tuple[int, int]]) -> list[Child]:
    """Take from readers' pages what the creators given with them made, as far as these are for them no more."""
    readers = connected({reader for reader, _ in apart})
    unwanted = {reader: unwanted_creators(reader) for reader in readers}
    named = [(reader, creator) for reader, creator in apart if creator in unwanted.get(reader, ())]
    if named:
        with connection.cursor() as cursor:
            cursor.execute(_SHOWN, {"readers": [one for one, _ in named], "creators": [one for _, one in named]})
            retract(cursor.fetchall())
    return PACE.ask(map(str, sorted(readers)))


def withdrawn_among(items: Collection[int]) -> set[int]:
    """Those of the items that are recommended to nobody any more, or are gone."""
    shown = Item.objects.filter(pk__in=items, is_available=True, is_withheld=False)
    return set(items) - set(shown.values_list("pk", flat=True))


def merge_retracted(events: Sequence[Event]) -> Event:
    """One event for the items of many; where they are more than NAMED, the last ones."""
    items = list(dict.fromkeys(item for event in events for item in event["items"]))
    return _retracted(items[-NAMED:])


def _retracted(items: list[int]) -> Event:
    return {"type": "recommendations.retracted", "items": items}
