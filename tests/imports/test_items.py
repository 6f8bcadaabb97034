from __future__ import annotations

import json

import pytest

from feeds.actions import do_create_post
from recsys.accounts.models import User
from recsys.catalog.models import Item
from recsys.imports.errors import ImportRefusedError
from recsys.imports.report import Tally
from recsys.outbox.models import OutboxRow
from tests.imports.conftest import bad

CSV = (
    "external_id,title,kind,tags,regions,attributes,is_available,published_at\n"
    'f1,Heat,film,crime|heist,gb|US-CA,"{""year"": 1995}",no,1995-12-15T00:00:00Z\n'
    "f2,Ronin,film,,,,,\n"
)


def test_csv(load):
    report = load("items", "items.csv", CSV)
    assert report.tallies == {"items": Tally(created=2)}
    heat = Item.objects.get(external_id="f1")
    assert (heat.title, heat.kind, heat.tags, heat.regions) == ("Heat", "film", ["crime", "heist"], ["GB", "US-CA"])
    assert heat.attributes == {"year": 1995}
    assert not heat.is_available
    assert heat.published_at.year == 1995
    assert Item.objects.get(external_id="f2").is_available


def test_jsonl_says_the_same(load):
    rows = [
        {
            "external_id": "f1", "title": "Heat", "kind": "film", "tags": ["crime", "heist"],
            "regions": ["GB", "US-CA"],
            "attributes": {"year": 1995}, "is_available": False, "published_at": "1995-12-15T00:00:00Z",
        },
        {"external_id": "f2", "title": "Ronin", "kind": "film"},
    ]  # fmt: skip
    load("items", "items.jsonl.gz", "\n".join(map(json.dumps, rows)))
    report = load("items", "items.csv", CSV)
    assert report.tallies == {"items": Tally(unchanged=2)}


def test_repeating_it_changes_nothing_and_captures_nothing(load):
    load("items", "items.csv", CSV)
    before = list(Item.objects.order_by("pk").values())
    OutboxRow.objects.all().delete()
    assert load("items", "items.csv", CSV).tallies == {"items": Tally(unchanged=2)}
    assert list(Item.objects.order_by("pk").values()) == before
    assert not OutboxRow.objects.exists()


def test_a_changed_row_updates_its_item_and_is_captured(load):
    load("items", "items.csv", CSV)
    OutboxRow.objects.all().delete()
    report = load("items", "items.csv", CSV.replace("Ronin", "Ronin (1998)"))
    assert report.tallies == {"items": Tally(updated=1, unchanged=1)}
    assert Item.objects.get(external_id="f2").title == "Ronin (1998)"
    assert OutboxRow.objects.filter(aggregatetype="catalog.item").count() == 1


BAD = (
    "external_id,title,is_available,attributes,published_at,regions\n"
    "a,Fine,,,,\n"
    ",No name,,,,\n"
    "b,,,,,\n"
    "c,Flag,perhaps,,,\n"
    "d,Attributes,,[broken,,\n"
    "e,Time,,,yesterday,\n"
    "f,Region,,,,Atlantis\n"
    "a,Again,,,,\n"
    "g," + "x" * 301 + ",,,,\n"
)


def test_bad_rows_are_named_and_refuse_the_whole_file(write, load):
    with pytest.raises(ImportRefusedError):
        load("items", "items.csv", BAD)
    assert not Item.objects.exists()


def test_skip_bad_loads_the_others_and_reports_the_same(load):
    report = load("items", "items.csv", BAD, skip_bad=True)
    assert [(line, field) for line, field, _ in bad(report)] == [
        (3, "external_id"), (4, "title"), (5, "is_available"), (6, "attributes"), (7, "published_at"), (8, "regions"),
        (9, "external_id"), (10, "title"),
    ]  # fmt: skip
    assert "line 2 already" in bad(report)[6][2]
    assert report.bad_rows == 8
    assert list(Item.objects.values_list("title", flat=True)) == ["Fine"]


def test_the_name_of_a_post_is_a_bad_row(load):
    post = do_create_post(author=User.objects.create_user("ana"), text="Hello", external_id="f2")
    report = load("items", "items.csv", CSV, skip_bad=True)
    assert [(line, field) for line, field, _ in bad(report)] == [(3, "external_id")]
    assert report.tallies == {"items": Tally(created=1)}
    assert Item.objects.get(pk=post.pk).title == "Hello"


@pytest.mark.parametrize("title", [r"\u0000", r"\ud800", "x" * 301])
def test_text_that_the_database_would_refuse_is_a_bad_row(load, title):
    report = load("items", "a.jsonl", f'{{"external_id": "a", "title": "{title}"}}\n', skip_bad=True)
    assert [(line, field) for line, field, _ in bad(report)] == [(1, "title")]
