"""Real threads that write about the same two people at once: what is left must be what some order would have left."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.db import connection, transaction

from feeds import graph
from feeds.models import Block, Follow, FollowRequest
from recsys.accounts.models import User
from recsys.inputs import InputError
from tests.feeds.graph import make_people
from tests.site import wait_for

pytestmark = pytest.mark.django_db(transaction=True)
WAIT = 30  # seconds


@pytest.fixture
def in_background() -> Iterator[Callable]:
    """Runs functions in threads with connections of their own; what they refuse is an answer too."""

    def run(function: Callable):
        try:
            return function()
        except InputError as error:
            return error
        finally:
            connection.close()

    with ThreadPoolExecutor(8) as threads:
        yield lambda function: threads.submit(run, function)


@pytest.fixture
def people() -> list[User]:
    return make_people(2)


def waiting_for_a_lock() -> int:
    with connection.cursor() as cursor:
        # Not from pg_stat_activity, which stays what it was until the transaction ends.
        cursor.execute("SELECT count(*) FROM pg_locks WHERE NOT granted")
        return int(cursor.fetchone()[0])


def while_it_waits(in_background: Callable, first: Callable[[], Any], second: Callable[[], Any]) -> Any:
    """Do `first` without committing it; when `second` waits for it, commit; return what became of `second`."""
    with transaction.atomic():
        first()
        other = in_background(second)
        wait_for(lambda: waiting_for_a_lock() or other.done(), timeout=WAIT)
        assert not other.done(), "the second did not wait for the first"
    return other.result(WAIT)


class TestOneAfterTheOther:
    def test_a_follow_during_a_block_is_refused(self, people, in_background):
        ana, ben = people
        for follower, followee in ((ana, ben), (ben, ana)):
            Block.objects.all().delete()
            answer = while_it_waits(
                in_background,
                lambda: graph.do_block(blocker=ana, blocked=ben),
                lambda one=follower, other=followee: graph.do_follow(follower=one, followee=other),
            )
            assert isinstance(answer, InputError)
            assert not Follow.objects.exists()

    def test_a_block_during_a_follow_ends_it(self, people, in_background):
        ana, ben = people
        assert while_it_waits(
            in_background,
            lambda: graph.do_follow(follower=ana, followee=ben),
            lambda: graph.do_block(blocker=ben, blocked=ana),
        )
        assert Block.objects.exists()
        assert not Follow.objects.exists()

    def test_a_block_during_an_approval_ends_the_follow(self, people, in_background):
        ana, ben = people
        FollowRequest.objects.create(requester=ana, target=ben)
        while_it_waits(
            in_background,
            lambda: graph.do_approve_request(target=ben, requester=ana),
            lambda: graph.do_block(blocker=ana, blocked=ben),
        )
        assert not Follow.objects.exists()

    def test_an_approval_during_a_block_lets_nobody_in(self, people, in_background):
        ana, ben = people
        FollowRequest.objects.create(requester=ana, target=ben)
        answer = while_it_waits(
            in_background,
            lambda: graph.do_block(blocker=ana, blocked=ben),
            lambda: graph.do_approve_request(target=ben, requester=ana),
        )
        assert answer is False
        assert not Follow.objects.exists()

    def test_a_follow_while_an_account_becomes_private_is_a_request(self, people, in_background):
        ana, ben = people
        answer = while_it_waits(
            in_background,
            lambda: graph.do_change_privacy(user=ben, is_private=True),
            lambda: graph.do_follow(follower=ana, followee=ben),
        )
        assert answer == graph.FollowState.REQUESTED
        assert not Follow.objects.exists()

    def test_nobody_is_left_waiting_for_an_account_that_becomes_public(self, people, in_background):
        ana, ben = people
        User.objects.filter(pk=ben.pk).update(is_private=True)
        while_it_waits(
            in_background,
            lambda: graph.do_follow(follower=ana, followee=ben),
            lambda: graph.do_change_privacy(user=ben, is_private=False),
        )
        assert Follow.objects.filter(follower=ana, followee=ben).exists()
        assert not FollowRequest.objects.exists()

    def test_making_it_public_during_a_block_lets_nobody_in(self, people, in_background):
        ana, ben = people
        User.objects.filter(pk=ben.pk).update(is_private=True)
        FollowRequest.objects.create(requester=ana, target=ben)
        while_it_waits(
            in_background,
            lambda: graph.do_block(blocker=ana, blocked=ben),
            lambda: graph.do_change_privacy(user=ben, is_private=False),
        )
        assert not Follow.objects.exists()

    def test_a_block_while_it_is_made_public_ends_the_follow(self, people, in_background):
        ana, ben = people
        User.objects.filter(pk=ben.pk).update(is_private=True)
        FollowRequest.objects.create(requester=ana, target=ben)
        while_it_waits(
            in_background,
            lambda: graph.do_change_privacy(user=ben, is_private=False),
            lambda: graph.do_block(blocker=ana, blocked=ben),
        )
        assert not Follow.objects.exists()


def test_the_same_follow_many_times_at_once_is_one(people, in_background):
    ana, ben = people
    barrier = threading.Barrier(6)

    def follow():
        barrier.wait(WAIT)
        return graph.do_follow(follower=ana, followee=ben)

    answers = [in_background(follow) for _ in range(6)]
    assert {answer.result(WAIT) for answer in answers} == {graph.FollowState.FOLLOWING}
    assert Follow.objects.count() == 1


@pytest.mark.parametrize("seed", range(3))
def test_whatever_happens_at_once_nobody_follows_across_a_block(in_background, seed):
    """Also without a deadlock: every writer ends."""
    people = make_people(3)
    barrier = threading.Barrier(5)

    def change(number):
        rng = random.Random(seed * 100 + number)
        barrier.wait(WAIT)
        for _ in range(30):
            one, other = rng.sample(people, 2)
            act = rng.choice(
                [
                    lambda one, other: graph.do_follow(follower=one, followee=other),
                    lambda one, other: graph.do_unfollow(follower=one, followee=other),
                    lambda one, other: graph.do_block(blocker=one, blocked=other),
                    lambda one, other: graph.do_unblock(blocker=one, blocked=other),
                    lambda one, other: graph.do_approve_request(target=one, requester=other),
                    lambda one, _: graph.do_change_privacy(user=one, is_private=rng.random() < 0.5),
                ]
            )
            try:
                act(one, other)
            except InputError:
                continue

    for writer in [in_background(lambda number=number: change(number)) for number in range(5)]:
        assert writer.result(4 * WAIT) is None
    blocks = {frozenset(pair) for pair in Block.objects.values_list("blocker", "blocked")}
    edges = [
        *Follow.objects.values_list("follower", "followee"),
        *FollowRequest.objects.values_list("requester", "target"),
    ]
    assert not blocks & {frozenset(pair) for pair in edges}
    public = set(User.objects.filter(is_private=False).values_list("pk", flat=True))
    assert not public & set(FollowRequest.objects.values_list("target", flat=True))
