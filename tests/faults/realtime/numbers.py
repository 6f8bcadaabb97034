"""Streams of consecutive numbers: who writes them, who holds a copy of them, and what a copy must never do."""

from __future__ import annotations

import asyncio
import random
import threading
import time
from collections import Counter
from collections.abc import Sequence
from typing import Any

import redis

from realtime import streams, wake
from tests.faults.realtime.offers import stream
from tests.realtime.client import Client

SLOWEST = 0.1  # seconds that loading takes


class Writer(threading.Thread):
    """Appends 1, 2, 3, … to each of some streams until `stop` is set.

    `truth` says how far each has come: as with a commit and its handlers, that comes first, and the event follows until
    it has been appended. `lost` and `doubled` are the shares of wake-ups that go wrong.
    """

    def __init__(self, names: Sequence[str], rng: random.Random, *, pace: float) -> None:
        super().__init__(name="writer", daemon=True)
        self.names = names
        self.truth: Counter[str] = Counter()
        self.repeated: set[tuple[str, int]] = set()  # perhaps appended twice: the answer did not come
        self.lost = self.doubled = 0.0
        self.stop = threading.Event()
        self.failure: BaseException | None = None
        self._rng = random.Random(rng.random())
        self._pace = pace
        self._lock = threading.Lock()

    def run(self) -> None:
        try:
            while not self.stop.wait(self._pace):
                self.write(self._rng.choice(self.names))
        except BaseException as error:
            self.failure = error

    def write(self, name: str, *, count: int = 1, padding: int = 0) -> None:
        """Append the next numbers of a stream at once."""
        with self._lock:
            numbers = range(self.truth[name] + 1, self.truth[name] + count + 1)
            self.truth[name] += count
            event = {"type": "number", "of": name, "padding": "x" * padding}
            while True:
                try:
                    streams.append((stream(name), event | {"n": n}) for n in numbers)
                    return
                except redis.RedisError:
                    self.repeated.update((name, n) for n in numbers)
                    time.sleep(0.05)

    def finish(self) -> None:
        """Write no more."""
        self.stop.set()
        self.join()
        assert self.failure is None, self.failure

    def publish(self, pipeline: Any, readers: Any, appended: Any, publish: Any = wake.publish) -> None:
        """Instead of `wake.publish`: now and then not at all, or twice."""
        readers = list(readers)
        chance = self._rng.random()
        if chance >= self.lost:
            publish(pipeline, readers, appended)
        if 1 - chance <= self.doubled:
            publish(pipeline, readers, appended)


class Copy:
    """What a client holds of some streams. Whatever must not happen to it is in `faults`."""

    def __init__(self, writer: Writer, names: Sequence[str], rng: random.Random) -> None:
        self.names = names
        self.held: Counter[str] = Counter()  # of each stream the numbers from 1 to this one
        self.faults: list[str] = []
        self.applied = self.loads = 0
        self.heard_at = 0.0
        self.repeats = 0  # events that were held already
        self.overlap = 0  # those that had to be: written between a position and the data that was loaded after it
        self.client: Client | None = None
        self._writer = writer
        self._rng = rng
        self._connects = 0
        self._last: dict[str, int] = {}  # what came last over this connection

    async def load(self) -> str:
        """Load the data anew, as a page does: first the position, then what there is. Empty while Valkey is away."""
        before = self._writer.truth.copy()
        try:
            position = await asyncio.to_thread(streams.positions, [stream(name) for name in self.names])
        except redis.RedisError:
            position = ""
        await asyncio.sleep(self._rng.random() * SLOWEST)
        self.held = Counter({name: self._writer.truth[name] for name in self.names})
        self.overlap += sum(self.held[name] - before[name] for name in self.names)
        self.loads += 1
        self._last.clear()
        return position

    def apply(self, event: dict[str, Any]) -> None:
        """Apply an event to data that may hold it. Over one connection, each follows the one before."""
        assert self.client is not None
        if self.client.connects != self._connects:
            self._connects = self.client.connects
            self._last.clear()
        name, n = event["of"], event["n"]
        last = self._last.get(name)
        if n > self.held[name] + 1 or (last is not None and n != last + 1 and (name, n) not in self._writer.repeated):
            where = f"{self.client.transport}, connection {self.client.connects}"
            self.faults.append(f"{where}: {n} of {name} came after {last}, and {self.held[name]} was held")
        self.applied += 1
        self.heard_at = time.time()
        self.repeats += n <= self.held[name]
        self.held[name] = max(n, self.held[name])
        self._last[name] = n

    @property
    def is_true(self) -> bool:
        """Whether it equals what was written."""
        return all(self.held[name] == self._writer.truth[name] for name in self.names)
