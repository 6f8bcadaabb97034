"""The scripts that run inside Valkey, and their arguments and answers. Pure: no connection is made here.

A stream is a Valkey stream whose ids are `<epoch>-<offset>`. The epoch is the time in microseconds at which the stream
was created, and offsets count up from 0, an entry without an event that marks the beginning. So a stream that was lost
and made anew has another epoch, and a reader who holds `epoch-5` can catch up exactly when the stream still holds each
of the entries from `epoch-6` to its last one.

Scripts are sent by text (EVAL): the server keeps them compiled, and a server that was restarted needs no special care.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, NamedTuple, TypeVar

from realtime.bounds import bounds_of
from realtime.keys import MOST_PRESENT, PRESENCE, PRESENCE_TTL, PRESENT, STREAM

_NAME_AT = len(STREAM.key(name="")) + 1  # where, counting from 1 as Lua does, a stream's key holds its name
# Scripts over more keys hold up everybody else for milliseconds.
STREAMS_PER_CALL = 100

# Only a stream that exists gets the event: where there is none, nobody holds a position, and whoever asks for one
# later reads the data afterwards. So readers who are not there cost neither memory nor writes. The answer names the
# streams that exist, by their places, each with the id of its new entry; who has readers of them is asked in a second
# step, because for most of the many streams that a fan-out names the answer is none, and each further key costs as much
# as the stream. For the same reason all of them are first asked for together, in a command that takes no longer than
# looking at a few of them by name.
APPEND = """
local shared, appended = #ARGV == 2, {}
if redis.call('EXISTS', unpack(KEYS)) == 0 then
    return appended
