from __future__ import annotations

import random
import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection, connections, transaction

from recsys.catalog.models import ContentVector, Item
from recsys.recommend import training
from recsys.recommend.engine import recommend
from recsys.recommend.management.commands import train
from recsys.recommend.models import FactorVector, ModelVersion
from recsys.recommend.promotion import TrainingBusyError, training_lock
from recsys.recommend.serving import CF, CONTENT, serving_versions
from recsys.recommend.tasks import train_models
from recsys.recommend.training import CF_CONFIG, train_cf, train_content
from recsys.recommend.vectors import read_vectors
from tests.events.makers import did
from tests.recommend.conftest import Community, make_community

pytestmark = pytest.mark.django_db

UNTRAINED = replace(CF_CONFIG, epochs=0)  # random factors


def come_back(site: Community) -> None:
    """Everybody likes two more items of their taste."""
    draw = random.Random(1)
    for fans, shelf in ((site.crime_fans, site.crime), (site.love_fans, site.love)):
        for fan in fans:
            liked = set(Item.objects.filter(pk__in=_liked(fan.pk)).values_list("pk", flat=True))
            did(fan, "like", *draw.sample([item for item in shelf[:-2] if item.pk not in liked], 2))


def _liked(user_id: int) -> list[int]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT item_id FROM events_interaction WHERE user_id = %s", [user_id])
        return [item_id for (item_id,) in cursor.fetchall()]


class TestCf:
    def test_the_first_model_serves_at_once(self, community: Community):
        result = train_cf()
        assert result.promoted
        assert serving_versions()[CF] == result.version
        item_ids, vectors = read_vectors(FactorVector, result.version or 0)
        assert set(item_ids) == {item.pk for item in community.crime[:-2] + community.love[:-2]}
        assert vectors.shape[1] == 64
        assert result.metrics["interactions"] == 240

    def test_learns_the_tastes(self, community: Community):
        result = train_cf()
        item_ids, vectors = read_vectors(FactorVector, result.version or 0)
        place = {item_id: row for row, item_id in enumerate(item_ids.tolist())}
        crime = vectors[[place[item.pk] for item in community.crime[:-2]]]
        love = vectors[[place[item.pk] for item in community.love[:-2]]]
        assert (crime @ crime.T).mean() > 10 * abs(crime @ love.T).mean()

    def test_nothing_new_trains_nothing(self, trained: Community):
        versions = ModelVersion.objects.count()
        assert train_cf().version is None
        assert ModelVersion.objects.count() == versions
        assert train_cf(force=True).promoted

    def test_something_new_trains_anew(self, trained: Community):
        did(trained.ana, "like", trained.crime[-1])
        result = train_cf()
        assert result.promoted
        assert trained.crime[-1].pk in read_vectors(FactorVector, result.version or 0)[0]

    def test_without_interactions_there_is_nothing_to_learn(self, db):
        assert train_cf().reason == "There are no interactions to learn from."
        assert CF not in serving_versions()

    def test_a_worse_model_is_not_promoted(self, trained: Community, monkeypatch):
        monkeypatch.setattr(training, "LEAST_USERS", 10)
        serving = serving_versions()[CF]
        come_back(trained)
        result = train_cf(config=UNTRAINED)
        assert not result.promoted
        assert "fell by" in result.reason
        assert serving_versions()[CF] == serving
        assert ModelVersion.objects.get(pk=result.version or 0).status == ModelVersion.Status.CANDIDATE
        assert recommend(user=trained.crime_fans[0], region="GB").entries[0].source == "cf"

    def test_a_better_model_is_promoted_by_what_neither_has_seen(self, community: Community, monkeypatch):
        monkeypatch.setattr(training, "LEAST_USERS", 10)
        train_cf(config=UNTRAINED)
        come_back(community)
        result = train_cf()
        assert result.promoted
        assert result.metrics["gain"]["mean"] > 0.1
        assert result.metrics["users"] == 30

    def test_another_recipe_is_compared_on_the_same_split_where_too_few_came_back(self, community: Community):
        for fans in (community.crime_fans, community.love_fans):
            for fan in fans[:5]:
                did(fan, "view", community.crime[0])
        train_cf()
        did(community.ana, "like", community.crime[0])
        assert "gain" in train_cf(config=replace(CF_CONFIG, epochs=9)).metrics
        did(community.ana, "like", community.crime[1])
        assert train_cf(config=replace(CF_CONFIG, epochs=9)).reason.startswith("The same recipe")

    def test_only_one_training_runs_at_a_time(self, community: Community):
        refused: list[BaseException] = []

        def other() -> None:
            try:
                train_cf()
            except TrainingBusyError as error:
                refused.append(error)
            finally:
                connections.close_all()

        with training_lock(CF):
            thread = threading.Thread(target=other)
            thread.start()
            thread.join()
        assert len(refused) == 1

    def test_reports_its_progress(self, community: Community):
        for fan, item in zip(community.crime_fans + community.love_fans, 2 * community.items, strict=False):
            did(fan, "like", item)  # they come back, so that there is something to judge by
        steps: list[tuple[str, int, int]] = []
        train_cf(progress=lambda *step: steps.append(step), config=replace(CF_CONFIG, epochs=2))
        assert [what for what, done, total in steps if done == total] == [
            "read interactions",
            "judge",
            "learn",
            "index",
        ]


