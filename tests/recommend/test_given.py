"""Ranking what is given: each signal by itself, and together."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from recsys.accounts.models import User
from recsys.catalog.models import Item
from recsys.experiments.models import Experiment, Variant
from recsys.recommend.candidates import Ask, Candidate
from recsys.recommend.engine import ServedSlate, rank
from recsys.recommend.models import Slate
from recsys.recommend.sources.given import AsGiven, Fresh, Given, GivenHeat
from tests.catalog.makers import make_item, make_user
from tests.events.makers import did
from tests.recommend.conftest import Community, settle

pytestmark = pytest.mark.django_db


def given(*items: Item) -> list[Given]:
    return [Given(item.pk, item.pk) for item in items]


def order(user: User, items: Sequence[Given], **more) -> list[int]:
    return [entry.item.pk for entry in served(user, items, **more).entries]


def served(user: User, items: Sequence[Given], **more) -> ServedSlate:
    return rank(user=user, items=items, region=user.region, **more)


def make_post(creator: User, hours: float = 1.0, **fields) -> Item:
    at = datetime.now(UTC) - timedelta(hours=hours)
    return make_item(f"post by {creator} {hours}", kind="post", creator=creator, published_at=at, **fields)


class TestTaste:
    def test_what_suits_comes_before_what_is_newer(self, trained: Community):
        did(trained.ana, "like", *trained.love[:3])
        crime, love = trained.crime[5:9], trained.love[5:9]
        Item.objects.filter(pk__in=[one.pk for one in love]).update(published_at=datetime.now(UTC) - timedelta(hours=5))
        slate = served(trained.ana, given(*crime, *love))
        assert {entry.item.pk for entry in slate.entries[:4]} == {one.pk for one in love}
        first = slate.entries[0]
        assert first.source == "cf"
        assert first.anchor in trained.love[:3]
        assert first.reason.startswith("Because you liked love-")

    def test_what_an_item_speaks_of_counts_for_it(self, trained: Community):
        did(trained.ana, "like", *trained.love[:3])
        author = make_user()
        about_crime, about_love = make_post(author), make_post(author, hours=3)
        pair = [
            Given(about_crime.pk, about_crime.pk, about=trained.crime[5].pk),
            Given(about_love.pk, about_love.pk, about=trained.love[5].pk),
        ]
        assert order(trained.ana, pair) == [about_love.pk, about_crime.pk]

    def test_words_alone_count_for_what_nobody_has_met(self, trained: Community):
        did(trained.ana, "like", *trained.crime[:3])
        unknown_crime, unknown_love = trained.crime[-1], trained.love[-1]
        slate = served(trained.ana, given(unknown_love, unknown_crime))
        assert slate.entries[0].item == unknown_crime
        assert slate.entries[0].source == "content"


class TestAffinity:
    def test_whoever_the_reader_likes_comes_first(self):
        reader, friend, other = make_user(), make_user(display_name="Mia"), make_user()
        did(reader, "like", make_post(friend), make_post(friend, 2))
        theirs, newer = make_post(friend, 9), make_post(other, 8)
        slate = served(reader, given(newer, theirs))
        assert [entry.item for entry in slate.entries] == [theirs, newer]
        assert slate.entries[0].reason == "Because you liked what Mia shared"
        assert slate.served_by == "affinity,fresh"

    def test_of_two_the_one_whose_things_they_took_up_more(self):
        reader, much, little = make_user(), make_user(), make_user()
        did(reader, "like", *(make_post(much, hours) for hours in range(4)))
        did(reader, "view", make_post(little))
        assert order(reader, given(make_post(little, 5), last := make_post(much, 5)))[0] == last.pk

    def test_who_passes_it_on_counts_as_well_as_who_made_it(self):
        reader, friend, stranger = make_user(), make_user(), make_user()
        did(reader, "like", make_post(friend))
        original, repost, plain = make_post(friend, 9), make_post(stranger, 8), make_post(stranger, 7)
        assert order(reader, [*given(plain), Given(repost.pk, original.pk)]) == [repost.pk, plain.pk]


class TestHeat:
    def test_what_is_taken_up_now_comes_first_with_its_region(self):
        reader, author = make_user(region="GB"), make_user()
        hot, cold = make_post(author, 3), make_post(author, 2)
        for _ in range(5):
            did(make_user(region="GB"), "like", hot)
        settle()
        ask = Ask(user_id=reader.pk, region="GB", limit=10)
        assert [(one.item_id, one.region) for one in GivenHeat(given(hot, cold)).propose(ask)] == [(hot.pk, "GB")]
        assert order(reader, given(cold, hot)) == [hot.pk, cold.pk]


class TestFresh:
    def test_halves_each_day(self):
        author = make_user()
        items = given(make_post(author, 0), make_post(author, 24), make_post(author, 48))
        scores = [one.score for one in sorted(Fresh(items).propose(Ask(None, "", 10)), key=lambda one: one.item_id)]
        assert scores == pytest.approx([1.0, 0.5, 0.25], rel=0.01)

    def test_without_any_signal_it_is_newest_first_and_says_so(self):
        reader, author = make_user(), make_user()
        posts = [make_post(author, hours) for hours in range(30)]
        slate = served(reader, given(*posts), page=5)
        assert [entry.item for entry in slate.entries] == posts
        assert slate.served_by == "fresh"
        assert slate.entries[0].reason == "Shared lately"

    def test_as_given_is_what_remains(self):
        items = given(*(make_post(make_user(), hours) for hours in (1, 2)))
        assert AsGiven(items).propose(Ask(None, "", 10)) == [
            Candidate(items[0].item_id, 1.0),
            Candidate(items[1].item_id, 0.5),
        ]


class TestRank:
    def test_leaves_out_what_was_seen_or_hidden(self):
        reader, author = make_user(), make_user()
        read, hidden, kept, about_hidden, shows_hidden = (make_post(author, hours) for hours in range(5))
        did(reader, "view", read)
        did(reader, "hide", hidden)
        items = [
            *given(read, hidden, kept),
            Given(about_hidden.pk, about_hidden.pk, about=hidden.pk),
            Given(shows_hidden.pk, hidden.pk),
        ]
        assert order(reader, items) == [kept.pk]

    def test_takes_what_is_not_for_everybody(self):
        reader, author = make_user(), make_user()
        post = make_post(author)
        Item.objects.filter(pk=post.pk).update(is_withheld=True)
        assert order(reader, given(post)) == [post.pk]

    def test_spreads_creators_over_each_page(self):
        reader, loud, quiet = make_user(), make_user(), make_user()
        did(reader, "like", *(make_post(loud, hours) for hours in range(3)))
        posts = [make_post(loud, hours) for hours in range(10, 22)]
        others = [make_post(quiet, hours) for hours in range(30, 42)]
        first = [entry.item.creator_id for entry in served(reader, given(*posts, *others), page=10).entries[:10]]
        assert first.count(loud.pk) == 4 or first.count(quiet.pk) == 4

    def test_is_kept_with_its_trace(self):
        reader, author = make_user(), make_user()
        did(reader, "like", make_post(author))
        slate = served(reader, given(make_post(author, 3), make_post(author, 2)))
        kept = Slate.objects.get()
        assert (kept.pk, kept.user, kept.surface) == (slate.recommendation_id, reader, "top")
        assert kept.trace["served_by"] == slate.served_by == "affinity"
        assert kept.trace["candidates"]["fresh"] == 2
        assert all(entry["reason"] for entry in kept.entries)

    def test_an_experiment_may_set_its_weights(self):
        reader, author, other = make_user(), make_user(), make_user()
        did(reader, "like", make_post(author))
        items = given(newest := make_post(other, 1), make_post(author, 2))
        assert order(reader, items)[0] != newest.pk
        experiment = Experiment.objects.create(key="fresh", surface="top", status="running")
        Variant.objects.create(experiment=experiment, key="on", parameters={"weights": {"affinity": 0, "fresh": 1}})
        assert order(reader, items)[0] == newest.pk

    def test_nothing_given_is_an_empty_slate(self):
        assert served(make_user(), []).served_by == "none"

    def test_the_cost_does_not_grow(self, trained: Community):
        did(trained.ana, "like", *trained.love[:3])

        def queries(items: list[Given]) -> int:
            with CaptureQueriesContext(connection) as captured:
                served(trained.ana, items)
            return len(
                [one for one in captured if one["sql"].lstrip().startswith(("SELECT item", "SELECT DIST", "SELECT id"))]
            )

        assert queries(given(*trained.crime[:2])) == queries(given(*trained.items))
