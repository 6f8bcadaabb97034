"""What other bounds would change, counted before anybody saves them.

At most five queries, whatever the numbers of authors and posts: authors are read from the lower bound up, posts and
readers to a fixed number. Both sides speak of the *next* post of each author, since posts that have a mode keep it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.db import connection

from feeds.policy import IS_CELEBRITY, get_policy

DAYS = 7
SHORTEST_SPAN = "1 hour"  # what posts are divided by at least, where a burst fills the whole sample
MOST_POSTS = 100_000
READERS = 200
LARGEST = 20


@dataclass(frozen=True, slots=True)
class Figures:
    """What a policy means: pulled authors, pushed deliveries a day, lists that a reader's page merges."""

    pulled_authors: int
    pushed_a_day: float
    lists_average: float
    lists_most: int


@dataclass(frozen=True, slots=True)
class Move:
    """Authors whose next post gets the other mode, and how many deliveries a day these have."""

    authors: int
    deliveries_a_day: float


@dataclass(frozen=True, slots=True)
class MovedAuthor:
    """One of them; `mode` is the new one."""

    pk: int
    username: str
    follower_count: int
    posts_a_day: float
    mode: str

    @property
    def deliveries_a_day(self) -> float:
        return self.posts_a_day * self.follower_count


@dataclass(frozen=True, slots=True)
class Preview:
    """The figures now and then: from `posts` posts, written in the last `days` days, and from `readers` readers."""

    now: Figures
    then: Figures
    to_pull: Move
    to_push: Move
    largest: list[MovedAuthor]
    days: float
    posts: int
    readers: int

    @property
    def authors_moved(self) -> int:
        return self.to_pull.authors + self.to_push.authors

    @property
    def is_sampled(self) -> bool:
        """Whether there were more posts in the last days than are counted."""
        return self.days < DAYS


