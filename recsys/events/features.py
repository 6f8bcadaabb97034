"""What is known of a user now, read from the interactions themselves: so a request sees the click before it."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime

from django.db import connection

from recsys.events.models import InteractionKind
from recsys.events.strength import VERDICTS, strength

RECENT_ITEMS = 50
MAX_EVENTS = 5000  # of one user, read for one request

_NEWEST = """
SELECT item_id, kind, value, occurred_at FROM events_interaction WHERE user_id = %s
ORDER BY occurred_at DESC, id DESC LIMIT %s
"""
_AGAINST = """
SELECT item_id, kind, value, occurred_at FROM events_interaction
WHERE user_id = %s AND kind IN ('like', 'rate', 'dislike', 'hide')
ORDER BY occurred_at DESC, id DESC
"""

_LAST_WORDS = """
SELECT named.user_id, named.item_id, word.kind, word.value
FROM unnest(%(users)s::bigint[], %(items)s::bigint[]) AS named (user_id, item_id)
CROSS JOIN LATERAL (
    SELECT kind, value FROM events_interaction did
    WHERE did.user_id = named.user_id AND did.item_id = named.item_id AND kind IN ('like', 'rate', 'dislike', 'hide')
    ORDER BY occurred_at DESC, id DESC LIMIT 1
) word
"""


@dataclass(frozen=True)
class RecentItem:
    """An item that a user took up, by the event that says most about it; `strength` > 0 (see `strength.py`)."""

    item_id: int
    kind: str
    value: float | None
    occurred_at: datetime
    strength: float


@dataclass(frozen=True)
class History:
    """`recent`: newest first, liked or looked at. `seen`: every item of the newest events. `hidden`: spoken against."""

    recent: list[RecentItem]
    seen: frozenset[int]
    hidden: frozenset[int]


def user_history(user_id: int) -> History:
    """What the user's newest MAX_EVENTS events say, and all that they ever hid or disliked. One query; two for the few
    users with more events than that."""
    events = _read(_NEWEST, [user_id, MAX_EVENTS])
    newest = _summarise(events)
    verdicts = newest
    if len(events) == MAX_EVENTS:
        verdicts = _summarise(_read(_AGAINST, [user_id]))
    return History(
        recent=[one for one in newest.values() if one.strength > 0],
        seen=frozenset(newest),
        hidden=frozenset(item_id for item_id, one in verdicts.items() if one.strength <= 0),
    )


def recent_items(user_id: int, limit: int = RECENT_ITEMS) -> list[RecentItem]:
    """The items that the user took up last, newest first."""
    return user_history(user_id).recent[:limit]


def seen_items(user_id: int) -> frozenset[int]:
    """The items of the user's newest events, whatever these say."""
    return user_history(user_id).seen


def hidden_items(user_id: int) -> frozenset[int]:
    """The items that the user hid, disliked or rated badly, and did not take back by a later like or rating."""
    return user_history(user_id).hidden


def hidden_among(named: Collection[tuple[int, int]]) -> set[tuple[int, int]]:
    """Those of the pairs of a user and an item in which the user's last word is against the item. One query."""
    if not named:
        return set()
    users, items = zip(*sorted(named), strict=True)
    with connection.cursor() as cursor:
        cursor.execute(_LAST_WORDS, {"users": list(users), "items": list(items)})
        return {(user, item) for user, item, kind, value in cursor.fetchall() if strength(kind, value) <= 0}


def _read(sql: str, parameters: list[int]) -> list[RecentItem]:
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)
        return [
            RecentItem(item_id, kind, value, occurred_at, strength(kind, value))
            for item_id, kind, value, occurred_at in cursor.fetchall()
        ]


def _summarise(events: Iterable[RecentItem]) -> dict[int, RecentItem]:
    """One event for each item, in the order of `events` (newest first): its newest verdict, else its strongest one."""
    best: dict[int, RecentItem] = {}
    for event in events:
        known = best.get(event.item_id)
        if known is None:
            best[event.item_id] = event
        elif known.kind not in VERDICTS and (event.kind in VERDICTS or event.strength > known.strength):
            best[event.item_id] = event  # keeps the item's place, which is that of its newest event
    return best


def is_positive(kind: str, value: float | None) -> bool:
    """Whether such an event counts in an item's favour."""
    return kind in InteractionKind.values and strength(kind, value) > 0
