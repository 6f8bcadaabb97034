"""The home timeline ranked: the newest entries in the order in which they matter to the reader.

What was ranked is kept as a slate, and further pages go through that slate, so they neither repeat nor skip whatever
happens meanwhile; entries that vanished are left out. A slate ends, and then the timeline goes on newest first.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from django.utils import timezone

from feeds.models import Post
from feeds.selectors import LONGEST_PAGE, PAGE, TimelinePage, entries_among, newest_entries
from recsys.accounts.models import User
from recsys.recommend.engine import TOP, Given, rank
from recsys.recommend.slates import find_slate

CANDIDATES = 300
DAYS = 7
LONGEST = 100  # entries of a ranking
SPARE = 10  # further entries looked at, in place of those that vanished
UNRANKED = ("fresh", "new", "none")  # what served a slate for which nothing was known


@dataclass(frozen=True, slots=True)
class TopPage:
    """A page of a ranking. `page.next_before` is the place in it where the next page begins.

    `reasons` say for each post why it is there. `is_ranked` is False where nothing was known of the reader, so that the
    order is newest first.
    """

    page: TimelinePage
    recommendation_id: uuid.UUID
    served_by: str
    reasons: dict[int, str]

    @property
    def is_ranked(self) -> bool:
        return not set(self.served_by.split(",")) <= set(UNRANKED)


def top_page(*, reader: User, limit: int = PAGE) -> TopPage:
    """Rank what is in the reader's home timeline now; the first page of it."""
    served = rank(user=reader, items=_candidates(reader), region=reader.region, count=LONGEST, page=limit)
    entries = [(entry.item.pk, entry.reason) for entry in served.entries]
    return _page(reader, served.recommendation_id, served.served_by, entries, 0, limit)


def further_top_page(*, reader: User, ranking: uuid.UUID, start: int, limit: int = PAGE) -> TopPage | None:
    """The page of a ranking that begins at the place `start`; None where the reader has no such ranking (any more)."""
    kept = find_slate(recommendation_id=ranking, user_id=reader.pk, surface=TOP)
    if kept is None:
        return None
    entries = [(entry["item"], entry["reason"]) for entry in kept.entries]
    return _page(reader, ranking, kept.trace["served_by"], entries, start, limit)


def _candidates(reader: User) -> list[Given]:
    """The newest entries of others. A post that is there several times comes as itself, else by its last repost."""
    ids = newest_entries(reader=reader, count=CANDIDATES)
    recent = Post.objects.filter(pk__in=ids, created_at__gte=timezone.now() - timedelta(days=DAYS))
    rows = recent.exclude(author=reader).exclude(repost_of__author=reader).order_by("-pk")
    found: dict[int, Given] = {}
    for pk, repost_of, attached, shown_attached in rows.values_list(
        "pk", "repost_of", "attached", "repost_of__attached"
    ):
        shown = repost_of or pk
        if shown not in found or shown == pk:
            found[shown] = Given(pk, shown, attached or shown_attached)
    return sorted(found.values(), key=lambda one: -one.item_id)


def _page(
    reader: User, ranking: uuid.UUID, served_by: str, entries: Sequence[tuple[int, str]], start: int, limit: int
) -> TopPage:
    limit = max(1, min(limit, LONGEST_PAGE))
    looked_at = entries[start : start + limit + SPARE]
    there = {post.pk: post for post in entries_among(reader=reader, ids=[pk for pk, _ in looked_at])}
    places = [place for place, (pk, _) in enumerate(looked_at, start + 1) if pk in there]
    posts = [there[entries[place - 1][0]] for place in places[:limit]]
    end = places[limit - 1] if len(places) >= limit else start + len(looked_at)
    page = TimelinePage(posts, end if end < len(entries) else None, "")
    return TopPage(page, ranking, served_by, dict(looked_at))
