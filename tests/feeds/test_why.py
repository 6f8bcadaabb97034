"""Explanations: they agree with the timeline whatever the graph, name one reason, and tell no secrets."""

from __future__ import annotations

import itertools
from dataclasses import replace
from datetime import timedelta

import pytest
import redis
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from feeds import timelines
from feeds.models import AuthorOverride, Block, Follow, Mute, Post
from feeds.selectors import home_timeline, timeline_sql
from feeds.timelines import home
from feeds.visibility import may_be_seen
from feeds.why import Explanation, Place, Verdict, explain
from feeds.why_texts import SENTENCES, sentence
from recsys.accounts.models import User
from recsys.catalog.models import Item
from recsys.outbox import store
from tests.feeds.graph import let_follow, lose, make_people

pytestmark = pytest.mark.django_db


def write(author: User, *, hours: float = 0, **fields) -> Post:
    """A post as the database would take it from anybody, written some hours after the first."""
    item = Item.objects.create(kind="post", title="x", creator=author)
    text = "" if "repost_of" in fields else "hello"
    moment = timezone.now() - timedelta(days=30) + timedelta(hours=hours)
    return Post.objects.create(item=item, author=author, text=text, created_at=moment, **fields)


def why(reader: User, post: Post, staff: bool = True) -> Explanation:
    return explain(reader=reader, post=post.pk, staff=staff)


PEOPLE = 4
one = st.integers(0, PEOPLE - 1)
pairs = st.sets(st.tuples(one, one).filter(lambda pair: pair[0] != pair[1]), max_size=9)
written = st.lists(
    st.tuples(
        one,
        st.sampled_from(["public", "public", "followers", "private"]),
        st.sampled_from(["post", "reply", "repost", "repost"]),
        st.integers(0, 20),
        st.integers(0, 20),
    ),
    max_size=10,
)


@settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(
    follows=pairs, blocks=st.sets(st.tuples(one, one).filter(lambda pair: pair[0] != pair[1]), max_size=1),
    mutes=st.sets(st.tuples(one, one).filter(lambda pair: pair[0] != pair[1]), max_size=2),
    locked=st.sets(one, max_size=1), suspended=st.sets(one, max_size=1), posts=written, forced=st.booleans(),
)  # fmt: skip
def test_it_agrees_with_the_timeline_on_every_graph(db, follows, blocks, mutes, locked, suspended, posts, forced):
    with transaction.atomic():
        people = [
            User.objects.create(username=f"w{n}", is_private=n in locked, is_active=n not in suspended)
            for n in range(PEOPLE)
        ]
        # The trigger ends the follows of those who are blocked; some that are there all the same must not matter.
        kept = [Follow(follower=people[a], followee=people[b]) for a, b in follows]
        severed = [Block(blocker=people[a], blocked=people[b]) for a, b in blocks]
        for rows in (severed, kept) if forced else (kept, severed):
            type(rows[0]).objects.bulk_create(rows) if rows else None
        Mute.objects.bulk_create(Mute(muter=people[a], muted=people[b]) for a, b in mutes)
        made = write_all(people, posts)
        for reader in people:
            timeline = set(timeline_sql(reader=reader).values_list("pk", flat=True))
            for post, staff in itertools.product(made, [True, False]):
                told = why(reader, post, staff)
                assert told.shown == (post.pk in timeline), (told, post)
                assert told.reasons
                assert told.primary != "other_rule"
                assert (told.primary in ("own", "follows")) == told.shown
                assert (told.primary == "not_available") == (not staff and not may_be_seen(reader, post.pk))
                assert told.verdict is not Verdict.REPOSTED or told.related in timeline
                assert told.primary != "shown_earlier" or told.related < post.pk
        transaction.set_rollback(True)


def write_all(people: list[User], posts) -> list[Post]:
    made: list[Post] = []
    hours = 0
    for author, visibility, kind, nth, later in posts:
        hours += later
        parents = [post for post in made if not post.repost_of_id]
        parent = parents[nth % len(parents)] if parents else None
        if kind == "repost" and parent and not any(
            post.repost_of_id == parent.pk and post.author == people[author] for post in made
        ):  # fmt: skip
            made.append(write(people[author], hours=hours, repost_of=parent))
        elif kind == "reply" and parent:
            made.append(write(people[author], hours=hours, reply_to=parent, visibility=visibility))
        else:
            made.append(write(people[author], hours=hours, visibility=visibility))
    return made


