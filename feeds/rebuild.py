"""Make many home windows anew at once, as after Valkey has lost its memory.

A page fills its reader's window by asking SQL for the posts of each author whom the reader follows. Here the authors of
thousands of readers are asked once, and what each reader gets of them is merged in memory. The order is that of
`timelines`: open the windows, then read posts, then fill, so that no post falls between.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta

import numpy as np
import structlog
from django.db import connection
from django.utils import timezone
from numpy.typing import NDArray

from feeds import timelines
from feeds.models import ReadingPosition
from feeds.selectors import fingerprint_sql, make_tag
from feeds.timelines import Contents, WindowKey, home
from recsys.outbox.actions import do_add_rows
from recsys.outbox.handlers import Child

TOPIC = "feeds.rebuild"
CHUNK = 2500  # readers: more share the reading of authors better, but must all be filled while they are open
MOST_FOLLOWS = 1_000_000  # of a part, whose authors are read at once: 100 MB
GRAPHS_AT_ONCE = 100
WINDOWS_PER_TRIP = 100
FOLLOWS_PER_TRIP = 50_000  # of their readers, whose posts are merged together: 75 MB where each author has DEPTH
DEPTH = 30  # posts read of each author
LENGTH = 100  # posts that a window gets: five pages; further ones come as they are posted, or from SQL
OPEN_FOR = 60  # seconds that a chunk may take
ACTIVE = timedelta(days=7)  # whose windows would still be warm
MOST_READERS = 200_000

PLAIN, PRIVATE, PULLED, NOBODY = -1, -2, -3, -4  # instead of whom a post answers; NOBODY is not heard by anyone

_GRAPHS = f"""
    SELECT r.reader, count(f.id), {fingerprint_sql("f.id", "r.reader")},
           coalesce(array_agg(f.followee_id) FILTER (WHERE f.id IS NOT NULL), '{{}}'),
           ARRAY(SELECT muted_id FROM feeds_mute WHERE muter_id = r.reader)
    FROM unnest(%(readers)s::bigint[]) AS r (reader) LEFT JOIN feeds_follow f ON f.follower_id = r.reader
    GROUP BY r.reader
"""  # noqa: S608 (of our own texts)
# Newest first. A full answer goes no further back than its last post, whatever it is. All comes from one index, but for
# the modes, which are looked up for authors who have pulled posts only.
_POSTS = f"""
    SELECT a.author, newest.posts, newest.answers
    FROM unnest(%(authors)s::bigint[]) AS a (author) LEFT JOIN feeds_authorstats s ON s.author_id = a.author
    CROSS JOIN LATERAL (
        SELECT array_agg(p.item_id ORDER BY p.item_id DESC) AS posts, array_agg(
            CASE WHEN s.has_pull_posts AND EXISTS (SELECT FROM feeds_post WHERE item_id = p.item_id AND mode = 'pull')
                 THEN {PULLED} WHEN p.visibility = 'private' THEN {PRIVATE}
                 WHEN p.reply_to_author_id IS NULL OR p.reply_to_author_id = a.author THEN {PLAIN}
                 ELSE p.reply_to_author_id END ORDER BY p.item_id DESC) AS answers
        FROM (
            SELECT item_id, visibility, reply_to_author_id FROM feeds_post
            WHERE author_id = a.author ORDER BY item_id DESC LIMIT %(depth)s
        ) p
    ) newest WHERE newest.posts IS NOT NULL
"""  # noqa: S608 (of our own texts)

logger = structlog.get_logger(__name__)
Ids = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class _Graph:
    """`followed` ends with the reader, and so does `heard`, which lacks the muted."""

    reader: int
    tag: str
    followed: Ids
    heard: Ids


@dataclass(frozen=True, slots=True)
class _Posts:
    """The newest posts of many authors, one author's after another's.

    An author's *place* is that in `authors`, which are in order. Their posts are `count` ones from `start` on, and all
    there are from the id `oldest` on. `answers` holds for each post the place of whom it answers, or PLAIN, PRIVATE,
    PULLED, NOBODY.
    """

    authors: Ids
    start: Ids
    count: Ids
    oldest: Ids
    ids: Ids
    answers: Ids

    def places(self, authors: Ids) -> Ids:
        """The places of authors, all of whom are there."""
        return np.searchsorted(self.authors, authors)


def rebuild_chunks(*, since: timedelta = ACTIVE) -> list[Child]:
    """Rows that rebuild the windows of those who have read within `since`, the last readers first."""
    lately = ReadingPosition.objects.filter(read_at__gte=timezone.now() - since, reader__is_active=True)
    readers = list(lately.order_by("-read_at").values_list("reader", flat=True)[:MOST_READERS])
    parts = [readers[start : start + CHUNK] for start in range(0, len(readers), CHUNK)]
    return [Child(TOPIC, str(place), "rebuild", {"readers": part}, place) for place, part in enumerate(parts)]


def do_rebuild_after_loss() -> int:
    """Where Valkey has lost its memory, write the rows that rebuild the windows; return how many.

    Twice at a time does no harm, nor does a loss that goes unnoticed: windows are also filled when they are read.
    """
    if timelines.has_memory():
        return 0
    rows = rebuild_chunks()
    do_add_rows(rows)
    timelines.note_memory()
    if rows:
        logger.warning("timelines_rebuilt_after_loss", readers=sum(len(row.payload["readers"]) for row in rows))
    return len(rows)


def do_rebuild_windows(*, readers: Sequence[int]) -> int:
    """Fill the home windows of these readers, also warm ones, from SQL; return how many were filled.

    Those that somebody else is filling are left to them.
    """
    filled = 0
    for graphs in _parts(readers):
        opened = timelines.open_windows([home(graph.reader) for graph in graphs], ttl=OPEN_FOR)
        mine = [graph for graph in graphs if home(graph.reader) in opened]
        if not mine:
            continue
        posts = _read_posts(np.unique(np.concatenate([graph.followed for graph in mine])))
        for part in _cut(mine, most=WINDOWS_PER_TRIP, follows=FOLLOWS_PER_TRIP):
            contents = _contents(part, posts)
            timelines.fill_windows({key: opened[key] for key in contents}, contents)
        filled += len(mine)
    return filled


def _parts(readers: Sequence[int]) -> Iterator[list[_Graph]]:
    """The readers' graphs in parts whose posts are read together."""
    slices = (readers[start : start + GRAPHS_AT_ONCE] for start in range(0, len(readers), GRAPHS_AT_ONCE))
    return _cut((graph for part in slices for graph in _read_graphs(part)), most=CHUNK, follows=MOST_FOLLOWS)


