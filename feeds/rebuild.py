"""Make many home windows anew at once, as after Valkey has lost its memory.

A page fills its reader's window by asking SQL for the posts of each author whom the reader follows. Here the authors of
thousands of readers are asked once, and what each reader gets of them is merged in memory. The order is that of
`timelines`: open the windows, then read posts, then fill, so that no post falls between.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
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
from feeds.timelines import Contents, home
from recsys.outbox.actions import do_add_rows
from recsys.outbox.handlers import Child

TOPIC = "feeds.rebuild"
CHUNK = 2500  # readers: more share the reading of authors better, but must all be filled while they are open
MOST_FOLLOWS = 1_000_000  # read at once: 100 MB
WINDOWS_PER_TRIP = 100
DEPTH = 30  # posts read of each author
LENGTH = 200  # posts that a window gets: ten pages; further ones come as they are posted, or from SQL
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
_FOLLOW_COUNTS = """
    SELECT r.reader, (SELECT count(*) FROM feeds_follow WHERE follower_id = r.reader)
    FROM unnest(%(readers)s::bigint[]) WITH ORDINALITY AS r (reader, place) ORDER BY r.place
"""
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
    reader: int
    tag: str
    heard: list[int]  # the followed but for the muted, and last the reader
    followed: list[int]


@dataclass(frozen=True, slots=True)
class _Posts:
    """The newest posts of many authors, one author's after another's.

    `answers` holds for each post the place of whom it answers, or PLAIN, PRIVATE, PULLED, NOBODY. `place` numbers the
    authors; an author's posts begin at `start`, end before `end`, and are all there are from the id `oldest` on.
    """

    ids: Ids
    answers: Ids
    place: dict[int, int]
    start: list[int]
    end: list[int]
    oldest: Ids


def rebuild_chunks(*, since: timedelta = ACTIVE) -> list[Child]:
    """Rows that rebuild the windows of those who have read within `since`, the last readers first."""
    lately = ReadingPosition.objects.filter(visited_at__gte=timezone.now() - since, reader__is_active=True)
    readers = list(lately.order_by("-visited_at").values_list("reader", flat=True)[:MOST_READERS])
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
    for part in _parts(readers):
        graphs = _read_graphs(part)
        opened = timelines.open_windows([home(graph.reader) for graph in graphs], ttl=OPEN_FOR)
        mine = [graph for graph in graphs if home(graph.reader) in opened]
        posts = _read_posts({author for graph in mine for author in (*graph.heard, *graph.followed)})
        heard = np.zeros(len(posts.place), np.bool_)
        for start in range(0, len(mine), WINDOWS_PER_TRIP):
            contents = {
                home(graph.reader): _contents(graph, posts, heard) for graph in mine[start : start + WINDOWS_PER_TRIP]
            }
            timelines.fill_windows({key: opened[key] for key in contents}, contents)
        filled += len(mine)
    return filled


def _parts(readers: Sequence[int]) -> Iterator[list[int]]:
    """The readers in parts that together follow no more than MOST_FOLLOWS."""
    with connection.cursor() as cursor:
        cursor.execute(_FOLLOW_COUNTS, {"readers": list(readers)})
        counts = cursor.fetchall()
    part: list[int] = []
    follows = 0
    for reader, count in counts:
        if part and follows + count > MOST_FOLLOWS:
            yield part
            part, follows = [], 0
        part.append(reader)
        follows += count
    if part:
        yield part


def _read_graphs(readers: Sequence[int]) -> list[_Graph]:
    with connection.cursor() as cursor:
        cursor.execute(_GRAPHS, {"readers": list(readers)})
        rows = cursor.fetchall()
    return [
        _Graph(reader, make_tag(count, hashed), [*set(followed).difference(muted), reader], followed)
        for reader, count, hashed, followed, muted in rows
    ]


def _read_posts(authors: set[int]) -> _Posts:
    with connection.cursor() as cursor:
        cursor.execute(_POSTS, {"authors": list(authors), "depth": DEPTH})
        rows = cursor.fetchall()
    place = {author: number for number, author in enumerate(authors)}
    ends = np.zeros(len(authors), np.int64)
    oldest = np.zeros(len(authors), np.int64)
    rows.sort(key=lambda row: place[row[0]])
    for author, posts, _ in rows:
        ends[place[author]] = len(posts)
        oldest[place[author]] = posts[-1] if len(posts) == DEPTH else 0
    starts = np.concatenate([[0], np.cumsum(ends)])
    total = int(starts[-1])
    ids = np.fromiter((post for _, posts, _ in rows for post in posts), np.int64, total)
    answers = (place.get(one, NOBODY) if one > 0 else one for _, _, answered in rows for one in answered)
    numbers = np.fromiter(answers, np.int64, total)
    return _Posts(ids, numbers, place, starts[:-1].tolist(), starts[1:].tolist(), oldest)


def _contents(graph: _Graph, posts: _Posts, heard: NDArray[np.bool_]) -> Contents:
    """What belongs into the reader's window (compare `selectors`, which asks SQL the same for one reader).

    `heard` is room for a flag for each author, all of them down.
    """
    places = [posts.place[author] for author in graph.heard]
    own = places[-1]
    slices = [slice(posts.start[place], posts.end[place]) for place in places]
    ids = np.concatenate([posts.ids[part] for part in slices])
    answers = np.concatenate([posts.answers[part] for part in slices])
    known = [posts.place[author] for author in graph.followed]
    heard[known], heard[own] = True, True
    belongs = (answers == PLAIN) | ((answers >= 0) & heard[answers])
    heard[known], heard[own] = False, False
    first_own = len(ids) - (posts.end[own] - posts.start[own])
    belongs[first_own:] = answers[first_own:] != PULLED
    complete_from = int(posts.oldest[places].max())
    merged = ids[belongs & (ids >= complete_from)]
    if len(merged) > LENGTH:
        merged = np.partition(merged, -LENGTH)[-LENGTH:]
        complete_from = int(merged[0])
    return Contents(graph.tag, np.sort(merged)[::-1].tolist(), complete_from)
