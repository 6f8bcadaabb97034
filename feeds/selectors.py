"""Reading timelines. `timeline_sql` says what a reader sees; everything else is a faster way to the same posts."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import redis
import structlog
from django.db import connection
from django.db.models import Q, QuerySet
from prometheus_client import Counter

from feeds import timelines
from feeds.author_lists import read_lists
from feeds.loading import load_selected
from feeds.models import Post
from feeds.subscriptions import stream_names
from feeds.timelines import Contents, Window, WindowKey, author_list, home
from feeds.visibility import (
    Knowing,
    heard_once,
    home_rule,
    is_repeated,
    of_heard,
    visible_posts,
    where,
)
from realtime import streams
from realtime.valkey import Trip
from recsys.accounts.models import User
from recsys.prepared import read_prepared

PAGE = 20
LONGEST_PAGE = 100
SPARE = 10  # further candidates taken from the windows, in place of those that the reader may not see any more

SERVED = Counter("tributary_timeline_pages", "Pages of home timelines, by where their posts came from.", ["source"])
SCANNED, LEAST_DEPTH = 40_000, 50  # posts read to fill windows: in all, about; of one author, at least
LARGEST_ID = 2**63 - 1
RELATED = ("author", "attached", "repost_of__author", "repost_of__attached")  # as `load_posts` does it

logger = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class TimelinePage:
    """Posts, newest first (with author and item); `next_before` asks for the next page, None: there is none.

    `position` is where live updates go on from without a gap; empty where there are none to be had.
    """

    posts: list[Post]
    next_before: int | None
    position: str


@dataclass(frozen=True, slots=True)
class Graph:
    """Whom a reader follows, as far as reading a timeline needs it.

    `fingerprint` changes with every follow, unfollow, mute and unmute, so a window that was filled for another graph is
    not used.
    """

    reader: int
    follow_count: int
    fingerprint: str
    pulled_authors: list[int]

    @property
    def windows(self) -> list[WindowKey]:
        return [home(self.reader), *map(author_list, self.pulled_authors)]

    def tag(self, key: WindowKey) -> str:
        """What the sentinel of a window must name; an author's list holds for everybody."""
        return self.fingerprint if key == home(self.reader) else "all"


def fingerprint_sql(follow: str, reader: str) -> str:
    """An aggregate over the ids of a reader's follows that changes with each follow, unfollow, mute and unmute."""
    return (
        f"coalesce(bit_xor(hashint8extended({follow}, 0)), 0) # coalesce(("  # noqa: S608
        f"SELECT bit_xor(hashint8extended(id, 1)) FROM feeds_mute WHERE muter_id = {reader}), 0)"
    )


def make_tag(follow_count: int, fingerprint: int) -> str:
    """What the sentinel of a home window names: the graph that it was filled for."""
    return f"{follow_count}.{fingerprint}"


# One's own posts are pulled too, once one is a celebrity oneself.
GRAPH = f"""
    SELECT count(f.id), {fingerprint_sql("f.id", "%(reader)s")}, ARRAY(
        SELECT s.author_id FROM feeds_authorstats s JOIN (
            SELECT followee_id FROM feeds_follow WHERE follower_id = %(reader)s UNION ALL SELECT %(reader)s
        ) followed ON s.author_id = followed.followee_id
        WHERE s.has_pull_posts AND s.author_id NOT IN (SELECT muted_id FROM feeds_mute WHERE muter_id = %(reader)s)
        ORDER BY s.follower_count DESC, s.author_id
    ) FROM feeds_follow f WHERE f.follower_id = %(reader)s
"""  # noqa: S608 (of our own texts)
# For each author the newest posts from the index (author, newest) alone: a quiet author costs nothing, and a prolific
# one no more than `depth` entries. Where an author has more, the answer is complete from the oldest of these on. Their
# modes, which that index lacks, are looked up for authors with pulled posts only: for all, it took ten times as long.
# What only the rules of reading know (blocks, say) stays in: a window may hold too much. The fingerprint comes from the
# same statement, so it is that of the graph which the posts are for: one from before may come back, by an unmute.
_FOR_READER = """(p.author_id = %(reader)s OR (p.visibility <> 'private' AND (
              p.reply_to_author_id IS NULL OR p.reply_to_author_id IN (p.author_id, %(reader)s)
              OR p.reply_to_author_id IN (SELECT followee_id FROM followed))))"""
