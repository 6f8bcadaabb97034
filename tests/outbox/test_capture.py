"""Whoever changes a captured table, however, leaves one row for each change that was committed."""

from __future__ import annotations

import pytest
from django.db import connection, transaction

from recsys.accounts.models import User
from recsys.catalog.models import Item
from recsys.outbox.capture import capture, capture_off
from recsys.outbox.models import OutboxRow
from recsys.outbox.relay import lease

pytestmark = pytest.mark.django_db


def captured(topic: str = "catalog.item") -> list[tuple[str, str]]:
    """Pairs (type, key) that were captured since the last call."""
    rows = OutboxRow.objects.filter(aggregatetype=topic)
    found = sorted(rows.values_list("type", "aggregateid"))
    rows.delete()
    return found


@pytest.fixture
def items() -> list[Item]:
    items = [Item.objects.create(title=title) for title in ("a", "b", "c")]
    captured()
    return items


def keys(items: list[Item], kind: str) -> list[tuple[str, str]]:
    return sorted((kind, str(item.pk)) for item in items)


def test_saving_one():
    item = Item.objects.create(title="one")
    assert captured() == keys([item], "insert")
    item.title = "two"
    item.save()
    assert captured() == keys([item], "update")
    pk = item.pk
    item.delete()
    assert captured() == [("delete", str(pk))]


def test_writing_many_at_once(items):
    assert keys(Item.objects.bulk_create([Item(title="d"), Item(title="e")]), "insert") == captured()
    Item.objects.filter(pk__in=[item.pk for item in items]).update(title="same")
    assert captured() == keys(items, "update")
    Item.objects.filter(pk__in=[item.pk for item in items]).delete()
    assert captured() == keys(items, "delete")


def test_raw_sql(items):
    with connection.cursor() as cursor:
        cursor.execute("UPDATE catalog_item SET title = title || '!' WHERE title <> 'b'")
    assert captured() == keys([items[0], items[2]], "update")


def test_copy(items):
    columns = [field.column for field in Item._meta.concrete_fields if field.column not in ("id", "external_id")]
    listed = ", ".join(columns)
    with connection.cursor() as cursor:
        cursor.execute(f"CREATE TEMP TABLE source ON COMMIT DROP AS SELECT {listed} FROM catalog_item")
        with cursor.copy("COPY source TO STDOUT") as copy:
            data = b"".join(bytes(part) for part in copy)
        with cursor.copy(f"COPY catalog_item ({listed}) FROM STDIN") as copy:
            copy.write(data)
    assert [kind for kind, _ in captured()] == ["insert"] * 3


def test_a_statement_that_changes_nothing_that_counts_leaves_nothing(items):
    Item.objects.update(title=items[0].title)
    assert captured() == keys(items[1:], "update"), "one had that title already"
    Item.objects.filter(pk=-1).update(title="nobody")
    Item.objects.filter(pk=-1).delete()
    with connection.cursor() as cursor:
        cursor.execute("UPDATE catalog_item SET updated_at = updated_at + interval '1 second'")
    assert captured() == []


@pytest.mark.django_db(transaction=True)
def test_what_is_rolled_back_was_never_there():
    with transaction.atomic():
        Item.objects.create(title="never")
        transaction.set_rollback(True)
    with transaction.atomic():
        kept = Item.objects.create(title="kept")
        try:
            with transaction.atomic():
                Item.objects.create(title="in a savepoint")
                raise ValueError
        except ValueError:
            pass
    assert captured() == keys([kept], "insert")


@pytest.mark.django_db(transaction=True)
def test_capture_is_off_until_the_end_of_the_transaction_and_no_longer():
    with transaction.atomic():
        with capture_off():
            Item.objects.bulk_create([Item(title="history"), Item(title="more history")])
        inside = Item.objects.create(title="after the block")
    after = Item.objects.create(title="in the next transaction")
    assert captured() == keys([inside, after], "insert")


def test_capture_that_is_off_stays_off_around_an_inner_part():
    with capture_off():
        with capture_off():
            Item.objects.create(title="inner")
        Item.objects.create(title="outer")
    after = Item.objects.create(title="after")
    assert captured() == keys([after], "insert")


@pytest.mark.django_db(transaction=True)
def test_capture_cannot_be_off_outside_of_a_transaction():
    with pytest.raises(RuntimeError, match="atomic"), capture_off():
        pass


def test_tables_that_nobody_captures_leave_nothing():
    User.objects.create(username="quiet")
    assert not OutboxRow.objects.exists()


def test_a_captured_row_is_due_at_once(items):
    item = Item.objects.create(title="now")
    (row,) = lease(10)
    assert (row.topic, row.key, row.type, row.payload, row.attempts) == ("catalog.item", str(item.pk), "insert", {}, 0)


def test_the_payload_holds_what_cannot_be_read_again():
    names = [trigger.name for trigger in capture(topic="t", payload=["a"], update_of=["b"])]
    assert names == ["capture_insert", "capture_delete", "capture_update"]
    assert [trigger.name for trigger in capture(topic="t", delete=False)] == ["capture_insert"]
    assert "'a', n.a" in str(capture(topic="t", payload=["a"])[0].func)
