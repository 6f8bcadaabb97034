from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection

from recsys.accounts.models import User
from recsys.catalog.models import Item
from recsys.experiments.models import Experiment, Variant
from recsys.recommend import gathering
from recsys.recommend.candidates import Ask, Candidate, fetch
from recsys.recommend.engine import ServedSlate, recommend, similar, trending, would_recommend, would_trend
from recsys.recommend.models import ModelVersion, Slate
from recsys.recommend.sources import ALL
from tests.catalog.makers import make_item, make_items, make_user
from tests.events.makers import did
from tests.recommend.conftest import Community, settle

pytestmark = pytest.mark.django_db


def ask(user: User | None, count: int = 10, **more: Any) -> ServedSlate:
    return recommend(user=user, region=user.region if user else "", count=count, **more)


def items_of(slate: ServedSlate) -> set[int]:
    return {entry.item.pk for entry in slate.entries}


def ids(items: Sequence[Item]) -> set[int]:
    return {item.pk for item in items}


class TestReadYourWrites:
    def test_the_first_like_decides_the_very_next_slate(self, trained: Community):
        before = ask(trained.ana)
        assert all(entry.anchor is None for entry in before.entries)
        did(trained.ana, "like", trained.love[0])
        after = ask(trained.ana, count=5)
        assert after.entries[0].source == "cf"
        assert after.entries[0].anchor == trained.love[0]
        assert after.entries[0].reason == "Because you liked love-0"
        assert items_of(after) <= ids(trained.love)

    def test_a_click_turns_the_slate_to_the_other_taste(self, trained: Community):
        did(trained.ana, "view", *trained.love[:3], ago=timedelta(days=60))
        assert items_of(ask(trained.ana, count=4)) <= ids(trained.love)
        did(trained.ana, "click", *trained.crime[:4])
        assert ids(trained.crime) & items_of(ask(trained.ana, count=4))

    @pytest.mark.parametrize("kind", ["hide", "dislike", "view"])
    def test_what_was_hidden_disliked_or_seen_is_gone_from_the_very_next_slate(self, trained: Community, kind: str):
        did(trained.ana, "like", trained.love[0])
        first = ask(trained.ana).entries[0].item
        did(trained.ana, kind, first)
        assert first.pk not in items_of(ask(trained.ana, count=100))

    def test_a_dislike_takes_back_what_a_like_led_to(self, trained: Community):
        did(trained.ana, "like", trained.love[0], ago=timedelta(minutes=1))
        did(trained.ana, "dislike", trained.love[0])
        assert all(entry.anchor is None for entry in ask(trained.ana).entries)


class TestFilters:
    def test_unavailable_items_never_come(self, trained: Community):
        Item.objects.filter(pk__in=ids(trained.crime)).update(is_available=False)
        assert items_of(ask(trained.crime_fans[0], count=100)) <= ids(trained.love)

    def test_items_of_other_regions_never_come(self, trained: Community):
        Item.objects.filter(pk__in=ids(trained.crime)).update(regions=["US"])
        Item.objects.filter(pk__in=ids(trained.love)).update(regions=["GB", "FR"])
        fan = trained.crime_fans[0]
        assert items_of(recommend(user=fan, region="GB", count=100)) <= ids(trained.love)
        assert items_of(recommend(user=fan, region="US-CA", count=100)) <= ids(trained.crime)
        assert items_of(recommend(user=fan, region="", count=100)) == set()

    def test_what_is_not_published_yet_never_comes(self, trained: Community):
        Item.objects.filter(pk__in=ids(trained.crime)).update(published_at=datetime.now(UTC) + timedelta(hours=1))
        assert items_of(ask(trained.crime_fans[0], count=100)) <= ids(trained.love)

    def test_nobody_is_recommended_their_own(self, trained: Community):
        fan = trained.crime_fans[0]
        Item.objects.filter(pk__in=ids(trained.crime)).update(creator=fan)
        assert items_of(ask(fan, count=100)) <= ids(trained.love)
        assert items_of(ask(trained.crime_fans[1], count=100)) & ids(trained.crime)

    def test_only_the_kind_that_was_asked_for(self, trained: Community):
        Item.objects.filter(pk__in=ids(trained.love)).update(kind="post")
        for user in (trained.crime_fans[0], None):
            assert items_of(ask(user, count=100, kind="post")) <= ids(trained.love)
        assert not ask(trained.ana, kind="opera").entries

    def test_what_the_page_shows_already_is_left_out(self, trained: Community):
        assert not items_of(ask(trained.crime_fans[0], exclude=ids(trained.crime), count=100)) & ids(trained.crime)

    def test_every_surface_filters(self, trained: Community):
        hidden = trained.crime[:5]
        did(trained.ana, "hide", *hidden)
        Item.objects.filter(pk=trained.crime[5].pk).update(is_available=False)
        gone = ids([*hidden, trained.crime[5]])
        assert not gone & items_of(trending(region="GB", user=trained.ana, count=100))
        assert not gone & items_of(similar(item=trained.crime[6], user=trained.ana, count=100))


