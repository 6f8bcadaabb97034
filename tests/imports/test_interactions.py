from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest

from recsys.events.models import Interaction, ItemHeat
from recsys.imports.errors import ImportRefusedError
from recsys.imports.report import Tally
from recsys.outbox.models import OutboxRow
from tests.catalog.makers import make_item, make_user
from tests.imports.conftest import bad

HEADER = "user,item,kind,value,occurred_at,region\n"


@pytest.fixture(autouse=True)
def _known(db):
    make_user(username="ana", external_id="ana", region="BR")
    make_item(external_id="heat")
    make_item(external_id="ronin")


def test_csv_with_either_kind_of_time(load):
    rows = "ana,heat,rate,4.5,2026-01-31T12:00:00Z,\nana,ronin,like,,1769860800,gb\n"
    assert load("interactions", "a.csv", HEADER + rows).tallies == {"interactions": Tally(created=2)}
    rated, liked = Interaction.objects.order_by("kind").reverse()
    assert (rated.kind, rated.value, rated.region) == ("rate", 4.5, "BR")
    assert (liked.kind, liked.value, liked.region) == ("like", None, "GB")
    assert rated.occurred_at == liked.occurred_at == datetime(2026, 1, 31, 12, tzinfo=UTC)


def test_repeating_it_changes_nothing_in_either_form(load):
    rows = "ana,heat,rate,4.5,2026-01-31T12:00:00Z,\nana,heat,view,,2026-01-31T12:00:00Z,\n"
    load("interactions", "a.csv", HEADER + rows)
    heat = list(ItemHeat.objects.order_by("region").values())
    assert load("interactions", "a.csv", HEADER + rows).tallies == {"interactions": Tally(unchanged=2)}
    row = {"user": "ana", "item": "heat", "kind": "rate", "value": 4.5, "occurred_at": "2026-01-31T13:00:00+01:00"}
    assert load("interactions", "a.jsonl", json.dumps(row)).tallies == {"interactions": Tally(unchanged=1)}
    assert Interaction.objects.count() == 2
    assert list(ItemHeat.objects.order_by("region").values()) == heat


def test_a_row_repeated_within_the_file_is_stored_once(load):
    rows = "ana,heat,view,,1769860800,\n" * 3 + "ana,heat,view,,1769860801,\n"
    assert load("interactions", "a.csv", HEADER + rows).tallies == {"interactions": Tally(created=2, unchanged=2)}


def test_old_history_is_kept_and_not_captured_and_warms_its_items(load):
    load("interactions", "a.csv", HEADER + "ana,heat,like,,1995-12-15T00:00:00Z,\n")
    assert Interaction.objects.get().occurred_at.year == 1995
    assert not OutboxRow.objects.filter(aggregatetype="events.interaction").exists()
    assert set(ItemHeat.objects.values_list("region", flat=True)) == {"", "BR"}


def test_bad_rows_are_named_with_their_lines(load):
    ahead = (datetime.now(UTC) + timedelta(days=3)).isoformat()
    rows = [
        "ana,heat,view,,1769860800,", "eve,heat,view,,1769860800,", "ana,speed,view,,1769860800,",
        "ana,heat,stare,,1769860800,", "ana,heat,rate,,1769860800,", "ana,heat,rate,11,1769860800,",
        "ana,heat,rate,lots,1769860800,", "ana,heat,view,3,1769860800,", "ana,heat,view,,,", f"ana,heat,view,,{ahead},",
        "ana,heat,view,,1969-01-01T00:00:00Z,", "ana,heat,view,,99999999999999999999,",
        "ana,heat,view,,1769860800,Atlantis",
        ",heat,view,,1769860800,", "eve,speed,view,,1769860800,",
    ]  # fmt: skip
    report = load("interactions", "a.csv", HEADER + "\n".join(rows), skip_bad=True)
    assert sorted((line, field) for line, field, _ in bad(report)) == [
        (3, "user"), (4, "item"), (5, "kind"), (6, "value"), (7, "value"), (8, "value"), (9, "value"),
        (10, "occurred_at"), (11, "occurred_at"), (12, "occurred_at"), (13, "occurred_at"), (14, "region"),
        (15, "user"), (16, "item"), (16, "user"),
    ]  # fmt: skip
    assert report.bad_rows == 14
    assert report.tallies == {"interactions": Tally(created=1)}
    assert "“eve”" in next(reason for line, _, reason in bad(report) if line == 3)


def test_an_unknown_name_alone_refuses_the_file(load):
    with pytest.raises(ImportRefusedError):
        load("interactions", "a.csv", HEADER + "ana,heat,view,,1769860800,\neve,heat,view,,1769860800,\n")
    assert not Interaction.objects.exists()