IN_WINDOW = f"p.mode IS DISTINCT FROM 'pull' AND {_FOR_READER}"
_HOME_POSTS = f"""
    WITH followed AS MATERIALIZED (SELECT id, followee_id FROM feeds_follow WHERE follower_id = %(reader)s),
    pulled AS MATERIALIZED (
        SELECT author_id FROM feeds_authorstats
        WHERE has_pull_posts AND (author_id = %(reader)s OR author_id IN (SELECT followee_id FROM followed))
    ), recent AS MATERIALIZED (
        SELECT a.author_id, p.* FROM (
            SELECT followee_id AS author_id FROM followed
            WHERE followee_id NOT IN (SELECT muted_id FROM feeds_mute WHERE muter_id = %(reader)s)
            UNION ALL SELECT %(reader)s
        ) a CROSS JOIN LATERAL (
            SELECT item_id, visibility, reply_to_author_id FROM feeds_post
            WHERE author_id = a.author_id ORDER BY item_id DESC LIMIT %(depth)s
        ) p
    ), cut AS (
        SELECT coalesce(max(oldest), 0) AS complete_from FROM (
            SELECT min(item_id) AS oldest FROM recent GROUP BY author_id HAVING count(*) = %(depth)s
        ) prolific
    )
    SELECT complete_from, ARRAY(
        SELECT p.item_id FROM recent p
        WHERE p.item_id >= complete_from AND {_FOR_READER} AND NOT (p.author_id IN (SELECT author_id FROM pulled)
          AND EXISTS (SELECT FROM feeds_post WHERE item_id = p.item_id AND mode = 'pull'))
        ORDER BY p.item_id DESC LIMIT %(most)s
    ), graph.* FROM cut, (SELECT count(f.id), {fingerprint_sql("f.id", "%(reader)s")} FROM followed f) graph
"""  # noqa: S608 (of our own texts)
_AUTHOR_POSTS = """
    SELECT a.author_id, p.complete_from, p.posts FROM unnest(%(authors)s::bigint[]) AS a (author_id)
    CROSS JOIN LATERAL (
        SELECT CASE WHEN count(*) = %(depth)s THEN min(item_id) ELSE 0 END AS complete_from,
               coalesce(array_agg(item_id ORDER BY item_id DESC) FILTER (WHERE mode = 'pull'), '{}') AS posts
        FROM (
            SELECT item_id FROM feeds_post WHERE author_id = a.author_id ORDER BY item_id DESC LIMIT %(depth)s
        ) recent JOIN feeds_post USING (item_id)
    ) p
"""


_ME = Knowing("%(reader)s::bigint")
_NEWEST = f"""
    SELECT p.item_id FROM feeds_post p
    WHERE p.author_id = a.person AND p.item_id < %(below)s AND {of_heard(_ME, "p")} AND NOT {is_repeated(_ME, "p")}
    ORDER BY p.item_id DESC LIMIT
"""  # noqa: S608 (of our own texts)
# `timeline_sql` for one page: the newest `count` posts `below` an id. Left to itself, the planner goes through all
# posts for a reader of quiet people. `count` posts are by at most as many authors, whose newest posts are the newest;
# so all authors are asked for one post, and only these for more.
_PAGE_POSTS = f"""
    WITH {heard_once(_ME)}
    SELECT page.item_id FROM (
        SELECT a.person FROM heard a CROSS JOIN LATERAL ({_NEWEST} 1) p ORDER BY p.item_id DESC LIMIT %(count)s
    ) a CROSS JOIN LATERAL ({_NEWEST} %(count)s) page ORDER BY page.item_id DESC LIMIT %(count)s
"""  # noqa: S608 (of our own texts)
# Those of the `candidates`, and of the reader's own posts from `lowest` on and `below` an id, that the timeline shows:
# the newest `count`. One's own words always show, so as many suffice; of one's reposts any number may be left out.
_OWN = """
    SELECT item_id FROM feeds_post WHERE author_id = %(reader)s AND item_id >= %(lowest)s AND item_id < %(below)s
"""
# Whom the reader hears is asked for each post, so that a page costs no more for who follows thousands.
_SHOWN_POSTS = f"""
    SELECT p.item_id FROM feeds_post p
    WHERE p.item_id IN (
        SELECT unnest(%(candidates)s::bigint[])
        UNION ({_OWN} AND repost_of_id IS NULL ORDER BY item_id DESC LIMIT %(count)s)
        UNION {_OWN} AND repost_of_id IS NOT NULL
    ) AND {home_rule("%(reader)s::bigint", "p")}
    ORDER BY p.item_id DESC LIMIT %(count)s
"""  # noqa: S608 (of our own texts)