end
for i, key in ipairs(KEYS) do
    local last = redis.call('XREVRANGE', key, '+', '-', 'COUNT', 1)[1]
    if last then
        local epoch = string.match(last[1], '^%d+')
        appended[#appended + 1] = i - 1
        appended[#appended + 1] =
            redis.call('XADD', key, 'MAXLEN', ARGV[1], epoch .. '-*', 'e', ARGV[shared and 2 or i + 1])
    end
end
return appended
"""
# The socket servers that have readers of each stream: pairs of a stream's place and a process.
READERS = """
local now, readers = redis.call('TIME')[1], {}
for i, key in ipairs(KEYS) do
    for _, process in ipairs(redis.call('ZRANGE', key, now, '+inf', 'BYSCORE')) do
        readers[#readers + 1] = i - 1
        readers[#readers + 1] = process
    end
end
return readers
"""

# Reading is an interest in the stream: it creates a missing one, prolongs its life and, for a socket server, says
# that it has readers. The answer for each stream is {last id}, {last id, entries} or {last id, 0} for "not whole".
# The set of all streams with readers loses at each call more of its oldest than the call can add, so that it stays
# within its bound without ever being cleared at length.
READ = """
local process, n = ARGV[1], (#ARGV - 4) / 2
local time = redis.call('TIME')
local answer, present = {}, {}
for i = 1, n do
    local key, from, ttl = KEYS[i], ARGV[2 * i + 3], ARGV[2 * i + 4]
    local last = redis.call('XREVRANGE', key, '+', '-', 'COUNT', 1)[1]
    last = last and last[1]
    if not last then
        last = string.format('%d%06d-0', time[1], time[2])
        redis.call('XADD', key, last, 'o', '')
    end
    redis.call('EXPIRE', key, ttl)
    if process ~= '' then
        local presence = KEYS[n + i]
        redis.call('ZREMRANGEBYSCORE', presence, '-inf', '(' .. time[1])
        redis.call('ZADD', presence, time[1] + ARGV[2], process)
        redis.call('EXPIRE', presence, ARGV[2])
        present[#present + 1] = time[1] + ARGV[2]
        present[#present + 1] = string.sub(key, ARGV[4])
    end
    answer[i] = {last}
    if from ~= '' and from ~= last then
        local epoch, offset = string.match(from, '^(%d+)%-(%d+)$')
        local newest_epoch, newest = string.match(last, '^(%d+)%-(%d+)$')
        local missing = newest - offset
        local events = {}
        if epoch == newest_epoch and missing > 0 then
            for _, entry in ipairs(redis.call('XRANGE', key, '(' .. from, '+')) do
                events[#events + 1] = entry[2][2]
            end
        end
        answer[i][2] = (epoch == newest_epoch and #events == missing) and events or 0
    end
end
if process ~= '' and n > 0 then
    local all = KEYS[2 * n + 1]
    redis.call('ZADD', all, unpack(present))
    local gone = math.min(redis.call('ZCOUNT', all, '-inf', '(' .. time[1]), 2 * n)
    gone = math.max(gone, redis.call('ZCARD', all) - ARGV[3])
    if gone > 0 then
        redis.call('ZREMRANGEBYRANK', all, 0, gone - 1)
    end
    redis.call('EXPIRE', all, ARGV[2])
end
return answer
"""

# Part of the streams with readers, from a rank to a rank, as one text: the client takes lists apart item by item.
PRESENT_PART = "return table.concat(redis.call('ZRANGE', KEYS[1], ARGV[1], ARGV[2]), ' ')"


class Position(NamedTuple):
    """Up to where a stream was read. `None` instead of a Position stands for "wherever it is now"."""

    epoch: int
    offset: int

    @classmethod
    def parse(cls, text: str) -> Position:
        """From `<epoch>-<offset>`; ValueError where it is not that."""
        epoch, _, offset = text.partition("-")
        return cls(int(epoch), int(offset))


Wanted = tuple[str, Position | None]  # a stream, and from where


@dataclass(frozen=True, slots=True)
class StreamRead:
    """What a stream had after the position asked for: JSON texts of events, or `None` where they are not all there."""

    position: Position
    events: list[bytes] | None


def append_arguments(names: Sequence[str], events: Sequence[bytes], history: int) -> list[Any]:
    """Arguments of EVAL: `events` are one for each name, or a single one for all of them; streams keep `history`."""
    return [APPEND, len(names), *STREAM.keys(names), history, *events]


def append_answer(
    names: Sequence[str], events: Sequence[bytes], answer: Sequence[Any]
) -> Iterator[tuple[str, Position, bytes]]:
    """Each stream that was there, with the position of its new event, and the event."""
    for place, entry in zip(answer[::2], answer[1::2], strict=True):
        yield names[place], Position.parse(entry.decode()), events[place if len(events) > 1 else 0]


def readers_arguments(names: Sequence[str]) -> list[Any]:
    """Arguments of EVAL that asks for the socket servers with readers of these streams."""
    return [READERS, len(names), *PRESENCE.keys(names)]


def readers_answer(names: Sequence[str], answer: Sequence[Any]) -> Iterator[tuple[str, str]]:
    """Pairs (socket server process, stream) that are to be woken."""
    for index, process in zip(answer[::2], answer[1::2], strict=True):
        yield process.decode(), names[index]


def read_arguments(wanted: Sequence[Wanted], process: str = "") -> list[Any]:
    """Arguments of EVAL: the streams with the positions to read from, and the socket server that reads, if one does."""
    names = [name for name, _ in wanted]
    keys = [*_keys(names), PRESENT.key()] if process else STREAM.keys(names)
    about = (one for name, position in wanted for one in (_id(position), bounds_of(name).ttl))
    return [READ, len(keys), *keys, process, PRESENCE_TTL, MOST_PRESENT, _NAME_AT, *about]


def read_answer(answer: Iterable[Any]) -> list[StreamRead]:
    """What was read of each stream, in the order in which they were asked for."""
    return [
        StreamRead(Position.parse(found[0].decode()), [] if len(found) == 1 else (found[1] if found[1] != 0 else None))
        for found in answer
    ]


def present_arguments(rank: int, members: int) -> list[Any]:
    """Arguments of EVAL: `members` of the streams with readers, from `rank` on."""
    return [PRESENT_PART, 1, PRESENT.key(), rank, rank + members - 1]


def present_answer(answer: bytes) -> list[str]:
    return answer.decode().split()


T = TypeVar("T")


def chunks(items: Iterable[T], size: int = STREAMS_PER_CALL) -> Iterator[list[T]]:
    iterator = iter(items)
    while chunk := list(islice(iterator, size)):
        yield chunk


def _keys(names: Sequence[str]) -> list[str]:
    return STREAM.keys(names) + PRESENCE.keys(names)


def _id(position: Position | None) -> str:
    return f"{position.epoch}-{position.offset}" if position else ""
