"""What one user has said about given items: to show pressed buttons and given stars."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from django.db import connection

_SAID = """
SELECT item_id, kind, value FROM (
    SELECT item_id, kind, value, occurred_at, id FROM events_interaction
    WHERE user_id = %s AND item_id = ANY(%s) AND kind IN ('like', 'dislike', 'rate', 'hide')
    ORDER BY occurred_at DESC, id DESC LIMIT 1000
) newest ORDER BY occurred_at, id
"""


@dataclass(slots=True)
class Reaction:
    """The newest word counts: a dislike replaces a like, a later like takes back a hide."""

    opinion: str = ""  # "like", "dislike" or "" (nothing said)
    rating: float | None = None  # 0.5 … 5
    hidden: bool = False


def reactions(user_id: int | None, item_ids: Collection[int]) -> dict[int, Reaction]:
    """The user's reactions to those of the items that they reacted to, in one query; none for a visitor (None)."""
    if user_id is None or not item_ids:
        return {}
    with connection.cursor() as cursor:
        cursor.execute(_SAID, [user_id, list(item_ids)])
        rows = cursor.fetchall()
    found: dict[int, Reaction] = {}
    for item_id, kind, value in rows:
        reaction = found.setdefault(item_id, Reaction())
        if kind == "rate":
            reaction.rating = value
        elif kind == "hide":
            reaction.hidden = True
        else:
            reaction.opinion = kind
            reaction.hidden = reaction.hidden and kind != "like"
    return found