def timeline_sql(*, reader: User) -> QuerySet[Post]:
    """The definition (see `visibility.py`): the posts of the reader and of the people whom the reader hears, newest
    first, each repost once.
    """
    return where(Post.objects.select_related(*RELATED), home_rule(reader.pk, "feeds_post")).order_by("-pk")


def home_timeline(*, reader: User, before: int | None = None, limit: int = PAGE) -> TimelinePage:
    """A page of the reader's home timeline: the posts with ids below `before`, or the newest.

    Two queries from warm windows, however many people the reader follows. Without Valkey, the same page from SQL.
    """
    limit = max(1, min(limit, LONGEST_PAGE))
    position = ""
    try:
        graph = graph_of(reader)
        trip = Trip()
        token = streams.ask_positions(trip, stream_names(reader.pk, graph.pulled_authors))
        posts = _from_windows(reader, graph, before, limit + 1, load_selected, trip)
        position, source = token(), "windows"
    except redis.RedisError as error:
        logger.warning("timeline_from_sql", error=repr(error))
        posts, source = _from_sql(reader, before, limit + 1, load_selected), "sql"
    SERVED.labels(source).inc()
    return _page(posts, limit, position)


def newest_entries(*, reader: User, count: int) -> list[int]:
    """The ids of the newest `count` posts in the reader's home timeline. Two queries from warm windows."""
    try:
        return _from_windows(reader, graph_of(reader), None, count, select_ids)
    except redis.RedisError as error:
        logger.warning("timeline_from_sql", error=repr(error))
        return _from_sql(reader, None, count, select_ids)


def entries_among(*, reader: User, ids: Sequence[int]) -> list[Post]:
    """Those of the posts that the reader's home timeline shows now, newest first. One query."""
    asked = {"candidates": list(ids), "lowest": LARGEST_ID, "below": LARGEST_ID, "count": len(ids)}
    return load_selected(_SHOWN_POSTS, {"reader": reader.pk, **asked})


def author_page(
    *, author: User, reader: User | None, before: int | None = None, limit: int = PAGE, replies: bool = True
) -> TimelinePage:
    """An author's own posts, as far as the reader may see them, with or without replies to others; one query."""
    posts = visible_posts(reader).filter(author=author).select_related(*RELATED).order_by("-pk")
    if not replies:
        posts = posts.filter(Q(reply_to_author=None) | Q(reply_to_author=author))
    if before is not None:
        posts = posts.filter(pk__lt=before)
    return _page(list(posts[: limit + 1]), limit, "")


def _page(posts: list[Post], limit: int, position: str) -> TimelinePage:
    more = len(posts) > limit
    return TimelinePage(posts[:limit], posts[limit - 1].pk if more else None, position)


def graph_of(reader: User) -> Graph:
    """Whom the reader follows now; one query."""
    (row,) = read_prepared(GRAPH, {"reader": reader.pk})
    return make_graph(reader.pk, *row)


def make_graph(reader: int, follow_count: int, hashed: int, pulled: list[int]) -> Graph:
    """What the columns of GRAPH say of a reader."""
    return Graph(reader, follow_count, make_tag(follow_count, hashed), pulled)