class TestColdStart:
    def test_a_visitor_gets_what_trends(self, trained: Community):
        slate = recommend(user=None, region="GB", count=5)
        assert {entry.reason for entry in slate.entries} == {"Trending in United Kingdom"}
        assert slate.served_by == "trending"

    def test_an_empty_site_gives_an_empty_slate(self, db):
        slate = ask(make_user())
        assert (slate.entries, slate.served_by) == ([], "none")

    def test_a_site_without_events_and_models_shows_what_is_new(self, db):
        items = make_items(3)
        slate = ask(make_user())
        assert [entry.item.pk for entry in slate.entries] == [item.pk for item in reversed(items)]
        assert {entry.reason for entry in slate.entries} == {"New here"}

    def test_an_item_that_nobody_has_met_is_reached_by_its_words(self, trained: Community):
        did(trained.ana, "like", trained.crime[-1])  # which has no factors either
        found = [entry for entry in ask(trained.ana, count=30).entries if entry.item == trained.crime[-2]]
        assert [entry.source for entry in found] == ["content"]
        assert found[0].anchor == trained.crime[-1]


class TestFallback:
    class Sleepy:
        name = "cf"

        def propose(self, ask: Ask) -> Sequence[Candidate]:
            fetch("SELECT pg_sleep(5)", {})
            return []

    class Broken:
        name = "content"

        def propose(self, ask: Ask) -> Sequence[Candidate]:
            fetch("SELECT 1 / 0", {})
            return []

    def test_a_slow_and_a_broken_source_are_left_out_and_named(self, trained: Community, monkeypatch):
        monkeypatch.setattr(gathering, "STATEMENT_MS", 50)
        sources = {**ALL, "cf": self.Sleepy(), "content": self.Broken()}
        slate = recommend(user=trained.crime_fans[0], region="GB", sources=sources)
        assert slate.trace["left_out"] == {"cf": "too slow", "content": "failed: DataError"}
        assert slate.entries
        assert "cf" not in slate.served_by

    def test_no_source_is_asked_once_the_time_is_over(self, trained: Community, monkeypatch):
        monkeypatch.setattr(gathering, "TOTAL_SECONDS", 0.0)
        slate = ask(trained.crime_fans[0])
        assert set(slate.trace["left_out"].values()) == {"no time left"}

    def test_a_damaged_model_costs_its_source_and_nothing_else(self, trained: Community):
        ModelVersion.objects.filter(kind="cf").update(artefact=b"PK\x03\x04 damaged")
        slate = ask(trained.crime_fans[0])
        assert slate.trace["left_out"] == {"cf": "failed: ArtefactError"}
        assert slate.entries[0].source == "content"

    def test_the_deadline_is_not_left_behind_in_the_callers_transaction(self, trained: Community):
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL statement_timeout = '7s'")
            ask(trained.ana)
            cursor.execute("SHOW statement_timeout")
            assert cursor.fetchone()[0] == "7s"


class TestSlate:
    def test_is_kept_with_all_that_explains_it(self, trained: Community):
        fan = trained.crime_fans[0]
        served = ask(fan)
        kept = Slate.objects.get(pk=served.recommendation_id)
        assert (kept.user, kept.surface, kept.region) == (fan, "for_you", "GB")
        assert [entry["item"] for entry in kept.entries] == [entry.item.pk for entry in served.entries]
        first = kept.entries[0]
        assert first["reason"].startswith("Because you liked crime")
        assert first["anchor"] in ids(trained.crime)
        assert first["propensity"] == 1.0
        assert first["scores"][first["source"]] == max(first["scores"].values())
        assert sum(first["scores"].values()) == pytest.approx(first["score"], abs=1e-4)
        assert kept.trace["served_by"] == served.served_by
        assert set(kept.trace["models"]) == {"cf", "content"}
        assert kept.trace["milliseconds"]["total"] > 0

    def test_of_a_visitor_belongs_to_nobody(self, db):
        assert Slate.objects.get(pk=ask(None).recommendation_id).user is None

    def test_comes_best_first_without_repetition(self, trained: Community):
        entries = ask(trained.crime_fans[0], count=20).entries
        assert [entry.position for entry in entries] == list(range(len(entries)))
        assert len({entry.item.pk for entry in entries}) == len(entries)
        assert [entry.score for entry in entries] == sorted((entry.score for entry in entries), reverse=True)

    @pytest.mark.parametrize(("count", "expected"), [(0, 1), (-5, 1), (7, 7), (10_000, 32)])
    def test_has_at_most_what_was_asked_for(self, trained: Community, count: int, expected: int):
        assert len(ask(trained.crime_fans[0], count=count).entries) == expected

    def test_no_category_and_no_creator_fills_it_while_others_have_something(self, trained: Community):
        ben = make_user()
        Item.objects.filter(pk__in=ids(trained.crime[:10])).update(category="Crime")
        Item.objects.filter(pk__in=ids(trained.crime[10:])).update(creator=ben)
        did(trained.ana, "like", trained.crime[0], trained.crime[19])
        entries = ask(trained.ana, count=10).entries
        assert sum(entry.item.category == "Crime" for entry in entries) == 4
        assert sum(entry.item.creator_id == ben.pk for entry in entries) == 4


