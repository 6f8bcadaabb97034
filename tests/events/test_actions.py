from __future__ import annotations

import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connections

from recsys.events.actions import EventInput, RecordResult, do_prune_receipts, do_record_events
from recsys.events.models import EventReceipt, Interaction
from recsys.inputs import InputError
from recsys.outbox.models import OutboxRow
from tests.catalog.makers import make_item, make_user

pytestmark = pytest.mark.django_db

NOW = datetime.now(UTC)


@pytest.fixture
def event(db) -> EventInput:
    return EventInput("e1", make_user(region="GB").pk, make_item().pk, "view", occurred_at=NOW)


def test_stores_an_event_with_all_that_it_says(event):
    more = replace(event, kind="rate", value=4.5, region="US")
    assert do_record_events(events=[more], scope="client:1") == RecordResult(accepted=1, duplicates=0)
    stored = Interaction.objects.get()
    assert (stored.user_id, stored.item_id, stored.kind, stored.value) == (event.user_id, event.item_id, "rate", 4.5)
    assert (stored.region, stored.occurred_at) == ("US", NOW)


def test_time_and_region_default_to_now_and_to_the_users_own(event):
    do_record_events(events=[replace(event, occurred_at=None)], scope="client:1")
    stored = Interaction.objects.get()
    assert stored.region == "GB"
    assert NOW <= stored.occurred_at <= datetime.now(UTC)


def test_an_event_counts_once_whatever_its_repetition_says(event):
    do_record_events(events=[event], scope="client:1")
    again = replace(event, kind="like", occurred_at=NOW - timedelta(days=60))
    assert do_record_events(events=[again], scope="client:1") == RecordResult(accepted=0, duplicates=1)
    assert Interaction.objects.get().kind == "view"


def test_an_event_counts_once_within_a_batch_too(event):
    batch = [event, replace(event, kind="like"), replace(event, event_id="e2")]
    assert do_record_events(events=batch, scope="client:1") == RecordResult(accepted=2, duplicates=1)
    assert sorted(Interaction.objects.values_list("kind", flat=True)) == ["view", "view"]


def test_another_senders_event_of_the_same_name_is_another_event(event):
    do_record_events(events=[event], scope="client:1")
    assert do_record_events(events=[event], scope="client:2").accepted == 1


def test_one_faulty_event_refuses_the_whole_batch_and_every_fault_is_named(event):
    batch = [
        event,
        replace(event, event_id="e2", user_id=0),
        replace(event, event_id="e3", item_id=0, occurred_at=NOW + timedelta(days=2)),
    ]
    with pytest.raises(InputError) as refused:
        do_record_events(events=batch, scope="client:1")
    assert [error.field for error in refused.value.errors] == ["[1].user", "[2].item", "[2].occurred_at"]
    assert not Interaction.objects.exists()
    assert not EventReceipt.objects.exists()


def test_every_stored_event_is_captured_and_no_other(event):
    OutboxRow.objects.all().delete()
    do_record_events(events=[event, event], scope="client:1")
    do_record_events(events=[event], scope="client:1")
    [row] = OutboxRow.objects.filter(aggregatetype="events.interaction")
    assert row.payload["item_id"] == event.item_id
    assert row.payload["region"] == "GB"


def test_nothing_to_record():
    assert do_record_events(events=[], scope="client:1") == RecordResult(0, 0)


def test_takes_a_fixed_number_of_queries_however_many_events(event, django_assert_num_queries):
    batch = [replace(event, event_id=f"e{number}") for number in range(500)]
    do_record_events(events=batch[:1], scope="client:1")  # which makes the partition
    # Receipts, users, items, what is hidden, partitions, a savepoint's two, receipts, interactions.
    with django_assert_num_queries(9):
        assert do_record_events(events=batch, scope="client:1") == RecordResult(accepted=499, duplicates=1)


def test_old_receipts_are_pruned_and_young_ones_kept(event, settings):
    settings.EVENT_RECEIPT_RETENTION_DAYS = 30
    do_record_events(events=[event, replace(event, event_id="e2")], scope="client:1")
    EventReceipt.objects.filter(event_id="e1").update(received_at=NOW - timedelta(days=31))
    assert do_prune_receipts() == 1
    assert EventReceipt.objects.get().event_id == "e2"


@pytest.mark.django_db(transaction=True)
def test_the_same_batches_at_once_neither_deadlock_nor_count_twice(event):
    batch = [replace(event, event_id=f"e{number}") for number in range(300)]
    results: list[RecordResult] = []
    barrier = threading.Barrier(4)

    def record(events: list[EventInput]) -> None:
        try:
            barrier.wait()
            results.append(do_record_events(events=events, scope="client:1"))
        finally:
            connections.close_all()

    threads = [threading.Thread(target=record, args=(batch[::step],)) for step in (1, -1, 1, -1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(result.accepted for result in results) == 300
    assert sum(result.duplicates for result in results) == 900
    assert Interaction.objects.count() == 300


@pytest.mark.parametrize("age", [timedelta(days=-30), timedelta(days=365 * 30)], ids=["ahead", "before retention"])
def test_a_repetition_is_recognised_even_by_a_time_that_no_new_event_could_have(event, age):
    do_record_events(events=[event], scope="client:1")
    batch = [replace(event, occurred_at=NOW - age), replace(event, event_id="e2")]
    assert do_record_events(events=batch, scope="client:1") == RecordResult(accepted=1, duplicates=1)
    with pytest.raises(InputError, match=r"\[1\]\.occurred_at"):
        do_record_events(events=[batch[0], replace(batch[0], event_id="e3")], scope="client:1")
