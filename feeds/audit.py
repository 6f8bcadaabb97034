"""The auditor: windows and pages against SQL.

A post is *missing* where SQL puts it into a ready window at or above its floor, the window lacks it, and its fan-out
has ended. Most of what looks so at first is a post on its way, so a suspicion is only convicted by these steps, in this
order:

1. SQL: the post belongs into the window, whose reader's graph has the tag T;
2. SQL: no outbox row would still bring it there. Its row committed with the post, its chunks with the end of that row,
   and a row ends after its work in Valkey: so whatever was to be added was added before this step;
3. Valkey: the window is ready with the tag T, from a floor at or below the post, and lacks it;
4. SQL: the post still belongs there, and the tag is still T.

There is no false alarm. A window that was opened before the post was added has got it then, and one that was opened
later was filled from SQL that held the post (filling reads after opening). Trimming raises the floor in the step that
drops posts, and both are read in one. A change of the graph changes the tag (seen in 3, or in 4 if the window does not
know of it yet), and a tag never comes back with another graph. A post that was deleted or made private before the
window was filled anew is not there any more in 4. A post whose row is parked is on no way: it is told apart, for staff
to retry.

A *surplus* post is in a window although SQL would not put it there: it was deleted, say. That is allowed, since reading
decides; it is counted, and can be repaired. A window with another tag than its reader's is no drift: nobody reads it.

A *page* is compared within one snapshot of SQL: what reading makes of the windows, and what `timeline_sql` says.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from django.db import connection, transaction

from feeds import timelines
from feeds.fanout import CHUNK_TOPIC
from feeds.selectors import GRAPH, IN_WINDOW, Graph, graph_of, make_graph, posts_of, select_ids, timeline_sql
from feeds.timelines import WindowKey, author_list, home
from recsys.accounts.models import User

BATCH = 500  # readers whose windows are compared together
PAGE_POSTS = 40  # of a timeline's beginning
TRIES = 3  # a page must differ in the same posts each time
POST_TOPIC = "feeds.post"

# `a` has the readers and their floors. The fence (OFFSET 0) keeps each author's posts behind the index.
_OF_READERS = f"""
    SELECT a.reader, g.follow_count, g.hashed, g.pulled, ARRAY(
        WITH followed AS MATERIALIZED (SELECT followee_id FROM feeds_follow WHERE follower_id = %(reader)s)
        SELECT p.item_id FROM (
            SELECT followee_id AS author_id FROM followed
            WHERE followee_id NOT IN (SELECT muted_id FROM feeds_mute WHERE muter_id = %(reader)s)
            UNION ALL SELECT %(reader)s
        ) heard CROSS JOIN LATERAL (
            SELECT * FROM feeds_post WHERE author_id = heard.author_id AND item_id >= a.floor
              AND (a.posts IS NULL OR item_id = ANY(a.posts)) OFFSET 0
        ) p WHERE {IN_WINDOW}
    ) FROM asked a CROSS JOIN LATERAL ({GRAPH}) g (follow_count, hashed, pulled)
""".replace("%(reader)s", "a.reader")  # noqa: S608 (of our own texts)
_OF_AUTHORS = """
    SELECT a.reader, ARRAY(
        SELECT item_id FROM feeds_post WHERE author_id = a.reader AND item_id >= a.floor AND mode = 'pull'
          AND (a.posts IS NULL OR item_id = ANY(a.posts))
    ) FROM asked a
"""
_ASKED = """
    WITH asked AS (
        SELECT reader, floor, string_to_array(posts, ' ')::bigint[] AS posts
        FROM unnest(%(owners)s::bigint[], %(floors)s::bigint[], %(posts)s::text[]) AS asked (reader, floor, posts)
    )
"""
_WAITING = """
    SELECT post::bigint, bool_and(parked) FROM (
        SELECT aggregateid AS post, parked_at IS NOT NULL AS parked FROM outbox
        WHERE aggregatetype = %(topic)s AND aggregateid = ANY(%(posts)s)
        UNION ALL
        SELECT post, parked_at IS NOT NULL FROM outbox CROSS JOIN jsonb_array_elements_text(payload -> 'posts') AS post
        WHERE aggregatetype = %(chunks)s AND type IN ('deliver', 'tell') AND post = ANY(%(posts)s)
    ) waiting GROUP BY post
