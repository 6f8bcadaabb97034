from __future__ import annotations

import psycopg
import pytest
from django.apps import apps
from django.conf import settings
from django.db import connection

from recsys.catalog.models import Item
from recsys.events.models import Interaction, ItemHeat
from recsys.events.partitions import existing_partitions
from recsys.imports.errors import ImportFileError, ImportRefusedError
from recsys.imports.report import Report, Tally
from recsys.imports.run import _LOCK, ImportOptions, run_import
from tests.catalog.makers import make_item, make_user

ITEMS = "external_id,title\na,One\nb,Two\n"
HISTORY = "user,item,kind,occurred_at\nana,heat,like,1995-12-15T00:00:00Z\n"


def _counts() -> dict[str, int]:
    return {model.__name__: model._default_manager.count() for model in apps.get_models(include_auto_created=True)}


def test_a_dry_run_counts_everything_and_leaves_nothing(load):
    make_user(external_id="ana")
    make_item(external_id="heat")
    rows, partitions = _counts(), existing_partitions()
    assert load("items", "items.csv", ITEMS, dry_run=True).tallies == {"items": Tally(created=2)}
    assert load("interactions", "a.csv", HISTORY, dry_run=True).tallies == {"interactions": Tally(created=1)}
    assert (_counts(), existing_partitions()) == (rows, partitions)


def test_a_dry_run_finds_what_only_the_database_knows(load):
    with pytest.raises(ImportRefusedError):
        load("interactions", "a.csv", HISTORY, dry_run=True)
    report = load("interactions", "a.csv", HISTORY, dry_run=True, skip_bad=True)
    assert {row.field for row in report.first} == {"user", "item"}


def test_a_refused_file_leaves_nothing(load):
    rows = _counts()
    with pytest.raises(ImportRefusedError):
        load("items", "items.csv", ITEMS + ",Nameless\n")
    assert _counts() == rows


def test_a_file_that_breaks_off_leaves_nothing(load, write):
    body = "".join(f"id{n * 7919 % 100_003},Title {n}\n" for n in range(30_000))
    packed = write("whole.csv.gz", "external_id,title\n" + body).read_bytes()
    with pytest.raises(ImportFileError, match="cut short"):
        load("items", "items.csv", packed[: len(packed) * 3 // 4])
    assert not Item.objects.exists()


def test_a_break_within_a_copy_leaves_the_connection_usable(load, write):
    make_user(external_id="ana")
    make_item(external_id="heat")
    body = "".join(f"ana,heat,view,{1_700_000_000 + n * 7919 % 100_003}\n" for n in range(20_000))
    packed = write("whole.csv.gz", "user,item,kind,occurred_at\n" + body).read_bytes()
    with pytest.raises(ImportFileError, match="cut short"):
        load("interactions", "a.csv", packed[: len(packed) * 3 // 4])
    assert not Interaction.objects.exists()
    load("interactions", "a.csv", HISTORY)
    assert ItemHeat.objects.exists()


def test_two_imports_do_not_run_at_once(load):
    database = settings.DATABASES["default"]
    with psycopg.connect(
        dbname=database["NAME"], user=connection.settings_dict["USER"], host=database["HOST"]
    ) as other:
        other.execute("SELECT pg_advisory_lock(%s)", [_LOCK])
        with pytest.raises(ImportFileError, match="Another import is running"):
            load("items", "items.csv", ITEMS)
        other.execute("SELECT pg_advisory_unlock(%s)", [_LOCK])
    assert load("items", "items.csv", ITEMS).tallies == {"items": Tally(created=2)}


def test_an_unknown_format_names_those_that_there_are(tmp_path):
    with pytest.raises(ImportFileError) as caught:
        run_import(ImportOptions("excel", tmp_path / "a.csv"), Report())
    for name in settings.IMPORT_FORMATS:
        assert name in str(caught.value)
