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
    return f"Because you {_verb(anchor, kind)} {_short(anchor.title)}"


def of_creator(anchor: Item, kind: str) -> str:
    """For an item by whoever made the item `anchor` of the reader's past."""
    return f"Because you {_verb(anchor, kind)} what {anchor.creator.name} shared" if anchor.creator else POPULAR


def _verb(anchor: Item, kind: str) -> str:
    if kind == InteractionKind.RATE:
        return "rated"
    if kind == InteractionKind.LIKE:
        return "liked"
    return _LOOKED_AT.get(anchor.kind, "viewed")


def similar_to(anchor: Item, source: str) -> str:
    """For an item on the page of another one."""
    title = _short(anchor.title)
    return f"People who liked {title} liked this too" if source == "cf" else f"Similar to {title}"


def trending_in(region: str) -> str:
    """For an item that trends in `region`; "" is everywhere."""
    return f"Trending in {region_name(region)}" if region else "Trending everywhere"


POPULAR = "Popular with everyone"
NEW = "New here"
FRESH = "Shared lately"


def _short(title: str) -> str:
    return title if len(title) <= _LONGEST_TITLE else title[: _LONGEST_TITLE - 1].rstrip() + "…"
