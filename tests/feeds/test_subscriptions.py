"""Which streams a timeline has, and that the page and the subscription name the same."""

from __future__ import annotations

import pytest

from feeds.actions import do_create_post
from feeds.graph import do_mute, do_unfollow, do_unmute
from feeds.models import AuthorOverride
from feeds.selectors import home_timeline
from feeds.subscriptions import timeline_streams
from realtime import streams, tokens
from realtime.subscriptions import Grant, Request, grants
from tests.feeds.graph import let_follow, make_people

pytestmark = pytest.mark.django_db


@pytest.fixture
def people(drain_outbox):
    """A reader who follows a pulled and a pushed author, and a pulled author whom they don't follow."""
    reader, pulled, pushed, stranger = people = make_people(4)
    let_follow([reader], [pulled, pushed])
    for author in (pulled, stranger):
        AuthorOverride.objects.create(author=author, mode="pull")
    for author in (pulled, pushed, stranger):
        do_create_post(author=author, text="hello")
    drain_outbox()
    return people


def test_a_timeline_is_ones_own_stream_and_those_of_the_pulled_authors_one_follows(people, django_assert_num_queries):
    reader, pulled, *_ = people
    with django_assert_num_queries(1):
        assert timeline_streams([reader.pk])[reader.pk] == [f"user:{reader.pk}", f"author:{pulled.pk}"]
    do_unfollow(follower=reader, followee=pulled)
    assert timeline_streams([reader.pk])[reader.pk] == [f"user:{reader.pk}"]


def test_the_rule_is_registered_and_gives_nobody_anothers_timeline(people):
    reader, other, *_ = people
    asked = [Request(reader.pk), Request(reader.pk, str(other.pk)), Request(None), Request(other.pk)]
    expected = timeline_streams([reader.pk, other.pk])
    assert grants("timeline", asked) == [Grant(expected[reader.pk]), None, None, Grant(expected[other.pk])]


def test_a_page_hands_out_a_position_from_which_its_subscription_goes_on(people, drain_outbox):
    reader, pulled, pushed, _ = people
    page = home_timeline(reader=reader)
    posts = [do_create_post(author=author, text="later").pk for author in (pulled, pushed)]
    drain_outbox()
    recovery = streams.read(timeline_streams([reader.pk])[reader.pk], page.position)
    assert not recovery.resync
    assert {event["post"] for event in recovery.events} == set(posts)


def test_a_celebrity_who_reads_listens_to_themselves_like_everybody(people, drain_outbox):
    _, pulled, *_ = people
    page = home_timeline(reader=pulled)
    post = do_create_post(author=pulled, text="later")
    drain_outbox()
    recovery = streams.read(timeline_streams([pulled.pk])[pulled.pk], page.position)
    assert not recovery.resync
    assert [event["post"] for event in recovery.events] == [post.pk]


def test_muted_authors_are_not_listened_to(people):
    """Else their posts would be announced to somebody whose timeline does not show them."""
    reader, pulled, *_ = people
    do_mute(muter=reader, muted=pulled)
    assert timeline_streams([reader.pk])[reader.pk] == [f"user:{reader.pk}"]
    assert home_timeline(reader=reader).position
    assert set(tokens.decode(home_timeline(reader=reader).position)) == {f"user:{reader.pk}"}
    do_unmute(muter=reader, muted=pulled)
    assert f"author:{pulled.pk}" in timeline_streams([reader.pk])[reader.pk]
