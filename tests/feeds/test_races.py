"""Real threads against one another: what filling a window misses, its fan-out must add, and the other way round."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial

import pytest
from django.db import connection

from feeds import audience, author_lists, fanout, selectors, timelines
from feeds.actions import (
    do_bookmark,
    do_create_post,
    do_delete_post,
    do_like_post,
    do_remove_bookmark,
    do_repost,
    do_undo_repost,
    do_unlike_post,
)
from feeds.graph import do_block, do_follow, do_mute, do_unblock, do_unfollow, do_unmute
from feeds.models import AuthorOverride, Bookmark, Like, Post
from feeds.policy import do_save_override, do_save_policy
from feeds.selectors import home_timeline, timeline_sql
from feeds.timelines import home, read_windows
from feeds.visibility import UnseenPost
from recsys.accounts.models import User
from recsys.inputs import InputError
from recsys.outbox import store
from recsys.outbox.handlers import execute
from recsys.outbox.testing import drain
from tests.feeds.graph import all_pages, let_follow, make_people, shown

pytestmark = pytest.mark.django_db(transaction=True)
WAIT = 30  # seconds
RACES, RACES_EACH, TOWN_THREADS = 1000, 100, 6


def truth(reader: User) -> list[int]:
    return list(timeline_sql(reader=reader).values_list("pk", flat=True))


@pytest.fixture
def people() -> list[User]:
    """A reader, an author whom they follow, and one whom they don't."""
    people = make_people(3)
    let_follow(people[:1], people[1:2])
    drain()
    return people


class Pause:
    """Holds a thread where it calls a function, until the test lets it go on."""

    def __init__(self, function: Callable) -> None:
        self.function = function
        self.reached, self.go_on = threading.Event(), threading.Event()

    def __call__(self, *arguments, **options):
        self.reached.set()
        assert self.go_on.wait(WAIT)
        return self.function(*arguments, **options)


@pytest.fixture
def in_background() -> Iterator[Callable]:
    """Runs functions in threads with connections of their own."""

    def run(function: Callable):
        try:
            return function()
        finally:
            connection.close()

    with ThreadPoolExecutor(8) as threads:
        yield lambda function: threads.submit(run, function)


@pytest.mark.parametrize(
    ("module", "step"),
    [(timelines, "open_windows"), (selectors, "_contents"), (timelines, "fill_windows"), (selectors, "_ready_windows")],
)
@pytest.mark.parametrize("mode", ["push", "pull"])
@pytest.mark.parametrize("change", ["post", "follow", "unfollow", "delete", "lose memory"])
def test_whatever_happens_at_any_step_of_filling_a_window(
    people, in_background, monkeypatch, valkey, module, step, mode, change
):
    reader, author, stranger = people
    for person in (author, stranger):
        AuthorOverride.objects.create(author=person, mode=mode)
        do_create_post(author=person, text="before")
    drain()
    pause = Pause(getattr(module, step))
    with monkeypatch.context() as patch:
        patch.setattr(module, step, pause)
        page = in_background(lambda: home_timeline(reader=reader))
        assert pause.reached.wait(WAIT)
        if change == "post":
            do_create_post(author=author, text="meanwhile")
        elif change == "follow":
            do_follow(follower=reader, followee=stranger)
            do_create_post(author=stranger, text="meanwhile")
        elif change == "unfollow":
            do_unfollow(follower=reader, followee=author)
            do_create_post(author=author, text="meanwhile")
        elif change == "delete":
            do_delete_post(post=author.posts.get(), by=author)
        else:
            valkey.flushdb()
            do_create_post(author=author, text="meanwhile")
        drain()
        pause.go_on.set()
        page.result(WAIT)
    assert shown(reader) == truth(reader)
    assert shown(reader) == truth(reader), "from the window that the reading before filled"


def test_a_follow_during_a_fan_out_sees_the_post(people, in_background, monkeypatch):
    """The followers were read before the follow, and delivered to after the new follower's window was filled."""
    _, author, _ = people
    (late,) = make_people(1, "late")
    post = do_create_post(author=author, text="hello")
    pause = Pause(fanout.timelines.add_posts)
    with monkeypatch.context() as patch:
        patch.setattr(timelines, "add_posts", pause)
        delivery = in_background(drain)
        assert pause.reached.wait(WAIT)
        do_follow(follower=late, followee=author)
        assert shown(late) == [post.pk]
        pause.go_on.set()
        delivery.result(WAIT)
    drain()
    assert shown(late) == [post.pk]


