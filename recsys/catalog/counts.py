"""Live counters of items: one stream for each item, with all that is counted of it in each event.

What is counted is known above this app, which registers a counter for it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

import redis
import structlog
from django.db.models import Q

from realtime import streams
from realtime.bounds import Bounds
from realtime.subscriptions import Grant, Request
from recsys.catalog.models import Item
from recsys.catalog.secrecy import hidden
from recsys.outbox.pacing import Pace
from recsys.outbox.rows import Child

KIND = "items"
MOST = 30  # items of one subscription
BOUNDS = Bounds(history=20, ttl=900)
TOPIC = "catalog.counts"
PACE = Pace(TOPIC, seconds=1.0)

Counts = Mapping[str, int]
Counter = Callable[[Collection[int]], Mapping[int, Counts]]  # items → of those that it knows, what it counts

_counters: list[Counter] = []
logger = structlog.get_logger(__name__)


def register(counter: Counter) -> None:
    """Add a counter. It is asked for many items at once, and should be one query."""
    if counter not in _counters:
        _counters.append(counter)


def counts_of(items: Collection[int]) -> dict[int, dict[str, int]]:
    """All that is counted of those of the items that there are."""
    found: dict[int, dict[str, int]] = {}
    for counter in _counters if items else ():
        for item, counts in counter(items).items():
            found.setdefault(item, {}).update(counts)
    return found


def stream_of(item: int) -> str:
    """What happens to an item."""
    return f"item:{item}"


def items_rule(requests: Sequence[Request]) -> list[Grant | None]:
    """Rule of the subscription kind "items": the argument is up to MOST ids; those not for the asker are left out."""
    asked = [_ids(request.argument) for request in requests]
    users = [request.user for request in requests]
    seen = visible({(user, item) for user, items in zip(users, asked, strict=True) for item in items})
    granted = (
        [stream_of(item) for item in items if (user, item) in seen] for user, items in zip(users, asked, strict=True)
    )
    return [Grant(names) if names else None for names in granted]


def visible(named: Collection[tuple[int | None, int]]) -> set[tuple[int | None, int]]:
    """Those of the pairs of a user (None: a visitor) and an item that this user may know of. Two queries at most.

    What is withheld has no page, but for posts, of which their own rules speak.
    """
    if not named:
        return set()
    shown = Q(is_withheld=False) | Q(post__isnull=False)  # the relation's name is only text here
    there = set(Item.objects.filter(shown, pk__in={item for _, item in named}).values_list("pk", flat=True))
    candidates = {(user, item) for user, item in named if item in there}
    return candidates - hidden(candidates) if candidates else set()


@dataclass(frozen=True, slots=True)
class LiveItems:
    """Up to MOST items that a page shows, and where live updates of them go on; empty where there are none."""

    items: list[int]
    position: str

    @property
    def argument(self) -> str:
        return ",".join(map(str, self.items))


def live_items(items: Iterable[int]) -> list[LiveItems]:
    """The subscriptions for what a page shows. Ask before the counters are read."""
    ids = list(dict.fromkeys(items))
    parts = [ids[start : start + MOST] for start in range(0, len(ids), MOST)]
    return [LiveItems(part, _position(part)) for part in parts]


def _position(items: Sequence[int]) -> str:
    try:
        return streams.positions([stream_of(item) for item in items])
    except redis.RedisError as error:
        logger.warning("items_without_position", error=repr(error))
        return ""


def publish_counts(items: Iterable[int]) -> list[Child]:
    """Tell what is counted of those of the items that somebody has asked for lately; the children are for who waits."""
    watched = streams.existing([stream_of(item) for item in dict.fromkeys(items)])
    return PACE.publish([name.removeprefix("item:") for name in sorted(watched)], _publish)


def _publish(keys: Sequence[str]) -> None:
    found = counts_of([int(key) for key in keys])
    streams.append(
        (stream_of(item), {"type": "item.counts", "key": item, "item": item, "counts": counts})
        for item, counts in found.items()
    )


def parse_ids(text: str) -> list[int]:
    """The ids of a list with commas; ValueError where it is none, or has more than MOST."""
    parts = text.split(",") if text else []
    if len(parts) > MOST or not all(part.isascii() and part.isdigit() and len(part) < 19 for part in parts):
        raise ValueError(f"This must be up to {MOST} ids of items, with commas between them.")
    return list(dict.fromkeys(map(int, parts)))


def _ids(argument: str) -> list[int]:
    try:
        return parse_ids(argument)
    except ValueError:
        return []