"""


SURPLUS = "surplus"
DRIFTS = frozenset({"missing", "parked", "page"})

Posts = Mapping[WindowKey, Collection[int]]


@dataclass(frozen=True, slots=True)
class Drift:
    """Posts that a cache lacks: `missing` or `parked` in a window, or wrong on a `page` of a reader's timeline."""

    kind: str
    window: WindowKey
    posts: tuple[int, ...]


@dataclass(slots=True)
class Findings:
    """What an audit has looked at and found. `waiting` and `surplus` are posts, and no drift."""

    readers: int = 0
    windows: int = 0
    outdated: int = 0
    pages: int = 0
    waiting: int = 0
    surplus: int = 0
    drifts: list[Drift] = field(default_factory=list)
    repaired: int = 0

    @property
    def kinds(self) -> dict[str, int]:
        """How many posts drifted, by kind."""
        counts: dict[str, int] = {}
        for drift in self.drifts:
            counts[drift.kind] = counts.get(drift.kind, 0) + len(drift.posts)
        return counts


@dataclass(frozen=True, slots=True)
class _Truth:
    """What SQL says of a window: the tag that it must have, and the posts (of those asked for) from its floor on."""

    tag: str
    posts: set[int]
    graph: Graph | None = None


def audit_readers(
    readers: Iterable[int], *, pages: int = 0, repair: Collection[str] = frozenset()
) -> Iterator[Findings]:
    """Compare the windows of these readers, and the first pages of up to `pages` of them; what was found so far, after
    each batch. Windows with a kind of difference that is in `repair` are dropped, and so exact when they are read next.
    """
    findings, authors, rest = Findings(), set[int](), iter(readers)
    while batch := list(islice(rest, BATCH)):
        findings.readers += len(batch)
        graphs = _audit_windows([home(reader) for reader in batch], findings, repair)
        pulled = {author for graph in graphs for author in graph.pulled_authors} - authors
        authors |= pulled
        _audit_windows([author_list(author) for author in sorted(pulled)], findings, repair)
        checked = User.objects.in_bulk([graph.reader for graph in graphs[: max(0, pages - findings.pages)]])
        for reader in checked.values():
            _audit_page(reader, findings, repair)
        yield findings


def _audit_windows(keys: Sequence[WindowKey], findings: Findings, repair: Collection[str]) -> list[Graph]:
    """Compare these windows; return the graphs of those readers whose windows are in use."""
    # In this order a post that is in the window is committed for whoever reads SQL then.
    windows = timelines.peek_windows(keys)
    truth = _truth({key: window.floor for key, window in windows.items()})
    used = {key: window for key, window in windows.items() if truth[key].tag == window.tag}
    findings.windows += len(used)
    findings.outdated += len(windows) - len(used)
    held = {key: set(window.posts) for key, window in used.items()}
    surplus = {key: extra for key, posts in held.items() if (extra := posts - truth[key].posts)}
    findings.surplus += sum(map(len, surplus.values()))
    suspected = {key: lacking for key, posts in held.items() if (lacking := truth[key].posts - posts)}
    drifts, waiting = convict(suspected)
    findings.drifts += drifts
    findings.waiting += waiting
    wrong = {drift.window for drift in drifts if drift.kind in repair} | (set(surplus) if SURPLUS in repair else set())
    timelines.drop_windows(list(wrong))
    findings.repaired += len(wrong)
    return [graph for key in used if (graph := truth[key].graph)]


