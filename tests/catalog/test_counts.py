"""Live counters: who may follow which items, and what they are told."""

from __future__ import annotations

import pytest

from feeds.actions import do_create_post, do_delete_post, do_like_post, do_repost
from feeds.graph import do_block, do_change_privacy
from feeds.models import Like
from realtime import streams
from realtime.subscriptions import Grant, Request, grants
from realtime.valkey import get_client
from recsys.catalog.counts import MOST, PACE, counts_of, live_items, parse_ids, publish_counts, stream_of
from recsys.catalog.models import Item
from recsys.outbox.keys import PACE as PACE_KEY
from recsys.outbox.models import OutboxRow
from tests.catalog.makers import make_item, make_user
from tests.events.makers import did

pytestmark = pytest.mark.django_db


def names(*items: int) -> list[str]:
    return [stream_of(item) for item in items]


def told(items: list[int], position: str) -> list[dict]:
    recovery = streams.read(names(*items), position)
    assert not recovery.resync
    return recovery.events


def as_argument(*items: int) -> str:
    return ",".join(map(str, items))


class TestRule:
    def test_public_items_are_for_visitors_too(self):
        film, post = make_item(), do_create_post(author=make_user(), text="hello")
        (granted,) = grants("items", [Request(None, as_argument(film.pk, post.pk, film.pk))])
        assert granted == Grant(names(film.pk, post.pk))

    def test_what_is_not_for_the_asker_is_left_out_and_the_others_stay(self):
        author, stranger, follower = make_user(), make_user(), make_user()
        film = make_item()
        secret = do_create_post(author=author, text="for me", visibility="private")
        withheld = make_item()
        Item.objects.filter(pk=withheld.pk).update(is_withheld=True)
        argument = as_argument(film.pk, secret.pk, withheld.pk, 10**15)
        asked = [Request(user, argument) for user in (author.pk, stranger.pk, follower.pk, None)]
        assert grants("items", asked) == [
            Grant(names(film.pk, secret.pk)),
            Grant(names(film.pk)),
            Grant(names(film.pk)),
            Grant(names(film.pk)),
        ]

    def test_where_nothing_is_left_it_is_denied(self):
        author, blocked = make_user(), make_user()
        post = do_create_post(author=author, text="hello")
        do_block(blocker=author, blocked=blocked)
        assert grants("items", [Request(blocked.pk, str(post.pk)), Request(author.pk, str(post.pk))]) == [
            None,
            Grant(names(post.pk)),
        ]
        do_change_privacy(user=author, is_private=True)
        assert grants("items", [Request(None, str(post.pk)), Request(make_user().pk, str(post.pk))]) == [None, None]

    @pytest.mark.parametrize("argument", ["", "x", "1;2", "-1", "1,", ",".join(["1"] * (MOST + 1)), "1" * 30])
    def test_what_is_no_list_of_items_is_denied(self, argument):
        make_item()
        assert grants("items", [Request(None, argument)]) == [None]

    def test_rights_are_asked_for_all_requests_together(self, django_assert_num_queries):
        items = [make_item().pk, do_create_post(author=make_user(), text="hello").pk]
        few = [Request(make_user().pk, as_argument(*items))]
        many = [Request(make_user().pk, as_argument(*items)) for _ in range(5)] + [Request(None, str(items[0]))]
        for requests in (few, many):
            with django_assert_num_queries(2):
                assert all(grants("items", requests))


class TestCounts:
    def test_of_a_post(self):
        author, fan = make_user(), make_user()
        post = do_create_post(author=author, text="hello")
        do_like_post(user=fan, post=post)
        do_repost(user=fan, post=post)
        do_create_post(author=fan, text="answer", reply_to=post)
        assert counts_of([post.pk]) == {post.pk: {"likes": 1, "reposts": 1, "replies": 1}}

    def test_of_a_thing_how_often_it_was_taken_up(self, drain_outbox):
        film, other = make_item(), make_item()
        did(make_user(), "like", film)
        did(make_user(), "hide", film)
        drain_outbox()
        assert counts_of([film.pk, other.pk]) == {film.pk: {"taken_up": 1}, other.pk: {"taken_up": 0}}

    def test_what_is_gone_is_left_out(self):
        assert counts_of([10**15]) == {}
        assert counts_of([]) == {}

    def test_each_counter_is_one_query_for_many(self, django_assert_num_queries):
        items = [make_item().pk for _ in range(3)]
        with django_assert_num_queries(2):
            counts_of(items)


