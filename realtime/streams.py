"""Named streams of events to browsers, recoverable by position: the synchronous interface for workers and views.

    token = streams.positions(names)     # before the data is read
    …read and render the data…           # what changes meanwhile comes after `token`: seen twice perhaps, never missed
    recovery = streams.read(names, token)

An event is a JSON object with a "type". Who may read which stream is decided elsewhere (`subscriptions.py`).
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import orjson
import redis
from prometheus_client import Counter

from realtime import tokens, wake
from realtime.bounds import bounds_of
from realtime.keys import PRESENT, STREAM
from realtime.scripts import (
    Position,
    T,
    append_answer,
    append_arguments,
    chunks,
    present_answer,
    present_arguments,
    read_answer,
    read_arguments,
    readers_answer,
    readers_arguments,
)
from realtime.valkey import Trip, get_client
from realtime.wake import Appended

CALLS_PER_TRIP = 10
MEMBERS_PER_CALL = 1000  # of the set of streams with readers: answered in a fraction of a millisecond
WHOLE_UP_TO = 4  # members for each name asked for: up to there, reading all of them is the quicker way
MAX_STREAMS = 500  # in one position
MAX_EVENT = 31 * 1024  # bytes of JSON: with a position, it fits a message
APPENDS = Counter("tributary_stream_appends", "Events appended to streams, once for each stream that exists.")
_NAME = re.compile(r"[A-Za-z0-9_:.-]{1,100}\Z")
_NAMES = re.compile(r"[A-Za-z0-9_:.-]{1,100}(?:\n[A-Za-z0-9_:.-]{1,100})*\Z")


@dataclass(frozen=True)
class Recovery:
    """All that happened since a position, or `resync`: then the reader loads the data anew and goes on from `token`."""

    events: list[dict[str, Any]]
    token: str
    resync: bool


def append(events: Iterable[tuple[str, dict[str, Any]]]) -> None:
    """Append events to streams, given as pairs (stream, event), and wake the socket servers that have readers of them.

    A stream that nobody has asked for within its time to live is not there and stays so: nobody can miss the event.
    Raises redis.RedisError where Valkey cannot be reached (some may have been appended: repeating is harmless).
    """
    pairs = ((name, _dump(event)) for name, event in events)
    _append(
        (history, _check([name for name, _ in part]), [event for _, event in part])
        for chunk in chunks(pairs)
        for history, part in _by_history(chunk, lambda pair: pair[0])
    )


def append_to_all(names: Iterable[str], event: dict[str, Any]) -> None:
    """Append one event to each of many streams; otherwise as `append`."""
    dumped = _dump(event)
    _append(
        (history, _check(part), [dumped])
        for chunk in chunks(names)
        for history, part in _by_history(chunk, lambda name: name)
    )


def positions(names: Sequence[str]) -> str:
    """The token of the current positions of all these streams. Take it before the data is read."""
    trip = Trip()
    token = ask_positions(trip, names)
    trip.go()
    return token()


def ask_positions(trip: Trip, names: Sequence[str]) -> Callable[[], str]:
    """`positions` in a trip together with what is read afterwards; ask for the token when it is over."""
    answers = _ask(trip, dict.fromkeys(names))
    return lambda: tokens.encode_ids((name, found[0]) for name, found in answers().items())


def read(names: Sequence[str], token: str) -> Recovery:
    """Everything that was appended to the streams `names` since `token`, in the order of each stream, or a resync.

    A token that lacks one of the names (it is from before a follow, say) is answered with a resync too.
    """
    known = tokens.decode(token) or {}
    trip = Trip()
    answers = _ask(trip, {name: known.get(name) for name in names})
    trip.go()
    found = dict(zip(answers(), read_answer(answers().values()), strict=True))
    current = tokens.encode({name: part.position for name, part in found.items()})
    if any(name not in known for name in names) or any(part.events is None for part in found.values()):
        return Recovery([], current, resync=True)
    return Recovery([orjson.loads(event) for part in found.values() for event in part.events or ()], current, False)


def with_readers(names: Sequence[str]) -> set[str]:
    """Which of these streams a socket server has readers of, as far as is known: the last PRESENCE_TTL seconds'.

    A hint, by which to serve those first who are looking. What it does not know (Valkey has lost it, or more streams
    have readers than it holds) comes later in the order, and nothing else. Raises redis.RedisError as `append`.
    """
    if not names:
        return set()
    client, key = get_client(), PRESENT.key()
    now, _ = client.time()
    pipeline = client.pipeline(transaction=False)
    pipeline.zcard(key)
    pipeline.zcount(key, "-inf", f"({now}")
    known, expired = pipeline.execute()
    if known - expired <= WHOLE_UP_TO * len(names):
        # By rank, because by score each part would walk over the ones before it.
        for rank in range(expired, known, MEMBERS_PER_CALL):
            pipeline.eval(*present_arguments(rank, MEMBERS_PER_CALL))
        return {name for part in pipeline.execute() for name in present_answer(part)}.intersection(names)
    for part in chunks(names, MEMBERS_PER_CALL):
        pipeline.zmscore(key, part)
    scores = (score for part in pipeline.execute() for score in part)
    return {name for name, score in zip(names, scores, strict=True) if score is not None and score >= now}


def existing(names: Sequence[str]) -> set[str]:
    """Those of these streams that somebody has asked for within their time to live: others may hold no position.

    What is told in streams that do not exist reaches nobody, so it need not be computed. Raises redis.RedisError.
    """
    pipeline = get_client().pipeline(transaction=False)
    for key in STREAM.keys(names):
        pipeline.exists(key)
    return {name for name, exists in zip(names, pipeline.execute(), strict=True) if exists}


def forget(names: Sequence[str]) -> None:
    """Drop streams: whoever holds a position in one is told to load anew. For changes that are not told there.

    Raises redis.RedisError.
    """
    if names:
        get_client().unlink(*STREAM.keys(names))


def _check(names: list[str]) -> list[str]:
    """`names` themselves; ValueError where one is no name for a stream."""
    # All at once, as a fan-out has a hundred thousand. Line ends are in no name, or the numbers differ.
    joined = "\n".join(names)
    if not _NAMES.match(joined) or joined.count("\n") != len(names) - 1:
        wrong = next(name for name in names if not _NAME.match(name))
        raise ValueError(f"{wrong!r} is not a stream's name: 1-100 letters, digits or _:.- are.")
    return names


def _by_history(chunk: list[T], name_of: Callable[[T], str]) -> Iterable[tuple[int, list[T]]]:
    """Parts of `chunk` whose streams keep as many events, each in its order."""
    parts: dict[int, list[T]] = defaultdict(list)
    for one in chunk:
        parts[bounds_of(name_of(one)).history].append(one)
    return parts.items()


def _append(calls: Iterator[tuple[int, list[str], list[bytes]]]) -> None:
    client = get_client()
    for trip in chunks(calls, CALLS_PER_TRIP):
        pipeline = client.pipeline(transaction=False)
        for history, names, events in trip:
            pipeline.eval(*append_arguments(names, events, history))
        appended: dict[str, Appended] = {}
        for (_, names, events), answer in zip(trip, pipeline.execute(), strict=True):
            for name, position, event in append_answer(names, events, answer):
                APPENDS.inc()
                if name in appended:
                    appended[name].add(position, event)
                else:
                    appended[name] = Appended(position, event)
        _wake(appended)


def _wake(appended: dict[str, Appended]) -> None:
    """Wake the socket servers that have readers of streams: known after the events are there, so none is left out."""
    if not appended:
        return
    pipeline: redis.client.Pipeline = get_client().pipeline(transaction=False)
    parts = list(chunks(appended))
    for part in parts:
        pipeline.eval(*readers_arguments(part))
    answers = pipeline.execute()
    readers = [pair for part, answer in zip(parts, answers, strict=True) for pair in readers_answer(part, answer)]
    if readers:
        wake.publish(pipeline, readers, appended)
        pipeline.execute()


def _ask(trip: Trip, wanted: dict[str, Position | None]) -> Callable[[], dict[str, Any]]:
    """Add the reading of streams to a trip; the answer for each is then what `read_answer` takes."""
    if len(wanted) > MAX_STREAMS:
        raise ValueError(f"{len(wanted)} streams in one position; at most {MAX_STREAMS} are possible.")
    parts = list(chunks(wanted.items()))
    answers = [trip.ask("EVAL", *read_arguments(part)) for part in parts]
    return lambda: {
        name: found
        for part, answer in zip(parts, answers, strict=True)
        for (name, _), found in zip(part, answer(), strict=True)
    }


def _dump(event: dict[str, Any]) -> bytes:
    if not isinstance(event.get("type"), str):
        raise ValueError(f'An event is an object with a text "type"; this one is {json.dumps(event)[:200]}.')
    dumped = orjson.dumps(event)
    if len(dumped) > MAX_EVENT:
        raise ValueError(f"An event of type {event['type']} has {len(dumped)} bytes; at most {MAX_EVENT} are possible.")
    return dumped
