from __future__ import annotations

import pytest

from feeds.actions import do_create_post
from feeds.graph import do_follow
from feeds.people import FollowSummary, follow_summary, suggested_people
from recsys.accounts.models import User

pytestmark = pytest.mark.django_db


@pytest.fixture
def people() -> list[User]:
    return [User.objects.create_user(name) for name in ("ana", "ben", "cy", "dee")]


def test_the_summary_counts_both_directions_and_says_what_the_reader_does(people):
    ana, ben, cy, _ = people
    do_follow(follower=ana, followee=ben)
    do_follow(follower=cy, followee=ben)
    do_follow(follower=ben, followee=cy)
    assert follow_summary(author=ben, reader=ana) == FollowSummary(2, 1, following=True)
    assert follow_summary(author=ben, reader=None) == FollowSummary(2, 1, following=False)
    assert follow_summary(author=ana, reader=ben) == FollowSummary(0, 1, following=False)


def test_suggests_those_who_write_and_are_not_followed_yet_the_most_followed_first(people):
    ana, ben, cy, dee = people
    for author in (ana, ben, cy, dee):
        do_create_post(author=author, text="Hello")
    do_follow(follower=ben, followee=dee)
    do_follow(follower=ana, followee=cy)
    assert suggested_people(reader=ana) == [dee, ben]
    assert suggested_people(reader=None, limit=2) == [cy, dee]


def test_suggests_nobody_who_is_gone_or_silent(people):
    ana, ben, *_ = people
    do_create_post(author=ben, text="Hello")
    ben.is_active = False
    ben.save()
    assert suggested_people(reader=ana) == []


def test_takes_one_query(people, django_assert_num_queries):
    with django_assert_num_queries(1):
        suggested_people(reader=people[0])
