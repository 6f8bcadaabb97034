"""Why an item was recommended, in a sentence that a reader understands."""

from __future__ import annotations

from recsys.accounts.regions import region_name
from recsys.catalog.models import Item
from recsys.events.models import InteractionKind

_LOOKED_AT = {
    "film": "watched", "movie": "watched", "video": "watched", "series": "watched", "episode": "watched",
    "post": "read", "article": "read", "book": "read", "news": "read",
    "track": "listened to", "song": "listened to", "album": "listened to", "podcast": "listened to",
    "game": "played",
}  # fmt: skip
_LONGEST_TITLE = 80


def because_of(anchor: Item, kind: str) -> str:
    """For an item that an item of the reader's past led to; `kind` is what they did with that."""
    if kind == InteractionKind.RATE:
        verb = "rated"
    elif kind == InteractionKind.LIKE:
        verb = "liked"
    else:
        verb = _LOOKED_AT.get(anchor.kind, "viewed")
    return f"Because you {verb} {_short(anchor.title)}"


def similar_to(anchor: Item, source: str) -> str:
    """For an item on the page of another one."""
    title = _short(anchor.title)
    return f"People who liked {title} liked this too" if source == "cf" else f"Similar to {title}"


def trending_in(region: str) -> str:
    """For an item that trends in `region`; "" is everywhere."""
    return f"Trending in {region_name(region)}" if region else "Trending everywhere"


POPULAR = "Popular with everyone"
NEW = "New here"


def _short(title: str) -> str:
    return title if len(title) <= _LONGEST_TITLE else title[: _LONGEST_TITLE - 1].rstrip() + "…"
