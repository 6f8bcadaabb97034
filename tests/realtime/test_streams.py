from __future__ import annotations

import pytest
import redis
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from realtime import scripts, streams, tokens
from realtime.keys import HISTORY, MOST_PRESENT, PRESENCE, PRESENCE_TTL, PRESENT, STREAM, STREAM_TTL
from realtime.scripts import Position
from realtime.valkey import get_client


def event(n: int) -> dict:
    return {"type": "test", "n": n}


def numbers(recovery: streams.Recovery) -> list[int]:
    return [found["n"] for found in recovery.events]


def test_what_was_appended_since_a_position_is_read_in_order():
    token = streams.positions(["a", "b"])
    streams.append([("a", event(1)), ("b", event(2)), ("a", event(3))])
    recovery = streams.read(["a", "b"], token)
    assert not recovery.resync
    assert numbers(recovery) == [1, 3, 2]
    assert streams.read(["a", "b"], recovery.token) == streams.Recovery([], recovery.token, False)


def test_the_order_of_names_does_not_matter_and_names_may_go():
    token = streams.positions(["a", "b"])
    streams.append([("b", event(1))])
    assert numbers(streams.read(["b", "a"], token)) == [1]
    assert numbers(streams.read(["b"], token)) == [1]


def test_a_stream_that_nobody_asked_for_takes_nothing(valkey):
    streams.append([("quiet", event(1))])
    assert not valkey.exists(STREAM.key(name="quiet"))


def test_the_streams_that_somebody_has_asked_for_exist():
    assert streams.existing(["a", "b"]) == set()
    streams.positions(["a"])
    assert streams.existing(["a", "b"]) == {"a"}
    assert streams.existing([]) == set()


def test_who_holds_a_position_in_a_forgotten_stream_is_told_to_load_anew():
    token, other = streams.positions(["a"]), streams.positions(["b"])
    streams.forget(["a", "never"])
    streams.forget([])
    assert streams.existing(["a", "b"]) == {"b"}
    assert streams.read(["a"], token).resync
    assert not streams.read(["b"], other).resync


def test_a_name_that_came_in_since_is_a_resync():
    token = streams.positions(["a"])
    assert streams.read(["a", "b"], token).resync


def test_history_is_bounded_and_what_fell_out_is_a_resync(valkey):
    old = streams.positions(["a"])
    streams.append([("a", event(0))])
    edge = streams.read(["a"], old).token
    streams.append_to_all(["a"] * HISTORY, event(7))
    assert valkey.xlen(STREAM.key(name="a")) == HISTORY
    assert len(streams.read(["a"], edge).events) == HISTORY, "exactly what the history holds"
    gone = streams.read(["a"], old)
    assert (gone.resync, gone.events) == (True, [])
    assert streams.read(["a"], gone.token) == streams.Recovery([], gone.token, False)


def test_a_hole_is_a_resync(valkey):
    token = streams.positions(["a"])
    streams.append([("a", event(n)) for n in range(3)])
    second = valkey.xrange(STREAM.key(name="a"))[2][0]
    valkey.xdel(STREAM.key(name="a"), second)
    assert streams.read(["a"], token).resync


@pytest.mark.parametrize("lose", ["flushdb", "delete", "expire"])
def test_a_lost_stream_is_a_resync_even_where_the_new_one_is_as_long(valkey, lose):
    token = streams.positions(["a"])
    streams.append([("a", event(1))])
    key = STREAM.key(name="a")
    if lose == "flushdb":
        valkey.flushdb()
    elif lose == "delete":
        valkey.delete(key)
    else:
        valkey.pexpire(key, 0)
    streams.positions(["a"])
    streams.append([("a", event(2))])
    recovery = streams.read(["a"], token)
    assert (recovery.resync, recovery.events) == (True, [])


@pytest.mark.parametrize(
    "token",
    ["", "nonsense", "a", "a=", "a=1", "a=1.", "a=.1", "a=x.y", "a=-1.5", "a=1.5~", "a=٣.١", "a=1." + "9" * 40_000],
)
def test_a_token_that_is_none_is_a_resync(token):
    assert streams.read(["a"], token).resync


def test_a_position_ahead_of_the_stream_is_a_resync():
    """As after a failover to a replica that had not got everything."""
    (position,) = tokens.decode(streams.positions(["a"])).values()
    assert streams.read(["a"], tokens.encode({"a": Position(position.epoch, position.offset + 5)})).resync


