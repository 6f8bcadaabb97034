"""Who hears of whom that they write a reply."""

from __future__ import annotations

import pytest

from feeds import typists
from feeds.actions import do_create_post, do_repost
from feeds.graph import do_block, do_mute
from feeds.subscriptions import user_stream
from feeds.typists import conversation_rule, is_told, typing_stream
from realtime import signals, streams, subscriptions
from realtime.bounds import bounds_of
from realtime.subscriptions import Request
from recsys.accounts.actions import do_show_presence
from recsys.accounts.models import User
from recsys.events import limits
from tests.feeds.graph import let_follow, make_people

pytestmark = pytest.mark.django_db
NOW = 1_763_700_000_000  # milliseconds


@pytest.fixture
def people() -> list[User]:
    """An author, a writer of replies, and a reader."""
    return make_people(3)


@pytest.fixture
def post(people):
    return do_create_post(author=people[0], text="What do you think?")


def grant_of(reader: User, post):
    (grant,) = conversation_rule([Request(reader.pk, str(post.pk))])
    return grant


def hears(reader: User, post, writer: User) -> bool:
    grant = grant_of(reader, post)
    name = typing_stream(post.pk)
    return grant is not None and grant.filters[name].passes({"type": "typing", "user": writer.pk})


def said(user: User | None, post, signal: str = "typing"):
    return signals.events_of("conversation", signal, user.pk if user else None, str(post.pk))


class TestReading:
    def test_who_may_see_a_post_hears_who_writes(self, people, post):
        author, writer, reader = people
        assert grant_of(reader, post).names == [typing_stream(post.pk), user_stream(reader.pk)]
        assert hears(reader, post, writer)
        assert hears(author, post, writer)

    def test_nobody_hears_themselves(self, people, post):
        assert not hears(people[1], post, people[1])

    def test_what_may_not_be_seen_is_denied(self, people):
        author, follower, reader = people
        let_follow([follower], [author])
        post = do_create_post(author=author, text="For some", visibility="followers")
        assert grant_of(reader, post) is None
        assert grant_of(follower, post) is not None
        do_block(blocker=author, blocked=follower)
        assert grant_of(follower, post) is None

    def test_who_hides_hears_nobody(self, people, post):
        do_show_presence(user=people[2], shows_presence=False)
        assert grant_of(people[2], post) is None

    def test_who_is_suspended_is_denied(self, people, post):
        User.objects.filter(pk=people[2].pk).update(is_active=False)
        assert grant_of(people[2], post) is None

    def test_who_is_muted_is_not_heard(self, people, post):
        _, writer, reader = people
        do_mute(muter=reader, muted=writer)
        assert not hears(reader, post, writer)
        assert hears(writer, post, reader), "they are not told, and hear the other as before"

    @pytest.mark.parametrize("blocks", ["reader", "writer"])
    def test_who_is_kept_apart_by_a_block_is_not_heard(self, people, post, blocks):
        author, writer, reader = people
        pair = (reader, writer) if blocks == "reader" else (writer, reader)
        do_block(blocker=pair[0], blocked=pair[1])
        assert not hears(reader, post, writer)
        assert not hears(writer, post, reader)
        assert hears(author, post, writer)

    def test_who_keeps_very_many_out_hears_nobody(self, people, post, monkeypatch):
        monkeypatch.setattr(typists, "MOST_UNWANTED", 1)
        author, writer, reader = people
        do_mute(muter=reader, muted=writer)
        assert grant_of(reader, post) is not None
        do_mute(muter=reader, muted=author)
        assert grant_of(reader, post) is None

    def test_many_are_answered_at_once(self, people, post, django_assert_num_queries):
        author, writer, reader = people
        other = do_create_post(author=writer, text="Another")
        asked = [
            Request(reader.pk, str(post.pk)),
            Request(None, str(post.pk)),
            Request(reader.pk, str(other.pk)),
            Request(author.pk, str(post.pk)),
            Request(reader.pk, str(post.pk)),
        ]
        with django_assert_num_queries(1):
            grants = subscriptions.grants("conversation", asked)
        names = [grant and grant.names[0] for grant in grants]
        this, that = typing_stream(post.pk), typing_stream(other.pk)
        assert names == [this, None, that, this, this]

    @pytest.mark.parametrize("argument", ["", "x", "0", "-1", "1.0", "٣", "9" * 19, "9" * 500, " 1"])
    def test_what_is_no_post_is_denied(self, people, argument):
        assert conversation_rule([Request(people[2].pk, argument)]) == [None]
        assert signals.events_of("conversation", "typing", people[2].pk, argument) is None

    def test_a_repost_has_no_conversation_of_its_own(self, people, post):
        _, writer, reader = people
        repost = do_repost(user=writer, post=post)
        assert grant_of(reader, repost) is None
        assert said(reader, repost) is None