@pytest.fixture
def people() -> list[User]:
    """Zoe, who follows Ana and Ben; and Cem."""
    people = [User.objects.create(username=name) for name in ("zoe", "ana", "ben", "cem")]
    let_follow(people[:1], people[1:3])
    return people


class TestReasons:
    def test_one_follows_the_author(self, people):
        zoe, ana, *_ = people
        told = why(zoe, write(ana))
        assert (told.verdict, told.primary) == (Verdict.SHOWN, "follows")
        assert told.followed_at == Follow.objects.get(follower=zoe, followee=ana).created_at
        assert told.reasons[0].text.startswith("zoe has followed ana since ")

    def test_ones_own(self, people):
        told = why(people[0], write(people[0], visibility="private"), staff=False)
        assert [reason.text for reason in told.reasons][:1] == ["You wrote it."]

    def test_a_repost(self, people):
        zoe, ana, _, cem = people
        original = write(cem)
        repost = write(ana, repost_of=original)
        told = why(zoe, repost)
        assert told.shown
        assert "ana reposted what cem wrote." in [reason.text for reason in told.reasons]
        told = why(zoe, original)
        assert (told.verdict, told.primary, told.related) == (Verdict.REPOSTED, "not_followed", repost.pk)

    def test_a_second_repost_names_the_first(self, people):
        zoe, ana, ben, cem = people
        original = write(cem)
        first, second = write(ana, repost_of=original), write(ben, repost_of=original, hours=23)
        told = why(zoe, second)
        assert (told.verdict, told.primary, told.related) == (Verdict.ABSENT, "shown_earlier", first.pk)

    def test_a_repost_of_what_the_timeline_has_names_that(self, people):
        zoe, ana, ben, _ = people
        original = write(ana)
        told = why(zoe, write(ben, repost_of=original))
        assert (told.primary, told.related) == ("shown_earlier", original.pk)

    def test_replies(self, people):
        zoe, ana, ben, cem = people
        assert why(zoe, write(ana, reply_to=write(ben))).reasons[1].code == "reply_heard"
        assert why(zoe, write(ana, reply_to=write(cem))).primary == "reply_unheard"

    @pytest.mark.parametrize(
        ("change", "code"),
        [
            (lambda zoe, ana: Mute.objects.create(muter=zoe, muted=ana), "muted"),
            (lambda zoe, ana: Block.objects.create(blocker=zoe, blocked=ana), "blocks"),
            (lambda zoe, ana: Block.objects.create(blocker=ana, blocked=zoe), "blocked"),
            (lambda zoe, ana: User.objects.filter(pk=ana.pk).update(is_active=False), "author_suspended"),
            (lambda zoe, ana: Follow.objects.all().delete(), "not_followed"),
            (
                lambda zoe, ana: (
                    Follow.objects.all().delete(),
                    User.objects.filter(pk=ana.pk).update(is_private=True),
                ),
                "private_account",
            ),
            (lambda zoe, ana: Post.objects.update(visibility="private"), "private_post"),
            (lambda zoe, ana: Item.objects.filter(kind="post").delete(), "no_post"),
        ],
    )
    def test_absence(self, people, change, code):
        post = write(people[1])
        change(*people[:2])
        told = why(people[0], post)
        assert (told.verdict, told.primary, told.place) == (Verdict.ABSENT, code, None)

    @pytest.mark.parametrize(
        ("change", "code"),
        [
            (lambda zoe, cem: Mute.objects.create(muter=zoe, muted=cem), "original_muted"),
            (lambda zoe, cem: Block.objects.create(blocker=cem, blocked=zoe), "original_hidden"),
            (lambda zoe, cem: Post.objects.filter(author=cem).update(visibility="followers"), "original_not_public"),
        ],
    )
    def test_absence_of_reposts(self, people, change, code):
        repost = write(people[1], repost_of=write(people[3]))
        change(people[0], people[3])
        assert why(people[0], repost).primary == code

    def test_every_code_has_its_sentences(self):
        facts = dict.fromkeys(["reader", "author", "answered", "original_author"], "x")
        for code in SENTENCES:
            assert sentence(code, False, facts)
            assert sentence(code, True, facts)