def test_the_same_offset_of_another_epoch_is_a_resync():
    """A stream that was lost and made anew may have come as far as the lost one had."""
    position = (tokens.decode(streams.positions(["a"])) or {})["a"]
    for epoch in (position.epoch - 1, position.epoch + 1):
        assert streams.read(["a"], tokens.encode({"a": Position(epoch, position.offset)})).resync


def test_one_event_for_many_streams():
    names = [f"many:{n}" for n in range(250)]
    token = streams.positions(names)
    streams.append_to_all(names, event(1))
    assert numbers(streams.read(names, token)) == [1] * 250


def test_streams_live_as_long_as_somebody_asks_for_them(valkey):
    streams.positions(["a"])
    assert 0 < valkey.ttl(STREAM.key(name="a")) <= STREAM_TTL
    valkey.expire(STREAM.key(name="a"), 10)
    streams.append([("a", event(1))])
    assert valkey.ttl(STREAM.key(name="a")) <= 10, "writing is no interest"
    streams.read(["a"], "")
    assert valkey.ttl(STREAM.key(name="a")) > 10


def test_only_processes_that_are_present_are_woken_and_each_once(valkey, monkeypatch):
    streams.positions(["a", "b", "c"])
    now = valkey.time()[0]
    valkey.zadd(PRESENCE.key(name="a"), {"one": now + 100, "gone": now - 1})
    valkey.zadd(PRESENCE.key(name="b"), {"one": now + 100, "two": now + 100})
    with valkey.pubsub() as pubsub:
        pubsub.psubscribe("*hub.*")
        assert pubsub.get_message(timeout=5)["type"] == "psubscribe"
        streams.append([("a", event(1)), ("b", event(2)), ("c", event(3))])
        heard = [pubsub.get_message(timeout=5)["channel"].decode() for _ in range(2)]
        assert [channel.rpartition(".")[2] for channel in sorted(heard)] == ["one", "two"]
        assert pubsub.get_message(timeout=0.1) is None


def visit(process: str, *names: str) -> None:
    """Read streams as the hub of a socket server does."""
    get_client().eval(*scripts.read_arguments([(name, None) for name in names], process))


def expire_presence(valkey: redis.Redis, *names: str) -> None:
    """Let the presence in these streams have ended a second ago."""
    now = valkey.time()[0]
    valkey.zadd(PRESENT.key(), dict.fromkeys(names, now - 1))


@pytest.mark.parametrize("whole_up_to", [0, 1000], ids=["by name", "all of them"])
def test_streams_with_readers_are_known_in_bulk(valkey, monkeypatch, whole_up_to):
    monkeypatch.setattr(streams, "WHOLE_UP_TO", whole_up_to)
    monkeypatch.setattr(streams, "MEMBERS_PER_CALL", 3)
    visit("one", *(f"user:{n}" for n in range(10)))
    visit("two", "user:3", "author:7.x_-")
    expire_presence(valkey, "user:4", "user:5")
    streams.positions(["user:11"])  # a page that asks, and no socket
    found = streams.with_readers([*(f"user:{n}" for n in range(3, 13)), "author:7.x_-"])
    assert found == {"user:3", "user:6", "user:7", "user:8", "user:9", "author:7.x_-"}
    assert streams.with_readers([]) == set()


def test_it_takes_the_way_that_is_shorter(valkey, monkeypatch):
    visit("one", *(f"user:{n}" for n in range(10)))
    calls = lambda: {name: valkey.info("commandstats").get(f"cmdstat_{name}") for name in ("zmscore", "zrange")}  # noqa: E731
    valkey.config_resetstat()
    assert streams.with_readers([f"user:{n}" for n in range(9, 100)]) == {"user:9"}
    assert calls()["zmscore"] is None
    valkey.config_resetstat()
    assert streams.with_readers(["user:9", "user:10"]) == {"user:9"}
    assert calls()["zrange"] is None
    assert calls()["zmscore"]["calls"] == 1


def test_what_is_known_of_readers_can_be_lost_and_comes_back(valkey):
    visit("one", "a")
    valkey.flushdb()
    assert streams.with_readers(["a"]) == set()
    visit("one", "a")
    assert streams.with_readers(["a"]) == {"a"}


def test_streams_with_readers_run_out(valkey):
    names = [f"old:{n}" for n in range(10)]
    visit("one", *names)
    assert 0 < valkey.ttl(PRESENT.key()) <= PRESENCE_TTL
    expire_presence(valkey, *names)
    for n in range(5):
        visit("one", "a", "b")
        assert valkey.zcard(PRESENT.key()) == 2 + max(0, 10 - 4 * (n + 1)), "a call clears a few, so that none is long"
    assert streams.with_readers([*names, "a"]) == {"a"}