class TestContent:
    def test_places_every_item_that_has_words(self, community: Community):
        Item.objects.filter(pk=community.love[0].pk).update(title="…", description="", tags=[])
        result = train_content()
        item_ids, vectors = read_vectors(ContentVector, result.version or 0)
        assert set(item_ids) == {item.pk for item in community.items[:20] + community.love[1:]}
        assert (vectors**2).sum(axis=1) == pytest.approx(1, abs=1e-2)

    def test_nothing_new_trains_nothing(self, trained: Community):
        assert train_content().version is None

    def test_a_worse_model_is_not_promoted(self, trained: Community):
        serving = serving_versions()[CONTENT]
        come_back(trained)
        trained.ana.delete()
        result = train_content(force=True, config=replace(training.TEXT_CONFIG, max_words=1))
        assert not result.promoted
        assert serving_versions()[CONTENT] == serving

    def test_without_items_there_is_nothing_to_learn(self, db):
        assert train_content().reason == "There are no items to learn from."


def test_a_training_touches_no_version_but_the_oldest(trained: Community):
    first = serving_versions()[CF]
    second = train_cf(force=True).version or 0
    # A request that has read the first version's number still finds its vectors and its arrays.
    assert len(read_vectors(FactorVector, first)[0]) == len(read_vectors(FactorVector, second)[0]) == 36
    assert ModelVersion.objects.get(pk=first).artefact
    train_cf(force=True)
    assert len(read_vectors(FactorVector, first)[0]) == 0
    assert ModelVersion.objects.get(pk=first).artefact is None
    assert ModelVersion.objects.get(pk=first).status == ModelVersion.Status.RETIRED


@pytest.mark.parametrize(("kind", "train_it"), [(CF, train_cf), (CONTENT, train_content)])
def test_a_serving_model_that_cannot_be_read_is_replaced(trained: Community, kind: str, train_it: Callable[[], Any]):
    ModelVersion.objects.filter(kind=kind).update(artefact=b"damaged")
    assert train_it().promoted
    assert recommend(user=trained.crime_fans[0], region="GB").trace["left_out"] == {}


def test_versions_are_kept_as_a_record_but_not_for_ever(trained: Community, monkeypatch):
    monkeypatch.setattr("recsys.recommend.promotion.KEPT_VERSIONS", 3)
    for _ in range(4):
        train_cf(force=True)
    assert ModelVersion.objects.filter(kind=CF).count() == 3


@pytest.mark.django_db(transaction=True)
def test_readers_are_served_without_pause_while_a_model_is_replaced():
    site = make_community(fans=6, items=12, each=6)
    train_content()
    train_cf()
    stop, served, errors = threading.Event(), [], []

    def read() -> None:
        try:
            while not stop.is_set():
                slate = recommend(user=site.crime_fans[0], region="GB", count=3)
                served.append((slate.trace["models"][CF], slate.trace["left_out"], len(slate.entries)))
        except BaseException as error:
            errors.append(error)
        finally:
            connections.close_all()

    reader = threading.Thread(target=read)
    reader.start()
    try:
        versions = {train_cf(force=True).version for _ in range(3)}
        seen = len(served)
        while len(served) < seen + 2 and reader.is_alive():  # until the newest is being served
            stop.wait(0.01)
    finally:
        stop.set()
        reader.join()
    assert errors == []
    assert {tuple(left_out.items()) for _, left_out, _ in served} == {()}
    assert {count for _, _, count in served} == {3}
    assert served[-1][0] == max(version for version in versions if version)


@pytest.mark.django_db(transaction=True)
def test_an_item_that_is_deleted_while_its_model_is_made_is_left_out():
    site = make_community(fans=3, items=6, each=4)
    train_cf()
    version = serving_versions()[CF]
    with transaction.atomic():
        site.crime[0].delete()
    assert site.crime[0].pk not in read_vectors(FactorVector, version)[0]
    assert train_cf().promoted


class TestCommand:
    def test_trains_both_and_says_so(self, community: Community, capsys):
        call_command("train")
        said = capsys.readouterr().out
        assert "cf: version" in said
        assert "content: version" in said
        call_command("train", "cf")
        assert "cf: nothing to do" in capsys.readouterr().out

    def test_says_that_another_training_runs(self, community: Community, monkeypatch):
        def busy(**_: object) -> None:
            raise TrainingBusyError("A training of cf is under way already; let it end.")

        monkeypatch.setitem(train.TRAININGS, "cf", busy)
        with pytest.raises(CommandError, match="under way"):
            call_command("train", "cf")

    def test_refuses_a_kind_that_is_none(self):
        with pytest.raises(CommandError, match="no kind of model"):
            call_command("train", "gossip")


def test_the_task_trains_both_and_repeating_it_is_harmless(community: Community):
    train_models()
    assert set(serving_versions()) == {CF, CONTENT}
    versions = ModelVersion.objects.count()
    train_models()
    assert ModelVersion.objects.count() == versions


def test_age_of_the_data_is_judged_by_what_happened_last(trained: Community):
    did(trained.ana, "like", trained.crime[0], ago=timedelta(days=300))
    assert train_cf().reason.startswith("The same recipe")