class TestPublishing:
    def test_a_like_is_told_with_all_that_is_counted_whoever_writes_it(self, drain_outbox):
        author, fan = make_user(), make_user()
        post = do_create_post(author=author, text="hello")
        drain_outbox()
        (live,) = live_items([post.pk])
        Like.objects.bulk_create([Like(user=fan, post=post)])
        drain_outbox()
        counts = {"likes": 1, "reposts": 0, "replies": 0}
        assert told([post.pk], live.position) == [
            {"type": "item.counts", "key": post.pk, "item": post.pk, "counts": counts}
        ]

    def test_replies_and_reposts_that_come_and_go_are_told(self, drain_outbox, valkey):
        author, fan = make_user(), make_user()
        post = do_create_post(author=author, text="hello")
        drain_outbox()
        (live,) = live_items([post.pk])
        repost = do_repost(user=fan, post=post)
        answer = do_create_post(author=fan, text="answer", reply_to=post)
        drain_outbox()
        self.end_spans(valkey, post.pk)
        for gone in (repost, answer):
            do_delete_post(post=gone, by=fan)
        drain_outbox()
        first, last = (event["counts"] for event in told([post.pk], live.position))
        assert first == {"likes": 0, "reposts": 1, "replies": 1}
        assert last == {"likes": 0, "reposts": 0, "replies": 0}

    def test_what_people_take_up_is_told(self, drain_outbox):
        film = make_item()
        drain_outbox()
        (live,) = live_items([film.pk])
        did(make_user(), "view", film)
        drain_outbox()
        assert [event["counts"] for event in told([film.pk], live.position)] == [{"taken_up": 1}]

    def test_a_burst_is_told_once_and_its_end_waits_in_the_outbox(self, drain_outbox, valkey):
        post = do_create_post(author=make_user(), text="hello")
        drain_outbox()
        OutboxRow.objects.all().delete()
        (live,) = live_items([post.pk])
        for _ in range(3):
            do_like_post(user=make_user(), post=post)
            drain_outbox()
        assert [event["counts"]["likes"] for event in told([post.pk], live.position)] == [1]
        (waiting,) = OutboxRow.objects.filter(aggregatetype="catalog.counts")
        assert (waiting.aggregateid, waiting.type) == (str(post.pk), "settle")
        self.end_spans(valkey, post.pk)
        OutboxRow.objects.update(leased_until="2020-01-01T00:00:00Z")
        drain_outbox()
        assert [event["counts"]["likes"] for event in told([post.pk], live.position)] == [1, 3]

    def test_nothing_is_counted_for_items_that_nobody_has_asked_for(self, django_assert_num_queries):
        film = make_item()
        with django_assert_num_queries(0):
            assert publish_counts([film.pk]) == []
        streams.positions(names(film.pk))
        with django_assert_num_queries(2):
            publish_counts([film.pk])

    def end_spans(self, valkey, item: int) -> None:
        valkey.delete(PACE_KEY.key(topic=PACE.topic, key=item))


class TestLiveItems:
    def test_each_subscription_has_a_position_from_which_it_goes_on(self):
        items = list(range(1, 2 * MOST + 2))
        parts = live_items([*items, 1])
        assert [one.items for one in parts] == [items[:MOST], items[MOST : 2 * MOST], items[2 * MOST :]]
        for one in parts:
            assert parse_ids(one.argument) == one.items
            assert told(one.items, one.position) == []

    def test_without_valkey_there_is_none(self, settings):
        settings.REDIS_URL = "redis://127.0.0.1:1/0"
        (live,) = live_items([1])
        assert live.position == ""
        assert get_client().connection_pool.connection_kwargs["port"] == 1
