"""Live news of recommendations: who may follow them, what is new, and what is recommended no more."""

from __future__ import annotations

import pytest

from feeds.graph import do_block, do_mute, do_unblock
from realtime import scripts, streams
from realtime.subscriptions import Grant, Request, grants
from realtime.valkey import get_client
from recsys.accounts.models import User
from recsys.catalog.actions import do_delete_item
from recsys.catalog.models import Item
from recsys.experiments.models import Exposure
from recsys.outbox.keys import PACE
from recsys.outbox.models import OutboxRow
from recsys.recommend import engine, news
from recsys.recommend.models import ModelVersion, Slate
from recsys.recommend.news import merge_retracted, stream_of
from tests.catalog.makers import make_item, make_items, make_user
from tests.events.makers import did

pytestmark = pytest.mark.django_db


def look_on(*readers: User) -> None:
    """As a socket server does for the readers who are connected to it."""
    wanted = [(stream_of(reader.pk), None) for reader in readers]
    get_client().eval(*scripts.read_arguments(wanted, "a socket server"))


def told(reader: User, position: str) -> list[dict]:
    recovery = streams.read([stream_of(reader.pk), news.EVERYBODY], position)
    assert not recovery.resync
    return recovery.events


def of_type(kind: str, events: list[dict]) -> list[dict]:
    return [event for event in events if event["type"] == f"recommendations.{kind}"]


@pytest.fixture
def reader() -> User:
    """Somebody who looks on."""
    reader = make_user(region="GB")
    look_on(reader)
    return reader


def test_it_is_for_the_reader_alone():
    reader, other = make_user(), make_user()
    asked = [Request(reader.pk), Request(None), Request(reader.pk, str(other.pk)), Request(other.pk, "x")]
    assert grants("recommendations", asked) == [Grant([stream_of(reader.pk), "catalog"]), None, None, None]


class TestNew:
    def test_what_the_reader_does_brings_what_would_be_recommended_now(self, reader, drain_outbox):
        items = make_items(30)
        shown = engine.recommend(user=reader, region="GB", count=news.RAIL)
        drain_outbox()
        position = news.position_of(reader.pk)
        did(reader, "click", shown.entries[0].item)
        drain_outbox()
        (event,) = of_type("new", told(reader, position))
        now = [
            [entry.item.pk for entry in engine.recommend(user=reader, region="GB", count=n).entries] for n in (5, 24)
        ]
        assert [event["rail"], event["page"]] == now
        before = {entry.item.pk for entry in shown.entries}
        assert event["count"] == len(set(event["rail"]) - before) == 1
        assert {one.pk for one in items} > before

    def test_it_leaves_no_slate_and_no_exposure(self, reader, drain_outbox):
        make_items(10)
        did(reader, "like", make_item())
        drain_outbox()
        assert not Slate.objects.exists()
        assert not Exposure.objects.exists()

    def test_at_most_once_in_a_span_and_never_without_the_last_change(self, reader, drain_outbox, valkey):
        items = make_items(10)
        position = news.position_of(reader.pk)
        for item in items[:3]:
            did(reader, "click", item)
            drain_outbox()
        assert len(of_type("new", told(reader, position))) == 1
        valkey.delete(PACE.key(topic=news.TOPIC, key=reader.pk))
        OutboxRow.objects.update(leased_until="2020-01-01T00:00:00Z")
        drain_outbox()
        *_, last = of_type("new", told(reader, position))
        assert not {item.pk for item in items[:3]} & set(last["page"])

    def test_nothing_is_found_out_for_who_does_not_look_on_and_their_positions_end(self, drain_outbox, monkeypatch):
        monkeypatch.setattr(engine, "would_recommend", None)
        away = make_user()
        position = news.position_of(away.pk)
        did(away, "click", make_item())
        drain_outbox()
        assert streams.read([stream_of(away.pk), news.EVERYBODY], position).resync

    def test_a_promoted_model_is_for_all_who_look_on(self, reader, drain_outbox):
        make_items(10)
        others = make_user(), make_user()
        for one in (reader, *others):
            engine.recommend(user=one, region="", count=5)
        drain_outbox()
        ModelVersion.objects.create(kind="cf", status="candidate")
        ModelVersion.objects.update(status="retired")
        drain_outbox()
        waiting = OutboxRow.objects.filter(aggregatetype=news.TOPIC)
        assert [row.aggregateid for row in waiting] == [str(reader.pk)]


class TestRetracted:
    def test_what_the_reader_hides_or_rates_badly_until_they_take_it_back(self, reader, drain_outbox):
        hidden, rated, liked, back = make_items(4)
        position = news.position_of(reader.pk)
        did(reader, "hide", hidden)
        did(reader, "rate", rated, value=1)
        did(reader, "like", liked)
        did(reader, "hide", back)
        did(reader, "like", back)
        drain_outbox()
        (event,) = of_type("retracted", told(reader, position))
        assert event == {"type": "recommendations.retracted", "items": [hidden.pk, rated.pk]}

    @pytest.mark.parametrize("change", ["delete", "switch off", "withhold", "raw"])
    def test_what_is_withdrawn_is_from_everybody(self, reader, drain_outbox, change):
        item, other = make_items(2)
        drain_outbox()
        position = news.position_of(reader.pk)
        if change == "delete":
            do_delete_item(item=item)
        elif change == "raw":
            Item.objects.filter(pk=item.pk)._raw_delete("default")
        else:
            Item.objects.filter(pk=item.pk).update(
                **{"is_available": False} if change == "switch off" else {"is_withheld": True}
            )
        Item.objects.filter(pk=other.pk).update(title="Another title")
        drain_outbox()
        assert told(reader, position) == [{"type": "recommendations.retracted", "items": [item.pk]}]

    @pytest.mark.parametrize("deed", ["block", "be blocked", "mute"])
    def test_what_somebody_apart_made_as_far_as_it_was_shown(self, reader, drain_outbox, deed):
        maker = make_user()
        shown, never_shown = make_item(creator=maker), make_item(creator=maker, is_available=False)
        make_items(3)
        engine.recommend(user=reader, region="GB", count=10)
        drain_outbox()
        position = news.position_of(reader.pk)
        if deed == "mute":
            do_mute(muter=reader, muted=maker)
        else:
            blocker, blocked = (reader, maker) if deed == "block" else (maker, reader)
            do_block(blocker=blocker, blocked=blocked)
        drain_outbox()
        assert of_type("retracted", told(reader, position)) == [
            {"type": "recommendations.retracted", "items": [shown.pk]}
        ]
        assert never_shown.pk != shown.pk

    def test_a_block_that_is_over_already_retracts_nothing(self, reader, drain_outbox):
        maker = make_user()
        make_item(creator=maker)
        engine.recommend(user=reader, region="GB", count=10)
        drain_outbox()
        position = news.position_of(reader.pk)
        do_block(blocker=reader, blocked=maker)
        do_unblock(blocker=reader, blocked=maker)
        drain_outbox()
        assert not of_type("retracted", told(reader, position))

    def test_many_become_one(self):
        events = [{"type": "recommendations.retracted", "items": items} for items in ([1, 2], [2, 3])]
        assert merge_retracted(events) == {"type": "recommendations.retracted", "items": [1, 2, 3]}
        many = [{"type": "recommendations.retracted", "items": list(range(news.NAMED))}, events[0]]
        assert merge_retracted([*many, many[0]])["items"][-1] == news.NAMED - 1
        assert len(merge_retracted([many[0], {"type": "recommendations.retracted", "items": [10**6]}])["items"]) == 1000
