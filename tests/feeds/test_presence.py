"""Whom a reader sees online: by whom they follow, by what both have chosen, and by what stands between them."""

from __future__ import annotations

import pytest
import redis

from feeds import presence
from feeds.graph import do_block, do_mute, do_unblock, do_unfollow
from feeds.models import Block, Follow
from feeds.presence import online_people, presence_of, presence_rule
from feeds.subscriptions import user_stream
from realtime import streams, subscriptions
from realtime.keys import ONLINE
from realtime.presence import PRESENCE_STREAM
from realtime.subscriptions import Request
from realtime.valkey import get_client
from recsys.accounts.actions import do_show_presence
from recsys.accounts.models import User
from tests.feeds.graph import let_be_online, let_follow, make_people

pytestmark = pytest.mark.django_db


def heard_of(reader: User) -> set[int] | None:
    """Of whom the reader's subscription would tell."""
    (grant,) = presence_rule([Request(reader.pk)])
    return set(grant.filters[PRESENCE_STREAM].values) if grant else None


def shown(reader: User) -> list[int] | None:
    online = online_people(reader)
    return online.ids if online else None


@pytest.fixture
def people() -> list[User]:
    """A reader, two whom they follow, and a stranger; all of them online."""
    people = make_people(4)
    let_follow(people[:1], people[1:3])
    let_be_online(*people)
    return people


def test_a_reader_sees_whom_they_follow_and_nobody_else(people):
    reader, one, other, stranger = people
    assert heard_of(reader) == {one.pk, other.pk}
    assert shown(reader) == [other.pk, one.pk], "the latest follow first"
    assert shown(stranger) == []
    assert heard_of(one) == set(), "being followed is no reason to see"


def test_the_rule_answers_many_at_once_and_is_registered(people, django_assert_num_queries):
    reader, one, *_ = people
    requests = [Request(reader.pk), Request(None), Request(reader.pk, "1"), Request(one.pk), Request(reader.pk)]
    with django_assert_num_queries(1):
        grants = subscriptions.grants("presence", requests)
    assert [grant is not None for grant in grants] == [True, False, False, True, True]
    assert grants[0].names == [PRESENCE_STREAM, user_stream(reader.pk)]


def test_nothing_of_ones_own_stream_passes(people):
    """It is there so that the rule is asked again; what else it tells is for the timeline's subscription."""
    (grant,) = presence_rule([Request(people[0].pk)])
    own = grant.filters[user_stream(people[0].pk)]
    assert not own.passes({"type": "post.new", "post": 1, "author": 2})
    assert not own.passes({"type": "notifications", "unseen": 1})


def test_who_hides_is_not_shown_and_sees_nobody(people):
    reader, one, other, _ = people
    do_show_presence(user=one, shows_presence=False)
    assert shown(reader) == [other.pk], "though Valkey still holds it"
    do_show_presence(user=reader, shows_presence=False)
    assert heard_of(reader) is None
    assert shown(reader) is None


def test_who_is_suspended_is_not_shown_and_sees_nobody(people):
    reader, one, other, _ = people
    User.objects.filter(pk=one.pk).update(is_active=False)
    assert shown(reader) == [other.pk]
    User.objects.filter(pk=reader.pk).update(is_active=False)
    assert heard_of(reader) is None


def test_who_is_muted_is_not_shown(people):
    reader, one, other, _ = people
    do_mute(muter=reader, muted=one)
    assert heard_of(reader) == {other.pk}
    assert shown(reader) == [other.pk]


def test_to_mute_is_no_way_to_hide(people):
    reader, one, *_ = people
    do_mute(muter=one, muted=reader)
    assert one.pk in heard_of(reader)


@pytest.mark.parametrize("blocks", ["reader", "followed"])
def test_a_block_in_either_direction_hides_even_where_a_follow_stands(people, blocks):
    reader, one, other, _ = people
    pair = (reader, one) if blocks == "reader" else (one, reader)
    do_block(blocker=pair[0], blocked=pair[1])
    Follow.objects.create(follower=reader, followee=one)  # by SQL, say
    assert Block.objects.exists()
    assert heard_of(reader) == {other.pk}
    assert shown(reader) == [other.pk]


def test_of_many_follows_the_latest_count(people, monkeypatch):
    monkeypatch.setattr(presence, "MOST_SEEN", 3)
    reader = people[0]
    many = make_people(5, "q")
    let_follow([reader], many)
    assert heard_of(reader) == {person.pk for person in many[2:]}


