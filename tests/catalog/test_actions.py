from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from recsys.catalog import actions
from recsys.catalog.actions import ItemInput, UpsertResult, do_delete_item, do_upsert_items
from recsys.catalog.models import Item
from recsys.outbox.models import OutboxRow
from tests.catalog.makers import make_item, make_user

pytestmark = pytest.mark.django_db

HEAT = ItemInput("heat", "Heat", "film", "Cops and robbers.", "Crime", ("heist",), ("GB",), attributes={"year": 1995})


def captured() -> Counter[str]:
    return Counter(OutboxRow.objects.filter(aggregatetype="catalog.item").values_list("type", flat=True))


def test_creates_updates_and_leaves_alone():
    assert do_upsert_items(rows=[HEAT, replace(HEAT, external_id="ronin")]) == UpsertResult(2, 0, 0)
    changed = [replace(HEAT, title="Heat (1995)"), replace(HEAT, external_id="ronin"), replace(HEAT, external_id="new")]
    assert do_upsert_items(rows=changed) == UpsertResult(1, 1, 1)
    item = Item.objects.get(external_id="heat")
    assert (item.title, item.tags, item.regions, item.attributes) == ("Heat (1995)", ["heist"], ["GB"], {"year": 1995})


def test_a_repetition_writes_and_captures_nothing():
    do_upsert_items(rows=[HEAT])
    before = Item.objects.get()
    OutboxRow.objects.all().delete()
    assert do_upsert_items(rows=[HEAT]) == UpsertResult(0, 0, 1)
    assert Item.objects.get().updated_at == before.updated_at
    assert captured() == {}


def test_what_matters_to_others_is_captured_once_a_row():
    do_upsert_items(rows=[HEAT, replace(HEAT, external_id="ronin")])
    assert captured() == {"insert": 2}
    do_upsert_items(rows=[replace(HEAT, is_available=False)])
    assert captured() == {"insert": 2, "update": 1}


def test_an_item_is_described_completely_each_time():
    do_upsert_items(rows=[HEAT])
    do_upsert_items(rows=[ItemInput("heat", "Heat")])
    item = Item.objects.get()
    assert (item.description, item.tags, item.attributes, item.kind) == ("", [], {}, "item")


def test_the_time_of_publication_stays_unless_it_is_given():
    then = datetime(1995, 12, 15, tzinfo=UTC)
    do_upsert_items(rows=[replace(HEAT, published_at=then)])
    assert do_upsert_items(rows=[HEAT]) == UpsertResult(0, 0, 1)
    assert Item.objects.get().published_at == then


def test_the_creator_stays():
    ana = make_user()
    make_item(external_id="heat", creator=ana)
    do_upsert_items(rows=[HEAT])
    assert Item.objects.get().creator == ana


def test_of_rows_with_the_same_id_the_last_one_counts():
    assert do_upsert_items(rows=[HEAT, replace(HEAT, title="Later")]) == UpsertResult(1, 0, 1)
    assert Item.objects.get().title == "Later"


def test_no_rows():
    assert do_upsert_items(rows=[]) == UpsertResult(0, 0, 0)


def test_takes_one_statement_for_each_chunk(monkeypatch):
    monkeypatch.setattr(actions, "CHUNK", 4)
    rows = [replace(HEAT, external_id=f"i{number}") for number in range(10)]
    with CaptureQueriesContext(
        connection,
    ) as queries:
        assert do_upsert_items(rows=rows).created == 10
    assert len([query for query in queries if "INSERT" in query["sql"]]) == 3


def test_deleting_an_item_twice_is_fine():
    item = make_item()
    do_delete_item(item=item)
    do_delete_item(item=item)
    assert not Item.objects.exists()