class TestSaying:
    def test_a_writer_is_told_of_for_a_while(self, people, post, monkeypatch, django_assert_num_queries):
        monkeypatch.setattr(typists, "now_ms", lambda: NOW)
        writer = people[1]
        User.objects.filter(pk=writer.pk).update(display_name="Ana")
        event = {"type": "typing", "user": writer.pk, "key": writer.pk, "name": "Ana", "at": NOW, "holds": 6000}
        with django_assert_num_queries(1):
            assert said(writer, post) == [(typing_stream(post.pk), event)]
        assert said(writer, post, "stopped") == [(typing_stream(post.pk), event | {"holds": 0})]

    def test_who_has_no_name_is_told_of_by_username(self, people, post):
        ((_, event),) = said(people[1], post)
        assert event["name"] == people[1].username

    def test_visitors_and_the_suspended_may_not(self, people, post):
        assert said(None, post) is None
        User.objects.filter(pk=people[1].pk).update(is_active=False)
        assert said(people[1], post) is None

    def test_nor_who_may_not_see_the_post(self, people, post):
        do_block(blocker=people[0], blocked=people[1])
        assert said(people[1], post) is None
        assert said(people[1], post, "stopped") is None

    @pytest.mark.parametrize("choice", [{"shows_presence": False}, {"is_private": True}])
    def test_of_who_hides_or_is_private_nothing_is_said(self, people, post, choice):
        User.objects.filter(pk=people[1].pk).update(**choice)
        assert said(people[1], post) == []
        assert said(people[1], post, "stopped") == []

    def test_who_says_it_too_often_is_not_told_of(self, people, post, monkeypatch):
        monkeypatch.setattr(limits, "SIGNALS_A_MINUTE", 2)
        monkeypatch.setattr(limits.time, "time", lambda: NOW / 1000)
        _, writer, other = people
        assert [len(said(writer, post, signal)) for signal in ("typing", "stopped", "typing")] == [1, 1, 0]
        assert len(said(other, post)) == 1

    def test_nothing_is_said_where_the_reply_is_not_for_all_readers(self, people):
        author, writer, _ = people
        let_follow([writer], [author])
        post = do_create_post(author=author, text="For some", visibility="followers")
        assert said(writer, post) == []
        assert not is_told(post)
        public = do_create_post(author=author, text="For all")
        assert is_told(public)
        User.objects.filter(pk=author.pk).update(is_private=True)
        public.author.refresh_from_db()
        assert said(writer, public) == []
        assert not is_told(public)


def test_little_is_kept_and_not_for_long(people, post):
    assert (bounds_of(typing_stream(post.pk)).history, bounds_of(typing_stream(post.pk)).ttl) == (10, 60)


def test_a_reader_hears_it_through_the_stream(people, post):
    _, writer, reader = people
    names = grant_of(reader, post).names
    position = streams.positions(names)
    streams.append(said(writer, post))
    assert [event["user"] for event in streams.read(names, position).events] == [writer.pk]
