from __future__ import annotations

from typing import Any

import pytest

from recsys.catalog.actions import ItemInput, do_upsert_items
from recsys.catalog.models import ContentVector, Item
from recsys.recommend.embedding import do_embed_items
from recsys.recommend.engine import similar
from recsys.recommend.serving import CONTENT, serving_versions
from tests.catalog.makers import make_item
from tests.recommend.conftest import Community

pytestmark = pytest.mark.django_db


def vector_of(item: Item) -> list[float] | None:
    found = ContentVector.objects.filter(item=item, model_version=serving_versions()[CONTENT]).first()
    return list(found.vector) if found else None


def test_a_new_item_is_placed_without_a_training(trained: Community, drain_outbox: Any):
    do_upsert_items(rows=[ItemInput("new", "A wedding", "film", "romance and letters and a kiss")])
    drain_outbox()
    item = Item.objects.get(external_id="new")
    found = [entry.item.pk for entry in similar(item=item, count=5).entries]
    assert set(found) <= {one.pk for one in trained.love}


def test_a_changed_item_moves(trained: Community, drain_outbox: Any):
    item = trained.crime[0]
    before = vector_of(item)
    item.title, item.description, item.tags = "The wedding", "romance, kiss, letters", []
    item.save()
    drain_outbox()
    assert vector_of(item) != before
    assert {entry.item.pk for entry in similar(item=item, count=5).entries if entry.source == "content"} <= {
        one.pk for one in trained.love
    }


def test_an_item_that_lost_its_words_loses_its_place(trained: Community, drain_outbox: Any):
    item = trained.crime[0]
    Item.objects.filter(pk=item.pk).update(title="???", description="", tags=[])
    drain_outbox()
    assert vector_of(item) is None


def test_a_deleted_item_leaves_nothing_behind(trained: Community, drain_outbox: Any):
    item_id = trained.crime[0].pk
    Item.objects.filter(pk=item_id).delete()
    drain_outbox()
    assert not ContentVector.objects.filter(item_id=item_id).exists()


def test_doing_it_again_changes_nothing(trained: Community):
    before = vector_of(trained.crime[0])
    assert do_embed_items(item_ids=[trained.crime[0].pk]) == 1
    assert vector_of(trained.crime[0]) == pytest.approx(before, abs=1e-3)


def test_without_a_model_there_is_nothing_to_do(db, drain_outbox: Any):
    item = make_item("Heat")
    drain_outbox()
    assert do_embed_items(item_ids=[item.pk]) == 0


def test_items_that_are_gone_are_left_out(trained: Community):
    assert do_embed_items(item_ids=[0]) == 0


def test_takes_a_fixed_number_of_queries_however_many_items(trained: Community, django_assert_num_queries):
    do_embed_items(item_ids=[trained.crime[0].pk])
    with django_assert_num_queries(7):  # a savepoint's two, lock, version, items, delete, upsert
        do_embed_items(item_ids=[item.pk for item in trained.items])