class TestSecrets:
    @pytest.mark.parametrize("blocker", ["ana", "zoe"])
    def test_nobody_learns_of_a_block(self, people, blocker):
        zoe, ana, *_ = people
        post = write(ana)
        Block.objects.create(blocker=ana if blocker == "ana" else zoe, blocked=zoe if blocker == "ana" else ana)
        told = why(zoe, post, staff=False)
        assert replace(told, post=0) == replace(explain(reader=zoe, post=10**9), post=0)

    def test_nor_what_is_written_for_others(self, people):
        hidden = write(people[3], visibility="followers")
        assert why(people[0], hidden, staff=False).primary == "not_available"
        assert why(people[0], hidden).primary == "not_followed"

    def test_nor_of_errors_inside(self, people):
        post = write(people[1])
        assert why(people[0], post, staff=False).waiting == ()

    def test_nor_whom_a_reply_answers_if_they_blocked(self, people):
        zoe, ana, _, cem = people
        reply = write(ana, reply_to=write(cem))
        Block.objects.create(blocker=cem, blocked=zoe)
        assert "cem" not in str(why(zoe, reply, staff=False))


class TestDelivery:
    def test_on_its_way_and_then_in_the_window(self, people, drain_outbox):
        zoe, ana, *_ = people
        drain_outbox()
        home_timeline(reader=zoe)
        post = write(ana)
        told = why(zoe, post)
        assert (told.place, told.mode, len(told.waiting)) == (Place.ON_ITS_WAY, None, 1)
        assert "pending" in [reason.code for reason in told.reasons]
        drain_outbox()
        told = why(zoe, post)
        assert (told.place, told.mode, told.waiting) == (Place.WINDOW, "push", ())
        (delivery,) = told.deliveries
        assert (delivery.bucket, delivery.readers) == ("all", 2 - 1)

    def test_a_parked_row_is_shown_with_its_error(self, people, drain_outbox):
        drain_outbox()
        home_timeline(reader=people[0])
        post = write(people[1])
        store.park([row.id for row in store.lease(10)], "ValueError: no")
        (waiting,) = why(people[0], post).waiting
        assert (waiting.parked, waiting.error) == (True, "ValueError: no")
        assert "parked" in [reason.code for reason in why(people[0], post).reasons]

    def test_a_pulled_post_is_looked_for_in_the_authors_list(self, people, drain_outbox):
        AuthorOverride.objects.create(author=people[1], mode="pull")
        post = write(people[1])
        drain_outbox()
        assert why(people[0], post).place is Place.COLD
        home_timeline(reader=people[0])
        told = why(people[0], post)
        assert (told.place, told.mode) == (Place.WINDOW, "pull")
        assert [one.bucket for one in told.deliveries] == ["author"]

    def test_below_the_window_it_comes_from_sql(self, people, drain_outbox, monkeypatch):
        old, *_ = [write(people[1], hours=n) for n in range(4)]
        drain_outbox()
        monkeypatch.setattr(timelines, "CAPACITY", 2)
        home_timeline(reader=people[0])
        assert why(people[0], old).place is Place.SQL

    def test_what_a_window_lacks_is_said(self, people, drain_outbox):
        post = write(people[1])
        drain_outbox()
        home_timeline(reader=people[0])
        lose(home(people[0].pk), [post.pk])
        assert why(people[0], post).place is Place.LACKING

    def test_without_valkey(self, people, monkeypatch):
        def away(keys):
            raise redis.ConnectionError

        monkeypatch.setattr(timelines, "peek_windows", away)
        assert why(people[0], write(people[1])).place is Place.UNKNOWN


def test_a_chunk_for_others_is_not_waited_for(people, drain_outbox, monkeypatch):
    monkeypatch.setattr("feeds.audience.CHUNK", 1)
    let_follow(make_people(2, "more"), people[1:2])
    drain_outbox()
    post = write(people[1])
    drain_outbox()
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO outbox (aggregatetype, aggregateid, type, payload) VALUES ('feeds.fanout_chunk', '1',"
            " 'deliver', jsonb_build_object('posts', jsonb_build_array(%s::bigint),"
            " 'readers', jsonb_build_array(%s::bigint)))",
            [post.pk, people[3].pk],
        )
    assert why(people[0], post).waiting == ()


def test_four_queries_whatever_there_is(people, drain_outbox):
    post = write(people[1])
    drain_outbox()
    with CaptureQueriesContext(connection) as captured:
        why(people[0], post)
    assert len(captured) == 4