def test_streams_with_readers_are_bounded_and_the_oldest_go(valkey, monkeypatch):
    assert MOST_PRESENT <= 200_000
    monkeypatch.setattr(scripts, "MOST_PRESENT", 5)
    visit("one", *(f"first:{n}" for n in range(4)))
    valkey.zadd(PRESENT.key(), {"first:2": valkey.time()[0] + 1})
    visit("one", "second:1", "second:2")
    assert valkey.zcard(PRESENT.key()) == 5
    assert streams.with_readers([f"first:{n}" for n in range(4)]) == {"first:0", "first:1", "first:3"}
    visit("one", *(f"third:{n}" for n in range(9)))
    assert valkey.zcard(PRESENT.key()) == 5


@pytest.mark.parametrize("name", ["", "a b", "a~b", "a=b", "x" * 101, "a\n"])
def test_a_bad_name_is_an_error(name):
    with pytest.raises(ValueError, match="stream's name"):
        streams.append([(name, event(1))])


@pytest.mark.parametrize(
    ("bad", "words"), [({}, "type"), ({"type": 1}, "type"), ({"type": "t", "x": "x" * 40_000}, "at most")]
)
def test_a_bad_event_is_an_error(bad, words):
    streams.positions(["a"])
    with pytest.raises(ValueError, match=words):
        streams.append([("a", bad)])


def test_a_position_over_too_many_streams_is_an_error():
    with pytest.raises(ValueError, match="501"):
        streams.positions([f"n{n}" for n in range(501)])


NAMES = ["x", "y", "z"]


class Reading(RuleBasedStateMachine):
    """Readers who load the data now and then, and otherwise live on what the streams give them.

    The data are sets of numbers, one for each name. Whatever is appended, trimmed or lost, a reader who has just caught
    up knows all the data that there are for its names.
    """

    @initialize()
    def begin(self) -> None:
        get_client().flushdb()
        self.data: dict[str, set[int]] = {name: set() for name in NAMES}
        self.next = 0
        self.names: dict[int, list[str]] = {}
        self.tokens: dict[int, str] = {}
        self.known: dict[int, set[int]] = {}

    def load(self, reader: int, token: str) -> None:
        """What a page does on "resync": the position is older than the data, which may change in between."""
        self.tokens[reader] = token
        self.known[reader] = set().union(*(self.data[name] for name in self.names[reader]))

    @rule(reader=st.integers(0, 2), names=st.sets(st.sampled_from(NAMES), min_size=1))
    def arrive(self, reader, names) -> None:
        self.names[reader] = sorted(names)
        token = streams.positions(self.names[reader])
        self.write(self.names[reader][0], 1)  # between the position and the data
        self.load(reader, token)

    @rule(name=st.sampled_from(NAMES), count=st.sampled_from([1, 2, HISTORY, HISTORY + 1]))
    def write(self, name, count) -> None:
        fresh = range(self.next, self.next + count)
        self.next += count
        self.data[name].update(fresh)
        streams.append([(name, {"type": "test", "n": n}) for n in fresh])

    @rule(reader=st.integers(0, 2))
    def catch_up(self, reader) -> None:
        if reader not in self.names:
            return
        recovery = streams.read(self.names[reader], self.tokens[reader])
        if recovery.resync:
            self.load(reader, recovery.token)
        else:
            self.tokens[reader] = recovery.token
            self.known[reader].update(numbers(recovery))
        for name in self.names[reader]:
            assert self.data[name] <= self.known[reader]

    @rule(reader=st.integers(0, 2), name=st.sampled_from(NAMES))
    def follow(self, reader, name) -> None:
        if reader in self.names:
            self.names[reader] = sorted({*self.names[reader], name})

    @rule(name=st.sampled_from(NAMES))
    def lose_a_stream(self, name) -> None:
        get_client().delete(STREAM.key(name=name))

    @rule()
    def lose_everything(self) -> None:
        get_client().flushdb()

    @invariant()
    def histories_are_bounded(self) -> None:
        for name in NAMES:
            assert get_client().xlen(STREAM.key(name=name)) <= HISTORY


def test_a_reader_knows_all_or_is_told_to_reload():
    run_state_machine_as_test(
        Reading,
        settings=settings(
            max_examples=40,
            stateful_step_count=25,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            database=None,
        ),
    )
