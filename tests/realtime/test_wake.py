"""What wake-ups tell, and that readers get everything once whatever comes of them."""

from __future__ import annotations

import pytest
from asgiref.sync import sync_to_async

from realtime import hub, streams, wake
from realtime.hub import Hub
from realtime.scripts import Position, StreamRead
from realtime.wake import Appended, Told, told
from tests.realtime.conftest import append, opened
from tests.realtime.test_consumers import subscribed

pytestmark = pytest.mark.django_db(transaction=True)


def appended(*events: tuple[int, bytes], epoch: int = 7) -> Appended:
    (first, event), *others = events
    found = Appended(Position(epoch, first), event)
    for offset, other in others:
        found.add(Position(epoch, offset), other)
    return found


def message_of(**news: Appended) -> dict[str, object]:
    return {"streams": list(news), "told": dict(wake._told(news, news))}


def test_a_wake_up_tells_what_was_appended():
    message = message_of(a=appended((4, b"x"), (5, b"y")))
    assert told(message) == {"a": Told(Position(7, 3), StreamRead(Position(7, 5), [b"x", b"y"]))}


def test_what_somebody_else_appended_to_in_between_is_not_told():
    assert told(message_of(a=appended((4, b"x"), (6, b"y")), b=appended((1, b"z")))).keys() == {"b"}
    assert told(message_of(a=appended((4, b"x"), (5, b"y"), (5, b"z")))) == {}


def test_what_is_much_is_not_told():
    half = b"x" * (wake.MOST_TOLD // 2)
    assert told(message_of(a=appended((1, half)), b=appended((1, half + b"x")), c=appended((1, half)))).keys() == {
        "a", "c"
    }  # fmt: skip


def test_a_wake_up_of_a_process_that_tells_nothing_yet_is_one_all_the_same():
    assert told({"streams": ["a"]}) == {}


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """The streams that the hub has read, each time."""
    found: list[list[str]] = []
    read = Hub._read

    async def _read(self, wanted):
        found.append(list(wanted))
        return await read(self, wanted)

    monkeypatch.setattr(Hub, "_read", _read)
    monkeypatch.setattr(hub, "CHECK_INTERVAL", 60)
    return found


async def test_what_was_told_is_not_asked_for(session, names, reads):
    async with opened(session) as socket:
        position = await subscribed(socket)
        await append("news:1", n=0)
        await socket.hear()
        reads.clear()
        for n in range(1, 4):
            await append("news:1", n=n)
            frame = await socket.hear()
            assert frame["events"] == [{"type": "test", "n": n}]
        assert reads == []
        recovery = await sync_to_async(streams.read)(names, position)
        assert frame["position"] == recovery.token


@pytest.mark.parametrize("wrong", ["lost", "late", "twice", "of another epoch", "in two parts"])
async def test_whatever_comes_of_wake_ups_everything_comes_once(session, names, reads, monkeypatch, wrong):
    kept: list[object] = []
    hear = Hub._hear

    def _hear(self, message):
        if "news:1" not in message["streams"]:
            return
        if wrong in ("lost", "late") and not kept:
            kept.append(message)
            return
        if wrong == "of another epoch":
            message["told"]["news:1"][0] += 1
        if wrong == "in two parts":
            hear(self, message)
            message = {"streams": message["streams"]}
        hear(self, message)
        if wrong == "twice":
            hear(self, message)
        if wrong == "late":
            hear(self, kept[0])

    async with opened(session) as socket:
        await subscribed(socket)
        await append("news:1", n=0)
        await socket.hear()
        monkeypatch.setattr(Hub, "_hear", _hear)
        for n in range(1, 5):
            await append("news:1", n=n)
        numbers: list[int] = []
        while len(numbers) < 4:
            numbers += [event["n"] for event in (await socket.hear())["events"]]
        assert numbers == [1, 2, 3, 4]
        assert await socket.receive_nothing(0.2)
    assert reads or wrong == "twice"


async def test_what_was_told_before_something_else_was_read_does_not_take_readers_back(session, names, reads):
    async with opened(session) as socket:
        await subscribed(socket)
        await append("news:1", n=0)
        await socket.hear()
        one = Hub.of_running_loop()
        stream = one._streams["news:1"]
        before = stream.position
        await append("news:1", n=1)
        assert [event["n"] for event in (await socket.hear())["events"]] == [1]
        after = stream.position
        late = {"streams": ["news:1"], "told": {"news:1": [*before, [b'{"type":"test","n":0}']]}}
        one._hear(late)
        assert await socket.receive_nothing(0.2)
        assert stream.position == after
