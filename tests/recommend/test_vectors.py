from __future__ import annotations

import numpy as np
import pytest
from django.db import IntegrityError, connection, transaction

from recsys.recommend.models import FactorVector
from recsys.recommend.vectors import create_partition, drop_partitions, from_sent, read_vectors, to_text
from tests.catalog.makers import make_items

pytestmark = pytest.mark.django_db


def rows(count: int) -> np.ndarray:
    return np.random.default_rng(1).normal(size=(count, 64)).astype(np.float32)


def test_vectors_come_back_as_they_went():
    items = np.array([item.pk for item in make_items(3)])
    vectors = rows(3)
    create_partition(FactorVector, 901, items, vectors)
    found, read = read_vectors(FactorVector, 901)
    assert found.tolist() == items.tolist()
    assert read == pytest.approx(vectors, abs=2e-3)  # halves


def test_versions_do_not_mix():
    items = np.array([item.pk for item in make_items(2)])
    create_partition(FactorVector, 901, items, rows(2))
    create_partition(FactorVector, 902, items[:1], rows(1))
    assert len(read_vectors(FactorVector, 901)[0]) == 2
    assert len(read_vectors(FactorVector, 902)[0]) == 1


def test_items_that_do_not_exist_any_more_are_left_out():
    [item] = make_items(1)
    create_partition(FactorVector, 901, np.array([item.pk, item.pk + 1000]), rows(2))
    assert read_vectors(FactorVector, 901)[0].tolist() == [item.pk]


def test_a_deleted_item_takes_its_vectors_with_it():
    [item] = make_items(1)
    create_partition(FactorVector, 901, np.array([item.pk]), rows(1))
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM catalog_item WHERE id = %s", [item.pk])
    assert len(read_vectors(FactorVector, 901)[0]) == 0


def test_an_item_has_one_vector_a_version():
    [item] = make_items(1)
    with pytest.raises(IntegrityError), transaction.atomic():
        create_partition(FactorVector, 901, np.array([item.pk, item.pk]), rows(2))


def test_a_version_is_indexed():
    items = np.array([item.pk for item in make_items(50)])
    create_partition(FactorVector, 901, items, rows(50))
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off; SET LOCAL enable_bitmapscan = off")
        cursor.execute(
            "EXPLAIN SELECT item_id FROM recommend_factorvector WHERE model_version = 901 "
            f"ORDER BY vector <#> '{to_text(rows(1)[0])}'::halfvec LIMIT 5"
        )
        plan = "\n".join(line for (line,) in cursor.fetchall())
    assert "recommend_factorvector_v901_vector_idx" in plan
    assert "Sort" not in plan


def test_dropping_keeps_what_is_to_be_kept():
    drop_partitions(FactorVector, [])  # what tests with real transactions left behind
    items = np.array([item.pk for item in make_items(1)])
    for version in (901, 902, 903):
        create_partition(FactorVector, version, items, rows(1))
    assert drop_partitions(FactorVector, [903]) == ["recommend_factorvector_v901", "recommend_factorvector_v902"]
    assert len(read_vectors(FactorVector, 903)[0]) == 1


def test_a_vector_too_large_for_halves_is_clipped():
    assert to_text(np.array([1e30, -1e30, 0.5], np.float32)) == "[65504,-65504,0.5]"


def test_no_vectors():
    assert from_sent([]).shape == (0, 0)