def test_two_workers_with_the_same_row_decide_one_mode(people, in_background):
    _, author, _ = people
    for number in range(10):
        post = do_create_post(author=author, text="hello")
        rows = [row for row in store.lease(10) if row.topic == "feeds.post"]
        first, second = ("push", "pull") if number % 2 else ("pull", "push")
        AuthorOverride.objects.update_or_create(author=author, defaults={"mode": first})
        barrier = threading.Barrier(3)

        def work(rows=rows, barrier=barrier):
            barrier.wait(WAIT)
            execute("feeds.post", rows)

        workers = [in_background(work) for _ in range(2)]
        barrier.wait(WAIT)
        AuthorOverride.objects.filter(author=author).update(mode=second)
        for worker in workers:
            worker.result(WAIT)
        drain()
        assert Post.objects.get(pk=post.pk).mode in ("push", "pull")
        for reader in people:
            assert all_pages(reader, 3) == truth(reader)


def test_many_readers_of_a_lost_list_fill_it_once_and_all_see_it(people, in_background, valkey):
    _, author, _ = people
    AuthorOverride.objects.create(author=author, mode="pull")
    posts = [do_create_post(author=author, text="hello").pk for _ in range(5)]
    readers = make_people(6, "fan")
    let_follow(readers, [author])
    drain()
    valkey.flushdb()
    barrier = threading.Barrier(len(readers))

    def read(reader):
        barrier.wait(WAIT)
        return shown(reader)

    pages = [in_background(lambda reader=reader: read(reader)) for reader in readers]
    assert [page.result(WAIT) for page in pages] == [posts[::-1]] * len(readers)
    assert read_windows([timelines.author_list(author.pk)], before=None, limit=10)


@pytest.mark.parametrize(
    ("do", "undo"), [(do_bookmark, do_remove_bookmark), (do_repost, do_undo_repost), (do_like_post, do_unlike_post)]
)
def test_the_tabs_of_one_person_do_and_undo(people, in_background, do, undo):
    """None of them fails, whichever comes between the steps of another."""
    reader, author, _ = people
    post = do_create_post(author=author, text="hello")
    barrier = threading.Barrier(3)

    def press(first):
        barrier.wait(WAIT)
        for number in range(40):
            (do, undo)[(number + first) % 2](user=reader, post=post)

    for tab in [in_background(partial(press, first)) for first in (0, 0, 1)]:
        tab.result(WAIT)
    undo(user=reader, post=post)
    assert not Bookmark.objects.exists()
    assert not Like.objects.exists()
    assert not Post.objects.exclude(repost_of=None).exists()


@pytest.mark.parametrize("seed", range(4))
def test_everybody_at_once(in_background, monkeypatch, valkey, seed):
    """Writers, readers, workers and losses without any order; afterwards every timeline is what SQL says."""
    monkeypatch.setattr(audience, "CHUNK", 2)
    monkeypatch.setattr(timelines, "CAPACITY", 12)
    people = make_people(6)
    let_follow(people[:3], people)
    done = threading.Event()

    def change(number):
        rng = random.Random(seed * 100 + number)
        for _ in range(40):
            one, other = rng.sample(people, 2)
            what = rng.random()
            if what < 0.4:
                do_create_post(author=one, text="hello")
            elif what < 0.6:
                do_follow(follower=one, followee=other)
            elif what < 0.75:
                do_unfollow(follower=one, followee=other)
            elif what < 0.85:
                AuthorOverride.objects.update_or_create(author=one, defaults={"mode": rng.choice(["push", "pull"])})
            elif what < 0.95 and (post := Post.objects.filter(author=one).order_by("?").first()):
                do_delete_post(post=post, by=one)
            elif what > 0.98:
                valkey.flushdb()

    def read(number):
        rng = random.Random(number)
        while not done.is_set():
            ids = shown(rng.choice(people), limit=5)
            assert ids == sorted(set(ids), reverse=True)

    def work():
        while not done.is_set():
            for row in store.lease(3):
                execute(row.topic, [row])

    readers = [in_background(lambda number=number: read(number)) for number in range(2)]
    workers = [in_background(work) for _ in range(2)]
    writers = [in_background(lambda number=number: change(number)) for number in range(3)]
    try:
        for writer in writers:
            writer.result(4 * WAIT)
    finally:
        done.set()
    for thread in [*readers, *workers]:
        thread.result(WAIT)
    with connection.cursor() as cursor:
        cursor.execute("UPDATE outbox SET leased_until = now()")
    drain()
    for reader in people:
        for _ in range(2):
            assert all_pages(reader, 4) == truth(reader)
        assert home(reader.pk) in read_windows([home(reader.pk)], before=None, limit=1)