def _cut(graphs: Iterable[_Graph], *, most: int, follows: int) -> Iterator[list[_Graph]]:
    """Parts of at most so many graphs, that together have no more follows than this unless it is one alone."""
    part: list[_Graph] = []
    held = 0
    for graph in graphs:
        count = len(graph.followed) - 1
        if part and (len(part) == most or held + count > follows):
            yield part
            part, held = [], 0
        part.append(graph)
        held += count
    if part:
        yield part


def _read_graphs(readers: Sequence[int]) -> Iterator[_Graph]:
    with connection.cursor() as cursor:
        cursor.execute(_GRAPHS, {"readers": list(readers)})
        rows = cursor.fetchall()
    for reader, count, hashed, followed, muted in rows:
        everybody = np.array([*followed, reader], np.int64)
        heard = everybody[~np.isin(everybody, muted)] if muted else everybody
        yield _Graph(reader, make_tag(count, hashed), everybody, heard)


def _read_posts(authors: Ids) -> _Posts:
    """The newest posts of these authors, who are in order."""
    with connection.cursor() as cursor:
        cursor.execute(_POSTS, {"authors": authors.tolist(), "depth": DEPTH})
        rows = sorted(cursor.fetchall())
    counts = np.zeros(len(authors), np.int64)
    oldest = np.zeros(len(authors), np.int64)
    writing = np.searchsorted(authors, [author for author, _, _ in rows])
    counts[writing] = [len(posts) for _, posts, _ in rows]
    oldest[writing] = [posts[-1] if len(posts) == DEPTH else 0 for _, posts, _ in rows]
    ids = np.fromiter((post for _, posts, _ in rows for post in posts), np.int64, counts.sum())
    answered = np.fromiter((one for _, _, answers in rows for one in answers), np.int64, len(ids))
    places = np.searchsorted(authors, answered).clip(max=len(authors) - 1)
    answers = np.where(answered < 0, answered, np.where(authors[places] == answered, places, NOBODY))
    return _Posts(authors, np.cumsum(counts) - counts, counts, oldest, ids, answers)


def _contents(graphs: Sequence[_Graph], posts: _Posts) -> dict[WindowKey, Contents]:
    """What belongs into the readers' windows (compare `selectors`, which asks SQL the same for one reader).

    All posts of all authors whom these readers hear are looked at together, one reader's after another's: `reader` and
    `place` are one for each pair of a reader and an author, and `pair` is which of these a post comes from.
    """
    lengths = np.array([len(graph.heard) for graph in graphs])
    reader = np.repeat(np.arange(len(graphs)), lengths)
    place = posts.places(np.concatenate([graph.heard for graph in graphs]))
    last = np.cumsum(lengths) - 1
    complete_from = np.maximum.reduceat(posts.oldest[place], last + 1 - lengths)

    count = posts.count[place]
    pair = np.repeat(np.arange(len(place)), count)
    row = np.arange(len(pair)) + np.repeat(posts.start[place] - np.cumsum(count) + count, count)
    ids, answers = posts.ids[row], posts.answers[row]
    own = np.zeros(len(place), np.bool_)
    own[last] = True
    belongs = (answers == PLAIN) | (own[pair] & (answers != PULLED))
    replies = np.flatnonzero((answers >= 0) & ~belongs)
    belongs[replies] = _know(graphs, posts, reader[pair[replies]], answers[replies])
    belongs &= ids >= complete_from[reader[pair]]

    kept = np.cumsum(np.bincount(reader[pair[belongs]], minlength=len(graphs)))
    windows = np.split(ids[belongs], kept[:-1])
    return {
        home(graph.reader): _newest(graph.tag, window, int(floor))
        for graph, window, floor in zip(graphs, windows, complete_from, strict=True)
    }


def _know(graphs: Sequence[_Graph], posts: _Posts, readers: Ids, places: Ids) -> NDArray[np.bool_]:
    """Whether readers, by their number among the graphs, follow authors or are those."""
    if not len(readers):
        return np.zeros(0, np.bool_)
    followed = posts.places(np.concatenate([graph.followed for graph in graphs]))
    follower = np.repeat(np.arange(len(graphs)), [len(graph.followed) for graph in graphs])
    return np.isin(readers * len(posts.authors) + places, follower * len(posts.authors) + followed)


def _newest(tag: str, posts: Ids, complete_from: int) -> Contents:
    if len(posts) > LENGTH:
        posts = np.partition(posts, -LENGTH)[-LENGTH:]
        complete_from = int(posts[0])
    return Contents(tag, np.sort(posts)[::-1].tolist(), complete_from)