_NOW = IS_CELEBRITY.format(upper="%(upper)s", lower="%(lower)s")
_THEN = IS_CELEBRITY.format(upper="%(new_upper)s", lower="%(new_lower)s")
_AUTHORS = f"""
    authors AS (
        SELECT s.author_id, s.follower_count, s.is_celebrity, s.has_pull_posts, o.mode AS override,
               coalesce(o.mode = 'pull', {_NOW}) AS pulled_now, coalesce(o.mode = 'pull', {_THEN}) AS pulled_then
        FROM feeds_authorstats s LEFT JOIN feeds_authoroverride o USING (author_id)
    )
"""  # noqa: S608 (as all below: constants put together)
# Who is below both lower bounds is pushed both times, unless overridden.
_COUNT = f"""
    WITH {_AUTHORS}, overridden AS (
        SELECT count(*) AS pulled FROM feeds_authoroverride o JOIN feeds_authorstats s USING (author_id)
        WHERE o.mode = 'pull' AND s.follower_count < least(%(lower)s, %(new_lower)s)
    )
    SELECT count(*) FILTER (WHERE pulled_now) + max(overridden.pulled),
           count(*) FILTER (WHERE pulled_then) + max(overridden.pulled),
           count(*) FILTER (WHERE pulled_then AND NOT pulled_now),
           count(*) FILTER (WHERE pulled_now AND NOT pulled_then)
    FROM overridden LEFT JOIN authors ON follower_count >= least(%(lower)s, %(new_lower)s)
"""  # noqa: S608
# The newest posts by their ids, which have an index, as `created_at` has none. Where all of them are younger than the
# days asked for, they stand for the time since the oldest of them.
_DELIVERIES = f"""
    WITH {_AUTHORS}, recent AS MATERIALIZED (
        SELECT item_id, author_id, created_at FROM feeds_post ORDER BY item_id DESC LIMIT %(most_posts)s
    ), span AS (
        SELECT coalesce(min(item_id), 0) AS oldest, greatest(
            now() - %(days)s * interval '1 day',
            CASE WHEN count(*) = %(most_posts)s THEN least(min(created_at), now() - %(shortest)s::interval) END
        ) AS since FROM recent
    ), posts AS (
        SELECT author_id, count(*) AS n FROM recent, span WHERE created_at >= since GROUP BY author_id
    ), sums AS (
        SELECT coalesce(sum(n * follower_count) FILTER (WHERE NOT pulled_now), 0)::float AS pushed_now,
               coalesce(sum(n * follower_count) FILTER (WHERE NOT pulled_then), 0)::float AS pushed_then,
               coalesce(sum(n * follower_count) FILTER (WHERE pulled_then AND NOT pulled_now), 0)::float AS to_pull,
               coalesce(sum(n * follower_count) FILTER (WHERE pulled_now AND NOT pulled_then), 0)::float AS to_push,
               coalesce(sum(n), 0)::bigint AS posts
        FROM posts JOIN authors USING (author_id)
    )
    SELECT sums.*, since, oldest, extract(epoch FROM now() - since)::float / 86400 FROM sums, span
"""  # noqa: S608
# Between the bounds of the two policies only: the others stay what they are.
_LARGEST = f"""
    WITH {_AUTHORS}
    SELECT moved.author_id, u.username, moved.follower_count, moved.pulled_then, (
        SELECT count(*) FROM feeds_post p
        WHERE p.author_id = moved.author_id AND p.item_id >= %(oldest)s AND p.created_at >= %(since)s
    )
    FROM (
        SELECT * FROM authors
        WHERE pulled_now <> pulled_then AND (
            follower_count >= least(%(upper)s, %(new_upper)s) AND follower_count < greatest(%(upper)s, %(new_upper)s)
            OR follower_count >= least(%(lower)s, %(new_lower)s) AND follower_count < greatest(%(lower)s, %(new_lower)s)
        ) ORDER BY follower_count DESC, author_id LIMIT %(largest)s
    ) moved JOIN accounts_user u ON u.id = moved.author_id ORDER BY moved.follower_count DESC, moved.author_id
"""  # noqa: S608
# Readers at even distances over all ids: everybody where there are few. An author's list stays once it holds a post.
_LISTS = f"""
    WITH {_AUTHORS}, ends AS (
        SELECT min(follower_id) AS first, max(follower_id) AS last FROM feeds_follow
    ), readers AS (
        SELECT DISTINCT next.follower_id
        FROM ends, generate_series(first, last, greatest(1, (last - first) / %(readers)s)) AS start CROSS JOIN LATERAL (
            SELECT follower_id FROM feeds_follow WHERE follower_id >= start ORDER BY follower_id LIMIT 1
        ) next
    ), counts AS (
        SELECT r.follower_id,
               count(*) FILTER (WHERE a.has_pull_posts OR a.pulled_now) AS lists_now,
               count(*) FILTER (WHERE a.has_pull_posts OR a.pulled_then) AS lists_then
        FROM readers r JOIN feeds_follow f USING (follower_id) JOIN authors a ON a.author_id = f.followee_id
        GROUP BY r.follower_id
    )
    SELECT count(*), coalesce(avg(lists_now), 0)::float, coalesce(max(lists_now), 0),
           coalesce(avg(lists_then), 0)::float, coalesce(max(lists_then), 0) FROM counts
"""  # noqa: S608


def preview_policy(*, threshold: int, lower_bound: int) -> Preview:
    """Compare these bounds with the saved ones; with the saved ones themselves, nothing moves."""
    saved = get_policy()
    bounds = {
        "upper": saved.celebrity_threshold,
        "lower": saved.lower_bound,
        "new_upper": threshold,
        "new_lower": lower_bound,
    }
    pulled_now, pulled_then, authors_to_pull, authors_to_push = _row(_COUNT, bounds)
    limits = {"most_posts": MOST_POSTS, "days": DAYS, "shortest": SHORTEST_SPAN}
    pushed_now, pushed_then, to_pull, to_push, posts, since, oldest, days = _row(_DELIVERIES, bounds | limits)
    readers, average_now, most_now, average_then, most_then = _row(_LISTS, bounds | {"readers": READERS})
    moved = authors_to_pull + authors_to_push
    largest = _rows(_LARGEST, bounds | {"oldest": oldest, "since": since, "largest": LARGEST}) if moved else []
    return Preview(
        now=Figures(pulled_now, pushed_now / days, average_now, most_now),
        then=Figures(pulled_then, pushed_then / days, average_then, most_then),
        to_pull=Move(authors_to_pull, to_pull / days),
        to_push=Move(authors_to_push, to_push / days),
        largest=[
            MovedAuthor(pk, name, followers, count / days, "pull" if pulled else "push")
            for pk, name, followers, pulled, count in largest
        ],
        days=days,
        posts=posts,
        readers=readers,
    )


def _rows(query: str, parameters: dict[str, Any]) -> Sequence[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(query, parameters)
        return cursor.fetchall()


def _row(query: str, parameters: dict[str, Any]) -> tuple[Any, ...]:
    return _rows(query, parameters)[0]
