"""The social graph and the posts of the demo's community (called by its dotted name: `settings.DEMO_COMMUNITY`)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

import numpy as np

from feeds.demo_posts import write_posts
from feeds.demo_readers import write_readers
from feeds.demo_relations import write_relations
from feeds.demo_responses import write_responses
from feeds.models import AuthorStats, Follow, Post
from feeds.policy import do_decide_modes, get_policy
from recsys.accounts.models import User
from recsys.demo.community import Community, People
from recsys.demo.drawing import GroupedDraw, one_group
from recsys.demo.logins import DEMO_LOGINS
from recsys.demo.names import REGIONS
from recsys.demo.tastes import Ints
from recsys.demo.themes import THEMES
from recsys.imports.copying import analyze, copy_rows

CHUNK = 5_000  # followers whose edges are drawn at a time
DEGREE_SIGMA = 0.9  # of the lognormal of how many people one follows
BY_TASTE, BY_REGION = 0.4, 0.15  # of the edges; the rest goes to whoever is famous
LOGIN_FOLLOWS = 25  # whom those who can be logged in as follow at least, where there are that many
CELEBRITY_SHARE = 0.1  # of the community must follow an author whose posts are pulled, in a database of its own


def load_community(community: Community) -> dict[str, int]:
    """Write follows and posts; return how many. Runs in the caller's transaction, with capture switched off."""
    _fit_policy(community)
    follows = _write_follows(community)
    write_relations(community)
    posts = _write_posts(community)
    write_responses(community)
    write_readers(community)
    return {"follows": follows, "posts": posts}


def _fit_policy(community: Community) -> None:
    """In a database of its own, lower the celebrity threshold to the size of the demo, so that both ways are seen."""
    if User.objects.count() > len(community.people):
        return
    threshold = max(20, int(len(community.people) * CELEBRITY_SHARE))
    policy = get_policy()
    if threshold < policy.celebrity_threshold:
        policy.celebrity_threshold, policy.lower_bound = threshold, threshold * 4 // 5
        policy.save()


def _write_follows(community: Community) -> int:
    rows = _follow_rows(community, community.rng(11))
    columns = ("follower_id", "followee_id", "created_at")
    return copy_rows(
        Follow._meta.db_table, columns, rows, label="Follows", total=community.size.follows, shown=community.progress
    )


def _follow_rows(community: Community, rng: np.random.Generator) -> Iterator[tuple[int, int, datetime]]:
    people = community.people
    degrees = plan_degrees(rng, len(people), community.size.follows)
    graph = _Graph(people)
    for start in range(0, len(people), CHUNK):
        follower, followee = graph.edges(rng, np.arange(start, min(start + CHUNK, len(people))), degrees)
        days = rng.exponential(120, len(follower)).clip(max=900)
        for one, other, ago in zip(
            people.ids[follower].tolist(), people.ids[followee].tolist(), days.tolist(), strict=True
        ):
            yield one, other, community.now - timedelta(days=ago)


def plan_degrees(rng: np.random.Generator, people: int, follows: int) -> Ints:
    """How many others each person follows: lognormal, about `follows` in all, never more than there are others."""
    weights = rng.lognormal(0, DEGREE_SIGMA, people)
    degrees = rng.multinomial(follows, weights / weights.sum())
    if follows:
        degrees[: len(DEMO_LOGINS)] = np.maximum(degrees[: len(DEMO_LOGINS)], LOGIN_FOLLOWS)
    return np.minimum(degrees, people - 1).astype(np.int64)


class _Graph:
    """Draws whom people follow."""

    def __init__(self, people: People) -> None:
        self.people = people
        self.favourite: Ints = people.tastes.argmax(axis=1)
        self.by_fame = one_group(people.fame)
        self.by_taste = GroupedDraw(self.favourite, people.fame, len(THEMES))
        self.by_region = GroupedDraw(people.region, people.fame, len(REGIONS))

    def edges(self, rng: np.random.Generator, persons: Ints, degrees: Ints) -> tuple[Ints, Ints]:
        """Followers and followees, as indices: for each of `persons` about as many as `degrees` says, all different."""
        # Drawn twice as often as needed, since repetitions fall away; the first ones are kept.
        follower = np.repeat(persons, degrees[persons] * 2)
        way = rng.random(len(follower))
        followee = self.by_fame.draw(rng, np.zeros(len(follower), dtype=np.int64))
        followee = np.where(way < BY_TASTE, self.by_taste.draw(rng, self.favourite[follower]), followee)
        followee = np.where(way > 1 - BY_REGION, self.by_region.draw(rng, self.people.region[follower]), followee)
        first, second = self._friends(persons)
        follower, followee = np.concatenate([first, follower]), np.concatenate([second, followee])
        _, firsts = np.unique(follower * len(self.people) + followee, return_index=True)
        firsts.sort()
        firsts = firsts[follower[firsts] != followee[firsts]]
        follower, followee = follower[firsts], followee[firsts]
        order = np.argsort(follower, kind="stable")
        follower, followee = follower[order], followee[order]
        rank = np.arange(len(follower)) - np.searchsorted(follower, follower)
        kept = rank < degrees[follower]
        return follower[kept], followee[kept]

    def _friends(self, persons: Ints) -> tuple[Ints, Ints]:
        """Those who can be logged in as follow one another, so that two browsers show something to each other."""
        logins = min(len(DEMO_LOGINS), len(self.people))
        pairs = [(one, other) for one in range(logins) for other in range(logins) if one != other and one in persons]
        edges = np.array(pairs, dtype=np.int64).reshape(-1, 2)
        return edges[:, 0], edges[:, 1]


def _write_posts(community: Community) -> int:
    ids = write_posts(community)
    analyze(Follow._meta.db_table, Post._meta.db_table, AuthorStats._meta.db_table)
    for start in range(ids.start, ids.stop, CHUNK):
        do_decide_modes(posts=range(start, min(start + CHUNK, ids.stop)))
    return len(ids)