class TestExperiments:
    @pytest.fixture
    def variant(self, db) -> Variant:
        experiment = Experiment.objects.create(key="sources", surface="for_you", status=Experiment.Status.RUNNING)
        return Variant.objects.create(experiment=experiment, key="only-popular")

    def test_a_variant_steers_the_blend(self, trained: Community, variant: Variant):
        variant.parameters = {"weights": {"cf": 0, "content": 0, "trending": 0, "popular": 1}}
        variant.save()
        slate = ask(trained.crime_fans[0], count=5)
        assert slate.served_by == "popular"
        assert slate.trace["variants"] == {"sources": "only-popular"}

    def test_parameters_that_make_no_sense_are_left_aside_and_named(self, trained: Community, variant: Variant):
        variant.parameters = {"weights": {"cf": "much", "gossip": 1}}
        variant.save()
        slate = ask(trained.crime_fans[0])
        assert slate.entries
        assert slate.trace["ignored_parameters"]

    def test_a_visitor_takes_no_part(self, trained: Community, variant: Variant):
        assert ask(None).trace["variants"] == {}


class TestSimilar:
    def test_finds_what_the_same_people_like_and_what_reads_alike(self, trained: Community):
        slate = similar(item=trained.crime[0], user=None, count=8)
        assert items_of(slate) <= ids(trained.crime)
        reasons = {entry.reason for entry in slate.entries}
        assert reasons <= {"People who liked crime-0 liked this too", "Similar to crime-0"}
        assert trained.crime[0].pk not in items_of(slate)

    def test_of_an_item_without_factors_goes_by_its_words(self, trained: Community):
        slate = similar(item=trained.love[-1], count=5)
        assert slate.served_by == "content"
        assert items_of(slate) <= ids(trained.love)

    def test_may_show_what_was_seen(self, trained: Community):
        did(trained.ana, "view", *trained.crime)
        assert items_of(similar(item=trained.crime[0], user=trained.ana))

    def test_of_an_item_without_models_falls_back_to_what_is_popular(self, community: Community):
        slate = similar(item=community.crime[0], count=3)
        assert slate.served_by == "popular"
        assert {entry.reason for entry in slate.entries} == {"Popular with everyone"}


class TestPreviews:
    """What somebody would be shown, without showing it."""

    @pytest.mark.parametrize("counts", [(5, 24), (24,), (3, 10, 40)])
    def test_they_are_what_the_slates_of_these_lengths_have(self, trained: Community, counts):
        did(trained.ana, "like", *trained.crime[:3])
        previews = would_recommend(user=trained.ana, counts=counts)
        trends = would_trend(region="GB", counts=counts)
        assert not Slate.objects.exists()
        for count, found, hot in zip(counts, previews, trends, strict=True):
            slate = recommend(user=trained.ana, region=trained.ana.region, count=count)
            assert found == [entry.item.pk for entry in slate.entries]
            shown = trending(region="GB", count=count)
            assert [entry.item.pk for entry in hot] == [entry.item.pk for entry in shown.entries]
            assert [entry.reason for entry in hot] == [entry.reason for entry in shown.entries]

    def test_short_ones_are_not_filled_up_with_what_only_long_ones_need(self):
        """The fillers propose what is new, of another category than all that trends."""
        fan = make_user()
        hot = [make_item(category="hot") for _ in range(6)]
        for _ in range(20):
            make_item(category="new")
        did(fan, "like", *hot)
        settle()
        short, long = would_trend(region="", counts=(5, 24))
        assert {entry.item.pk for entry in short} <= {item.pk for item in hot}
        assert len(long) == 24


class TestTrending:
    def test_is_of_the_region_first(self, community: Community):
        local, everywhere = make_item(), make_item()
        american, french = make_user(region="US"), make_user(region="FR")
        did(american, "like", local)
        did(french, "like", everywhere)
        did(make_user(region="FR"), "like", everywhere)
        settle()
        slate = trending(region="US-CA", count=50)
        first = slate.entries[0]
        assert (first.item, first.reason) == (local, "Trending in United States")
        [backed_off] = [entry for entry in slate.entries if entry.item == everywhere]
        assert backed_off.reason == "Trending everywhere"

    def test_what_was_hot_long_ago_is_only_popular(self, db):
        ana, item = make_user(region="GB"), make_item()
        did(ana, "like", item, ago=timedelta(days=60))
        settle()
        [entry] = trending(region="GB").entries
        assert (entry.source, entry.reason) == ("popular", "Popular with everyone")


@pytest.mark.parametrize(
    ("call", "queries"),
    [
        (lambda site: ask(site.crime_fans[0]), 25),
        (lambda site: ask(None), 22),
        (lambda site: similar(item=site.crime[0], user=site.crime_fans[0], count=5), 18),
        (lambda site: trending(region="GB", count=5), 11),
    ],
)
def test_takes_a_fixed_number_of_queries(trained: Community, call: Any, queries: int, django_assert_max_num_queries):
    call(trained)
    with django_assert_max_num_queries(queries):
        call(trained)