def select_ids(sql: str, parameters: Mapping[str, Any]) -> list[int]:
    """The ids that a query selects."""
    return [post for (post,) in read_prepared(sql, parameters)]


T = TypeVar("T")
Select = Callable[[str, Mapping[str, Any]], list[T]]  # what to make of a query for ids: `select_ids` or `load_selected`


def _from_sql(reader: User, before: int | None, count: int, select: Select[T]) -> list[T]:
    return select(_PAGE_POSTS, {"reader": reader.pk, "below": before or LARGEST_ID, "count": count})


def _from_windows(
    reader: User, graph: Graph, before: int | None, count: int, select: Select[T], trip: Trip | None = None
) -> list[T]:
    """The newest `count` posts below `before`: from the windows as far as all are complete, then from SQL."""
    return posts_of(reader, _ready_windows(graph, before, count + SPARE, trip), before, count, select)


def posts_of(reader: User, windows: Sequence[Window], before: int | None, count: int, select: Select[T]) -> list[T]:
    """What these windows, which are all of the reader's, and SQL below them have for a page."""
    wanted = count + SPARE
    floor = max(window.floor for window in windows)
    merged = sorted({post for window in windows for post in window.posts if post >= floor}, reverse=True)
    candidates = merged[:wanted]
    full = len(candidates) == wanted
    # One's own newest posts are on their way through the fan-out, but their writer must never miss them.
    lowest = candidates[-1] if full else floor
    asked = {"candidates": candidates, "lowest": lowest, "below": before or LARGEST_ID, "count": count}
    posts = select(_SHOWN_POSTS, {"reader": reader.pk, **asked})
    if len(posts) == count:
        return posts
    # Below the last candidate the windows were not read; with fewer candidates they were, down to the floor.
    rest = candidates[-1] if full else min(floor, before or floor)
    return posts + _from_sql(reader, rest, count - len(posts), select) if rest else posts


def _ready_windows(graph: Graph, before: int | None, wanted: int, trip: Trip | None = None) -> list[Window]:
    """Every window of the reader's timeline; cold and outdated ones are filled from SQL first."""
    own = home(graph.reader)
    pulled = graph.pulled_authors
    window, versions = timelines.read_home(graph.reader, pulled, before=before, limit=wanted, trip=trip)
    ready = read_lists(pulled, versions, before=before, limit=wanted)
    if window and window.tag == graph.fingerprint:
        ready[own] = window
    missing = [key for key in graph.windows if key not in ready]
    if missing:
        ready |= _fill(graph, missing, before, wanted)
    return list(ready.values())


def _fill(graph: Graph, keys: Sequence[WindowKey], before: int | None, wanted: int) -> dict[WindowKey, Window]:
    """Fill windows in the order that `timelines` asks for: open, read SQL, fill. What was read serves this page too."""
    opened = timelines.open_windows(keys)
    contents = _contents(graph, keys)
    timelines.fill_windows(opened, contents)
    return {key: content.window(before, wanted) for key, content in contents.items()}


def _contents(graph: Graph, keys: Sequence[WindowKey]) -> dict[WindowKey, Contents]:
    own = home(graph.reader)
    authors = [key.owner for key in keys if key != own]
    found: dict[WindowKey, Contents] = {}
    with connection.cursor() as cursor:
        if own in keys:
            depth = _depth(graph.follow_count + 1)
            cursor.execute(_HOME_POSTS, {"reader": graph.reader, "depth": depth, "most": timelines.CAPACITY})
            complete_from, posts, *fingerprint = cursor.fetchone()
            found[own] = Contents(make_tag(*fingerprint), posts, complete_from)
        if authors:
            cursor.execute(_AUTHOR_POSTS, {"authors": authors, "depth": _depth(len(authors))})
            for author, complete_from, posts in cursor.fetchall():
                key = author_list(author)
                found[key] = Contents(graph.tag(key), posts, complete_from)
    return found


def _depth(authors: int) -> int:
    """How many posts of each of so many authors are read to fill a window."""
    return min(timelines.CAPACITY, max(LEAST_DEPTH, SCANNED // authors))
