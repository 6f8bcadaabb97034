"""What a reader sees equals what SQL would compute, each post once, newest first, no gap, whatever happened before.

Hypothesis takes random steps: people write, follow, block, mute and change their minds, through the actions or by raw
SQL (`steps.py`); staff change bounds; workers handle rows late, twice, in any order or half; caches are lost. Whatever
a page shows at any time is compared with `reference.py`, which says the rules a second time.

    TRIBUTARY_MODEL_STEPS=20000 .venv/bin/pytest tests/feeds/test_invariant.py     # a long run
"""

from __future__ import annotations

import json
import os
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest
import redis
from django.db import connection
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import initialize, invariant, rule, run_state_machine_as_test

from feeds import audience, author_lists, selectors, timelines
from feeds.audit import audit_readers
from feeds.graph import do_mute, do_unfollow, do_unmute
from feeds.models import AccountList, Follow, Hashtag, Post
from feeds.pages import hashtag_page, list_page
from feeds.policy import do_decide_modes, do_delete_overrides, do_save_override, do_save_policy
from feeds.selectors import TimelinePage, author_page, graph_of, home_timeline, timeline_sql
from feeds.timelines import WindowKey
from feeds.visibility import visible_posts
from recsys.accounts.models import User
from recsys.outbox import store
from recsys.outbox.handlers import Row, registered
from recsys.outbox.handlers import execute as handle
from recsys.outbox.testing import drain
from tests.feeds.graph import make_people
from tests.feeds.reference import Facts
from tests.feeds.steps import PAIRS, PEOPLE, PeopleSteps, execute, nth, pair, person, visibility

STEPS = int(os.environ.get("TRIBUTARY_MODEL_STEPS", "2000"))
STEPS_EACH = 50  # of one example, which begins with new people
PROCESSES = 2
SIZES = {
    (timelines, "CAPACITY"): [2, 5, 800],
    (timelines, "SLACK"): [0, 2, 32],
    (timelines, "POSTS_PER_CALL"): [1, 100],
    (timelines, "KEYS_PER_CALL"): [1, 100],
    (audience, "CHUNK"): [1, 2, 1000],
    (author_lists, "KEPT"): [1, 3, 100],
    (selectors, "SPARE"): [0, 1, 10],
    (selectors, "LEAST_DEPTH"): [1, 3, 50],
    (selectors, "SCANNED"): [4, 40_000],
}
limit = st.integers(1, 5)
process = st.integers(0, PROCESSES - 1)
taken: Counter[str] = Counter()