def convict(suspected: Posts) -> tuple[list[Drift], int]:
    """The drifts among posts that windows seem to lack (see above), and how many of these posts are on their way."""
    if not suspected:
        return [], 0
    before = _truth(dict.fromkeys(suspected, 0), suspected)
    waiting = waiting_posts({post for posts in suspected.values() for post in posts})
    windows = timelines.peek_windows(list(suspected))
    after = _truth(dict.fromkeys(suspected, 0), suspected)
    drifts, on_their_way = [], 0
    for key, window in windows.items():
        if not before[key].tag == window.tag == after[key].tag:
            continue
        there = set(window.posts)
        lacking = {post for post in before[key].posts & after[key].posts if post >= window.floor and post not in there}
        on_their_way += sum(waiting.get(post) is False for post in lacking)
        for kind, state in (("missing", None), ("parked", True)):
            if posts := tuple(sorted(post for post in lacking if waiting.get(post) is state)):
                drifts.append(Drift(kind, key, posts))
    return drifts, on_their_way


def waiting_posts(posts: Collection[int]) -> dict[int, bool]:
    """Those of these posts whose fan-out has not ended, and whether all that is left of it is parked."""
    names = [str(post) for post in posts]
    with connection.cursor() as cursor:
        cursor.execute(_WAITING, {"topic": POST_TOPIC, "chunks": CHUNK_TOPIC, "posts": names})
        return dict(cursor.fetchall())


def _truth(floors: Mapping[WindowKey, int], only: Posts | None = None) -> dict[WindowKey, _Truth]:
    """What SQL says of windows from these floors on, in one query for each kind; of all posts or of some."""
    found: dict[WindowKey, _Truth] = {}
    homes = {key.owner: floor for key, floor in floors.items() if key == home(key.owner)}
    lists = {key.owner: floor for key, floor in floors.items() if key == author_list(key.owner)}
    with connection.cursor() as cursor:
        if homes:
            cursor.execute(_ASKED + _OF_READERS, _asked(homes, home, only))
            for reader, count, hashed, pulled, posts in cursor.fetchall():
                graph = make_graph(reader, count, hashed, pulled)
                found[home(reader)] = _Truth(graph.tag(home(reader)), set(posts), graph)
        if lists:
            cursor.execute(_ASKED + _OF_AUTHORS, _asked(lists, author_list, only))
            found |= {author_list(author): _Truth("all", set(posts)) for author, posts in cursor.fetchall()}
    return found


def _asked(floors: Mapping[int, int], key: Callable[[int], WindowKey], only: Posts | None) -> dict[str, list[Any]]:
    posts = [None if only is None else " ".join(map(str, only[key(owner)])) for owner in floors]
    return {"owners": list(floors), "floors": list(floors.values()), "posts": posts}


def _audit_page(reader: User, findings: Findings, repair: Collection[str]) -> None:
    """Compare the beginning of a timeline. What differs must do so in the same posts each time, or it was a change in
    between.
    """
    compared = compare_page(reader)
    findings.pages += compared is not None
    for _ in range(TRIES - 1):
        if not compared:
            return
        compared &= compare_page(reader) or set()
    if compared:
        findings.drifts.append(Drift("page", home(reader.pk), tuple(sorted(compared))))
        if "page" in repair:
            timelines.drop_windows(graph_of(reader).windows)
            findings.repaired += 1


def compare_page(reader: User) -> set[int] | None:
    """The posts in which the beginning of a reader's timeline from its windows differs from SQL; None where windows are
    cold or posts are on their way.
    """
    with _one_snapshot():
        truth = list(timeline_sql(reader=reader).values_list("pk", flat=True)[:PAGE_POSTS])
        graph = graph_of(reader)
        if waiting_posts(truth):
            return None
        windows = timelines.peek_windows(graph.windows)
        if any(key not in windows or windows[key].tag != graph.tag(key) for key in graph.windows):
            return None
        page = posts_of(reader, list(windows.values()), None, PAGE_POSTS, select_ids)
    if page == truth:
        return set()
    return set(truth) - set(page) or set(page) - set(truth) or set(page)


@contextmanager
def _one_snapshot() -> Iterator[None]:
    """All queries within see the same state, except where a transaction has begun before."""
    outermost = not connection.in_atomic_block
    with transaction.atomic():
        if outermost:
            with connection.cursor() as cursor:
                cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        yield
