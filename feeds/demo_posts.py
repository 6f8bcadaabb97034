"""The posts of the demo's community: who writes when about what, who answers and reposts whom, and who likes it."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
from numpy.typing import NDArray

from feeds.demo_texts import Subject, answer, compose
from feeds.models import Hashtag, Like, Mention, Post
from feeds.texts import hashtags_of
from feeds.words import title_of
from recsys.catalog.models import Item
from recsys.demo.community import Community
from recsys.demo.drawing import GroupedDraw, draw_columns, one_group
from recsys.demo.logins import DEMO_LOGINS
from recsys.demo.themes import THEMES
from recsys.imports.copying import copy_rows, reserve_ids

CHUNK = 5_000
POSTING_DAYS = 30
# Of the posts; the rest says something by itself.
REPLIES, REPOSTS = 0.12, 0.06
# Of those that say something: with a tag, to one of those who can be logged in as, with what they are about attached,
# for followers only.
TAGGED, MENTIONING, ATTACHED, FOR_FOLLOWERS = 0.4, 0.03, 0.35, 0.03
RECENT = 300  # posts that are answered and reposted
LIKES = 2.0  # of a post in the mean; a few have very many
ITEM_COLUMNS = (
    "id", "kind", "title", "description", "category", "tags", "regions", "url", "image_url", "attributes",
    "is_available", "published_at", "creator_id",
)  # fmt: skip
POST_COLUMNS = (
    "item_id", "author_id", "text", "created_at", "visibility", "reply_to_id", "repost_of_id", "attached_id",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class DemoPost:
    """A post as it is drawn. `about` is its title, for a repost that of what it shows."""

    pk: int
    author: int
    at: datetime
    text: str
    about: str
    visibility: str = "public"
    mentioned: int | None = None
    attached: int | None = None
    reply_to: int | None = None
    repost_of: int | None = None
    tags: list[str] = field(default_factory=list)


def write_posts(community: Community) -> range:
    """Write posts in the order of their time, which is that of their ids, as timelines want it; return the ids."""
    plan = PostPlan(community)
    copy_rows(Item._meta.db_table, ITEM_COLUMNS, map(_item_row, plan.posts()))
    rows = (
        (one.pk, one.author, one.text, one.at, one.visibility, one.reply_to, one.repost_of, one.attached)
        for one in plan.posts()
    )
    count = copy_rows(Post._meta.db_table, POST_COLUMNS, rows, label="Posts", total=len(plan), shown=community.progress)
    tags = ((one.pk, tag) for one in plan.posts() for tag in one.tags)
    copy_rows(Hashtag._meta.db_table, ("post_id", "tag"), tags)
    mentions = ((one.pk, one.mentioned) for one in plan.posts() if one.mentioned is not None)
    copy_rows(Mention._meta.db_table, ("post_id", "user_id"), mentions)
    copy_rows(Like._meta.db_table, ("user_id", "post_id", "created_at"), _like_rows(community, plan))
    return range(plan.first_id, plan.first_id + count)


def _item_row(one: DemoPost) -> tuple[Any, ...]:
    return (one.pk, "post", one.about, one.text, "", one.tags, [], "", "", "{}", True, one.at, one.author)


def _like_rows(community: Community, plan: PostPlan) -> Iterator[tuple[int, int, datetime]]:
    """Likes by anybody of posts that are for everybody; the events that would make them are not invented."""
    rng, people = community.rng(14), community.people.ids
    for one in plan.posts():
        wanted = min(len(people), int(rng.lognormal(0, 1.2) * LIKES / 2))
        if one.repost_of is not None or one.visibility != "public" or not wanted:
            continue
        for user in set(people[rng.integers(len(people), size=wanted)].tolist()) - {one.author}:
            yield user, one.pk, min(community.now, one.at + timedelta(minutes=int(rng.integers(1, 600))))


class PostPlan:
    """Who posts when about what. Its posts are made anew each time one goes through them: no list of them is held."""

    def __init__(self, community: Community) -> None:
        people, count = community.people, community.size.posts
        rng = community.rng(12)
        self.community = community
        self.first_id = reserve_ids(Item._meta.db_table, count)
        talkative = (rng.lognormal(0, 1.0, len(people)) * np.sqrt(people.fame)).astype(np.float32)
        talkative[: len(DEMO_LOGINS)] = np.quantile(talkative, 0.99)
        self.authors = one_group(talkative).draw(rng, np.zeros(count, dtype=np.int64))
        ago: NDArray[np.float64] = POSTING_DAYS * 86_400 * rng.beta(1.0, 2.0, count)
        self.times = np.sort(community.now.timestamp() - ago)

    def __len__(self) -> int:
        return len(self.authors)

    def posts(self) -> Iterator[DemoPost]:
        """Oldest first."""
        rng = self.community.rng(13)
        recent: deque[DemoPost] = deque(maxlen=RECENT)
        reposted: set[tuple[int, int]] = set()
        for pk, author, item, at in self._subjects(rng):
            way, other = rng.random(), recent[int(rng.integers(len(recent)))] if recent else None
            if other and way < REPLIES:
                yield self._reply(rng, pk, author, at, other)
            elif other and way < REPLIES + REPOSTS and self._may_repost(author, other, reposted):
                reposted.add((author, other.pk))
                yield DemoPost(pk, author, at, "", other.about, repost_of=other.pk)
            else:
                one = self._words(rng, pk, author, at, item)
                if one.visibility == "public":
                    recent.append(one)
                yield one

    @staticmethod
    def _may_repost(author: int, other: DemoPost, reposted: set[tuple[int, int]]) -> bool:
        return other.author != author and (author, other.pk) not in reposted

    @staticmethod
    def _reply(rng: np.random.Generator, pk: int, author: int, at: datetime, other: DemoPost) -> DemoPost:
        text = answer(rng)
        return DemoPost(pk, author, at, text, title_of(text), reply_to=other.pk)

    def _words(self, rng: np.random.Generator, pk: int, author: int, at: datetime, item: int) -> DemoPost:
        catalogue, people = self.community.catalogue, self.community.people
        theme = THEMES[catalogue.first[item]]
        subject = Subject(catalogue.titles[item], catalogue.kinds[item], int(catalogue.years[item]), theme)
        tagged, mentions, attached, narrow = (rng.random(4) < (TAGGED, MENTIONING, ATTACHED, FOR_FOLLOWERS)).tolist()
        login = int(rng.integers(min(len(DEMO_LOGINS), len(people))))
        mentioned = int(people.ids[login]) if mentions and int(people.ids[login]) != author else None
        text = compose(rng, subject)
        text += f" @{people.usernames[login]}, this is for you." if mentioned else ""
        text += f" #{theme.tag.title().replace(' ', '')}" if tagged else ""
        return DemoPost(
            pk, author, at, text, title_of(text),
            visibility="followers" if narrow else "public",
            mentioned=mentioned,
            attached=int(catalogue.ids[item]) if attached else None,
            tags=hashtags_of(text),
        )  # fmt: skip

    def _subjects(self, rng: np.random.Generator) -> Iterator[tuple[int, int, int, datetime]]:
        """(post, author, place of an item in the catalogue that the author would like, time)."""
        people, catalogue = self.community.people, self.community.catalogue
        by_theme = GroupedDraw(catalogue.first, catalogue.popularity, len(THEMES))
        by_popularity = one_group(catalogue.popularity)
        for start in range(0, len(self), CHUNK):
            authors = self.authors[start : start + CHUNK]
            theme = draw_columns(rng, people.tastes[authors], np.arange(len(authors)))
            anything = by_popularity.draw(rng, np.zeros(len(authors), dtype=np.int64))
            items = np.where(by_theme.filled[theme], by_theme.draw(rng, theme), anything)
            for place, (author, item) in enumerate(zip(authors.tolist(), items.tolist(), strict=True), start):
                at = datetime.fromtimestamp(float(self.times[place]), UTC)
                yield self.first_id + place, int(people.ids[author]), item, at