class Machine(PeopleSteps):
    """People, the workers and staff of a site with two web processes, and its readers."""

    def __init__(self) -> None:
        super().__init__()
        self.steps = 0
        self.patch = pytest.MonkeyPatch()
        self.processes: list[OrderedDict[int, Any]] = [OrderedDict() for _ in range(PROCESSES)]
        self.fillings: list[Iterator[None]] = []
        self.held: list[Row] = []
        self.reading: dict[int, int | None] = {}

    @initialize(
        sizes=st.tuples(*map(st.sampled_from, SIZES.values())),
        strangers=st.sets(pair, min_size=2, max_size=PEOPLE * 2),
        posts=st.lists(st.tuples(person, visibility), max_size=8),
        cold=st.sets(person, max_size=2),
        threshold=st.integers(1, PEOPLE),
    )
    def begin(self, sizes, strangers, posts, cold, threshold):
        for (module, name), size in zip(SIZES, sizes, strict=True):
            self.patch.setattr(module, name, size)
        # Numbers and policy too, so that a failing example fails alike when it is tried again.
        execute("TRUNCATE accounts_user, catalog_item, outbox RESTART IDENTITY CASCADE")
        timelines.get_client().flushdb()
        do_save_policy(threshold=threshold, lower_bound=0)
        self.patch.setattr(author_lists, "_lists", self.processes[0])
        self.people = make_people(PEOPLE)
        self.lists = AccountList.objects.bulk_create([AccountList(owner=one, name="list") for one in self.people])
        pairs = set(PAIRS) - strangers
        edges = [(self.people[one], self.people[other]) for one, other in sorted(pairs)]
        Follow.objects.bulk_create([Follow(follower=one, followee=other) for one, other in edges])
        for author, openness in posts:
            self.write([author], openness)
        drain()
        for reader in set(range(PEOPLE)) - cold:
            self.pages(self.people[reader], 5)

    def teardown(self) -> None:
        try:
            if hasattr(self, "lists"):
                self.settle()
        finally:
            self.patch.undo()

    @invariant()
    def first_pages_are_right(self):
        """Somebody looks after every other step, so that windows are warm more often than not; and at once whoever a
        step is about.
        """
        taken["steps"] += 1
        self.steps += 1
        turn, pause = divmod(self.steps, 2)
        readers = self.affected or ([] if pause else [turn % PEOPLE])
        facts, way = Facts.now(), waiting_posts()
        for reader in readers:
            self.check_page(reader, None, 4, turn % PROCESSES, facts, way)
        self.affected = []

    # Staff change bounds, workers work as badly as they may, and caches are lost.

    @rule(threshold=st.integers(0, PEOPLE), below=st.integers(0, 2))
    def change_threshold(self, threshold, below):
        do_save_policy(threshold=threshold, lower_bound=max(0, threshold - below))

    @rule(author=person, mode=st.sampled_from(["push", "pull", ""]))
    def override(self, author, mode):
        if mode:
            do_save_override(author=self.people[author], mode=mode)
        else:
            do_delete_overrides(authors=[self.people[author].pk])

    @rule(count=st.integers(1, 9), way=st.sampled_from(["in order", "backwards", "only hold", "die before the end"]))
    def lease(self, count, way):
        """A worker takes rows and handles them, or is not heard of for long."""
        rows = store.lease(count)
        if way == "only hold":
            self.held += rows
        elif way == "die before the end":
            for row in rows:
                registered(row.topic).function([row])
            execute("UPDATE outbox SET leased_until = now()")
        else:
            for row in reversed(rows) if way == "backwards" else rows:
                raise_failures(handle(row.topic, [row]))

    @rule(number=nth)
    def handle_late(self, number):
        """A worker handles what it took long ago, whoever may have done so since."""
        if self.held:
            row = self.held.pop(number % len(self.held))
            raise_failures(handle(row.topic, [row]))
        else:
            do_decide_modes(posts=list(Post.objects.values_list("pk", flat=True)))

    @rule(what=st.sampled_from(["timeline:home:*", "timeline:author:*", "timeline:version:*", "*"]), number=nth)
    def lose_memory(self, what, number):
        """All of it, or one key."""
        keys = sorted(timelines.get_client().keys(what))
        if what == "*":
            timelines.get_client().flushdb()
        elif keys:
            timelines.get_client().delete(keys[number % len(keys)])

    @rule(reader=person, warm=st.booleans())
    def begin_filling(self, reader, warm):
        """A reader is slow to fill windows; others, which were dropped before or are still there."""
        graph = graph_of(self.people[reader])
        if not warm:
            timelines.drop_windows(graph.windows)
        self.fillings.append(filling(graph, graph.windows))

    @rule(number=nth)
    def go_on_filling(self, number):
        if self.fillings:
            chosen = self.fillings[number % len(self.fillings)]
            if next(chosen, "done") == "done":
                self.fillings.remove(chosen)

    @rule(pair=pair, is_mute=st.booleans(), is_cold=st.booleans())
    def change_their_mind(self, pair, is_mute, is_cold):
        """Somebody does not want to read another, looks, and then does again: the window of between must not stay."""
        one, other = self.both(pair)
        if is_mute:
            do_mute(muter=one, muted=other)
        else:
            do_unfollow(follower=one, followee=other)
        if is_cold:
            timelines.drop_windows([timelines.home(one.pk)])
        self.check_page(pair[0], None, 4, 0, Facts.now(), waiting_posts())
        if is_mute:
            do_unmute(muter=one, muted=other)
        else:
            Follow.objects.create(follower=one, followee=other)

    # People read.

    @rule(reader=person, limit=limit, process=process)
    def read(self, reader, limit, process):
        """All pages, one after the other."""
        facts, way = Facts.now(), waiting_posts()
        before, first = None, True
        while before or first:
            before = self.check_page(reader, before, limit, process, facts, way).next_before
            first = False

    @rule(reader=person, limit=limit, process=process)
    def read_on(self, reader, limit, process):
        """The next page of somebody who began long ago, or the first one."""
        page = self.check_page(reader, self.reading.get(reader), limit, process, Facts.now(), waiting_posts())
        self.reading[reader] = page.next_before

    @rule(reader=person, author=person, where=st.sampled_from(["sql", "author", "posts", "list", "tag"]), limit=limit)
    def read_elsewhere(self, reader, author, where, limit):
        """What no window holds is exact at any time."""
        reader, author, its_list, facts = self.people[reader], self.people[author], self.lists[reader], Facts.now()
        if where == "sql":
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(timelines, "read_home", fail)
                pages, truth = self.pages(reader, limit), facts.home(reader.pk)
        elif where in ("author", "posts"):
            chosen = {"author": author, "reader": reader, "limit": limit, "replies": where == "author"}
            pages = all_pages(lambda before: author_page(before=before, **chosen))
            truth = facts.by_author(author.pk, reader.pk, replies=where == "author")
        elif where == "list":
            pages = all_pages(lambda before: list_page(account_list=its_list, before=before, limit=limit))
            truth = facts.of_list(its_list.pk, reader.pk)
        else:
            pages = all_pages(lambda before: hashtag_page(tag="all", reader=reader, before=before, limit=limit))
            truth = facts.tagged(Hashtag.objects.filter(tag="all").values_list("post_id", flat=True), reader.pk)
        assert ids_of(pages) == truth

    @rule()
    def settle(self):
        """When all is handled, every page of everybody is exact, cold or warm, and the auditor finds the same."""
        execute("UPDATE outbox SET leased_until = now()")
        drain()
        assert not waiting_posts()
        facts = Facts.now()
        for reader in [*self.people, None]:
            seen = {post for post in facts.posts if facts.may_see(reader and reader.pk, post)}
            assert set(visible_posts(reader).values_list("pk", flat=True)) == seen
        for reader in self.people:
            truth = facts.home(reader.pk)
            assert list(timeline_sql(reader=reader).values_list("pk", flat=True)) == truth
            for process in range(PROCESSES):
                author_lists._lists = self.processes[process]
                assert ids_of(self.pages(reader, 3)) == truth
        for findings in audit_readers([one.pk for one in self.people], pages=PEOPLE):
            assert (findings.drifts, findings.waiting) == ([], 0)

    def pages(self, reader: User, limit: int) -> list[TimelinePage]:
        return all_pages(lambda before: home_timeline(reader=reader, before=before, limit=limit))

    def check_page(
        self, reader: int, before: int | None, limit: int, process: int, facts: Facts, way: set[int]
    ) -> TimelinePage:
        """A page shows nothing that the reader may not see now, and lacks nothing but what is on its way; their own
        posts are on no way.
        """
        author_lists._lists = self.processes[process]
        page = home_timeline(reader=self.people[reader], before=before, limit=limit)
        ids, me = [post.pk for post in page.posts], self.people[reader].pk
        truth = [post for post in facts.home(me) if before is None or post < before]
        assert ids == sorted(set(ids), reverse=True)
        assert set(ids) <= set(truth)
        assert [post.text for post in page.posts] == [facts.posts[post].text for post in ids]
        if page.next_before is not None:
            assert len(ids) == limit
            assert page.next_before == ids[-1]
        lacking = {post for post in truth if page.next_before is None or post >= ids[-1]} - set(ids)
        assert lacking <= way
        assert me not in {facts.posts[post].author for post in lacking}
        return page