class Interleavings:
    """Small races, over and over in the same small town: a fan-out runs against changes and readers.

    Each begins behind one barrier, in an order that chance decides; when all are done, every page is what SQL says.
    """

    def __init__(self, seed: int, valkey) -> None:
        self.rng, self.valkey = random.Random(seed), valkey
        self.people = make_people(4, f"seed{seed}-")
        let_follow(self.people, self.people)

    def race(self, run: Callable) -> None:
        rng, people = self.rng, self.people
        author = rng.choice(people)
        do_create_post(author=author, text="hello")
        changes = [self.change(*rng.sample(people, 2)) for _ in range(rng.randint(1, 2))]
        jobs: list[Callable] = [
            work,
            *changes,
            *(partial(read_pages, rng.choice(people)) for _ in range(rng.randint(1, 2))),
        ]
        rng.shuffle(jobs)
        barrier = threading.Barrier(len(jobs))
        started = [run(partial(after, barrier, job)) for job in jobs]
        for job in started:
            job.result(WAIT)
        with connection.cursor() as cursor:
            cursor.execute("UPDATE outbox SET leased_until = now()")
        drain()
        for reader in people:
            assert shown(reader, limit=8) == truth(reader)[:8]

    def change(self, one: User, other: User) -> Callable[[], object]:
        posts = list(Post.objects.order_by("-pk")[:6])
        post = self.rng.choice(posts)
        changes: list[Callable[[], object]] = [
            partial(quietly, do_follow, follower=one, followee=other),
            partial(do_unfollow, follower=one, followee=other),
            partial(do_block, blocker=one, blocked=other),
            partial(do_unblock, blocker=one, blocked=other),
            partial(do_mute, muter=one, muted=other),
            partial(do_unmute, muter=one, muted=other),
            partial(do_delete_post, post=post, by=post.author),
            partial(do_delete_post, post=posts[0], by=posts[0].author),
            partial(quietly, do_repost, user=one, post=post),
            partial(quietly, do_create_post, author=one, text="a reply", reply_to=post),
            partial(quietly, do_like_post, user=one, post=post),
            partial(do_save_policy, threshold=self.rng.randint(0, 5), lower_bound=0),
            partial(do_save_override, author=one, mode=self.rng.choice(["push", "pull"])),
            partial(do_create_post, author=one, text="another"),
            self.valkey.flushdb,
            partial(timelines.drop_windows, [home(one.pk), timelines.author_list(other.pk)]),
        ]
        return self.rng.choice(changes)


def quietly(do: Callable, **arguments) -> None:
    """What is refused, or gone, by the time it happens is no matter of these tests."""
    with suppress(InputError, UnseenPost):
        do(**arguments)


def after(barrier: threading.Barrier, job: Callable) -> None:
    barrier.wait(WAIT)
    job()


def read_pages(reader: User) -> None:
    ids = shown(reader, limit=5)
    assert ids == sorted(set(ids), reverse=True)


def work() -> None:
    """The relay and a worker: what is due now, and the chunks that it leaves."""
    for _ in range(2):
        for row in store.lease(10):
            for _, error in execute(row.topic, [row]):
                raise error


@pytest.fixture
def in_town() -> Iterator[Callable]:
    """Runs functions in threads that keep their connections, for there are thousands of them."""
    everybody = threading.Barrier(TOWN_THREADS)

    def leave() -> None:
        everybody.wait(WAIT)
        connection.close()

    with ThreadPoolExecutor(TOWN_THREADS) as threads:
        yield threads.submit
        for thread in [threads.submit(leave) for _ in range(TOWN_THREADS)]:
            thread.result(WAIT)


@pytest.mark.parametrize("seed", range(RACES // RACES_EACH))
def test_a_thousand_interleavings(in_town, monkeypatch, valkey, seed):
    monkeypatch.setattr(audience, "CHUNK", 2)
    monkeypatch.setattr(timelines, "CAPACITY", 12)
    monkeypatch.setattr(author_lists, "KEPT", 3)
    town = Interleavings(seed, valkey)
    for _ in range(RACES_EACH):
        town.race(in_town)