def test_some_are_shown_and_the_others_counted(people, django_assert_max_num_queries):
    reader = people[0]
    many = make_people(20, "q")
    let_be_online(*many)
    let_follow([reader], many)
    with django_assert_max_num_queries(2):
        online = online_people(reader)
    assert [person.pk for person in online.people] == [person.pk for person in many[::-1][:12]]
    assert (len(online.ids), online.more) == (22, 10)


def test_a_person_is_seen_online_by_whom_the_list_shows_them_to(people, django_assert_num_queries):
    reader, one, other, stranger = people
    with django_assert_num_queries(1):
        found = presence_of(person=one, reader=reader)
    assert (found.person, found.is_online) == (one, True)
    assert presence_of(person=stranger, reader=reader) is None
    assert presence_of(person=reader, reader=one) is None
    assert presence_of(person=reader, reader=reader) is None
    assert presence_of(person=one, reader=None) is None
    do_show_presence(user=one, shows_presence=False)
    assert not presence_of(person=one, reader=reader).is_online, "like somebody who is not there"
    get_client().delete(ONLINE.key())
    assert not presence_of(person=other, reader=reader).is_online
    do_show_presence(user=reader, shows_presence=False)
    assert presence_of(person=other, reader=reader) is None


def test_news_go_on_from_where_the_page_was_read(people):
    reader, one, *_ = people
    online = online_people(reader)
    (grant,) = presence_rule([Request(reader.pk)])
    streams.append([(PRESENCE_STREAM, {"type": "presence", "user": one.pk, "online": False})])
    recovery = streams.read(grant.names, online.position)
    assert not recovery.resync
    assert [event["user"] for event in recovery.events] == [one.pk]


def test_without_valkey_nothing_is_said_of_anybody(people, monkeypatch):
    def away(names):
        raise redis.ConnectionError

    monkeypatch.setattr(streams, "positions", away)
    online = online_people(people[0])
    assert (online.people, online.ids, online.position) == ([], [], "")
    assert not presence_of(person=people[1], reader=people[0]).is_online


class TestChanges:
    """Each change of what a rule answers makes connections ask it again."""

    @pytest.fixture
    def asks(self, people, drain_outbox):
        """Do something, and find which of the people are asked anew for it."""
        drain_outbox()

        def find(act) -> list[User]:
            before = {person.pk: streams.positions([user_stream(person.pk)]) for person in people}
            act()
            drain_outbox()
            found = []
            for person in people:
                recovery = streams.read([user_stream(person.pk)], before[person.pk])
                found += [person] if "resubscribe" in [event["type"] for event in recovery.events] else []
            return found

        return find

    def test_blocks_for_both(self, people, asks):
        reader, one, _, stranger = people
        assert asks(lambda: do_block(blocker=reader, blocked=one)) == [reader, one]
        assert asks(lambda: do_unblock(blocker=reader, blocked=one)) == [reader, one]
        assert asks(lambda: do_block(blocker=stranger, blocked=reader)) == [reader, stranger], "who followed nobody"

    def test_mutes_and_follows_for_the_reader(self, people, asks):
        reader, one, other, _ = people
        assert asks(lambda: do_mute(muter=reader, muted=one)) == [reader]
        assert asks(lambda: do_unfollow(follower=reader, followee=other)) == [reader]

    def test_ones_own_choice(self, people, asks):
        assert asks(lambda: do_show_presence(user=people[1], shows_presence=False)) == [people[1]]
        assert asks(lambda: do_show_presence(user=people[1], shows_presence=True)) == [people[1]]


class TestGoing:
    @pytest.fixture
    def news(self, drain_outbox):
        drain_outbox()
        position = streams.positions([PRESENCE_STREAM])

        def read() -> list[tuple[int, bool]]:
            drain_outbox()
            found = streams.read([PRESENCE_STREAM], position).events
            return [(event["user"], event["online"]) for event in found]

        return read

    @pytest.mark.parametrize("change", [{"shows_presence": False}, {"is_active": False}])
    def test_who_hides_or_is_suspended_goes_at_once(self, people, valkey, news, change):
        one = people[1]
        User.objects.filter(pk=one.pk).update(**change)
        assert news() == [(one.pk, False)]
        assert valkey.zscore(ONLINE.key(), str(one.pk)) is None

    @pytest.mark.parametrize("change", [{"is_private": True}, {"bio": "Hello"}])
    def test_whose_choice_is_another_stays(self, people, valkey, news, change):
        User.objects.filter(pk=people[1].pk).update(**change)
        assert news() == []
        assert valkey.zscore(ONLINE.key(), str(people[1].pk)) is not None

    def test_nothing_is_told_of_who_was_not_there(self, people, valkey, news):
        valkey.delete(ONLINE.key())
        do_show_presence(user=people[1], shows_presence=False)
        assert news() == []