def filling(graph: selectors.Graph, keys: Sequence[WindowKey]) -> Iterator[None]:
    """What filling windows does, with time for everything else in between."""
    opened = timelines.open_windows(keys)
    yield
    contents = selectors._contents(graph, keys)
    yield
    timelines.fill_windows(opened, contents)


def waiting_posts() -> set[int]:
    """Posts whose fan-out has not ended."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT aggregatetype, aggregateid, payload -> 'posts' FROM outbox")
        rows = cursor.fetchall()
    found = {int(key) for topic, key, _ in rows if topic == "feeds.post"}
    return found | {
        post for topic, _, posts in rows if topic == "feeds.fanout_chunk" for post in json.loads(posts or "[]")
    }


def all_pages(read: Callable[[int | None], TimelinePage]) -> list[TimelinePage]:
    pages = [read(None)]
    while (before := pages[-1].next_before) is not None:
        pages.append(read(before))
    assert len({len(page.posts) for page in pages[:-1]}) <= 1, "a page is short although there is more"
    return pages


def ids_of(pages: Sequence[TimelinePage]) -> list[int]:
    return [post.pk for page in pages for post in page.posts]


def raise_failures(failed: Sequence[tuple[Row, Exception]]) -> None:
    for _, error in failed:
        raise error


def fail(*_: Any, **__: Any) -> None:
    raise redis.ConnectionError("away")


@pytest.mark.django_db(transaction=True)
def test_every_page_is_what_sql_says():
    taken.clear()
    examples = STEPS // STEPS_EACH * 5 // 4  # some end early
    run_state_machine_as_test(Machine, settings=settings(max_examples=examples, stateful_step_count=STEPS_EACH))
    assert taken["steps"] >= STEPS * 0.8
