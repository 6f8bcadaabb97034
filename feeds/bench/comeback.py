"""Clients that come back by themselves, as `client.js` does, and notice when something was missed or came twice."""

from __future__ import annotations

import asyncio
import random
import time
from dataclasses import dataclass, field
from typing import Any

import orjson

from recsys.bench.clients import SocketClient, open_socket

FIRST_DELAY = 0.5  # seconds
LONGEST_DELAY = 30.0
ANSWER_WITHIN = 10.0


@dataclass
class Crowd:
    """What clients of one server have in common. The events of their stream have numbers `n`: 1, 2, 3 …"""

    port: int
    appended: int = 0  # the last event that is in the stream for certain
    away: int = 0
    attempts: int = 0
    missed: int = 0
    repeated: int = 0
    resyncs: int = 0
    complaint: str = ""  # the server's last one
    back: asyncio.Event = field(default_factory=asyncio.Event)  # when nobody is away
    jitter: random.Random = field(default_factory=lambda: random.Random(1))  # noqa: S311 (it protects nothing)


class ReturningClient:
    """One client of a timeline. It is back as soon as it has what was in the stream when it was subscribed anew."""

    def __init__(self, crowd: Crowd, cookie: str) -> None:
        self.seconds_away = 0.0
        self.last: int | None = 0  # number of the last event; None: unknown, after a resync
        self._crowd = crowd
        self._cookie = cookie
        self._client: SocketClient | None = None
        self._answered = asyncio.Event()
        self._position = ""
        self._failures = 0
        self._retry_in: float | None = None  # seconds, as the server said
        self._left_at: float | None = None
        self._wanted: int | None = None  # the number with which it is back

    def leave(self) -> None:
        """Count as away: the connection has been lost, or is to be dropped next."""
        self._left_at = time.perf_counter()
        self._wanted = None
        self._crowd.away += 1
        self._crowd.back.clear()

    def drop(self) -> None:
        """Cut the connection."""
        if self._client is not None:
            self._client.abort()

    async def run(self, after: float) -> None:
        """Connect `after` so many seconds, and come back whenever the connection has ended, until cancelled."""
        await asyncio.sleep(after)
        try:
            while True:
                await self._stay()
                await asyncio.sleep(self._delay())
        finally:
            self.drop()

    async def _stay(self) -> None:
        """Be connected until the connection ends; return at once where it cannot be had."""
        self._crowd.attempts += 1
        self._answered.clear()
        try:
            async with asyncio.timeout(ANSWER_WITHIN):
                self._client = await open_socket(self._crowd.port, self._cookie, self._hear)
                self._client.send(self._subscription())
                await self._answered.wait()
            await self._client.lost
        except (OSError, TimeoutError):
            self.drop()
        self._client = None

    def _subscription(self) -> bytes:
        return orjson.dumps({"type": "subscribe", "id": "1", "kind": "timeline", "position": self._position})

    def _delay(self) -> float:
        """Full jitter, or what the server asked for."""
        said, self._retry_in = self._retry_in, None
        if said is not None:
            return said
        ceiling = min(LONGEST_DELAY, FIRST_DELAY * 2**self._failures)
        self._failures += 1
        return self._crowd.jitter.uniform(0, ceiling)

    def _hear(self, client: SocketClient, text: bytes, arrived: float) -> None:
        message = orjson.loads(text)
        self._answered.set()
        self._position = message.get("position", self._position)
        self._take(message)
        if self._left_at is not None and self._has_everything():
            self.seconds_away = arrived - self._left_at
            self._left_at = None
            self._crowd.away -= 1
            if not self._crowd.away:
                self._crowd.back.set()

    def _take(self, message: dict[str, Any]) -> None:
        if message["type"] == "subscribed":
            self._failures = 0
            self._wanted = self._crowd.appended
        elif message["type"] == "events":
            for event in message["events"]:
                self._count(event["n"])
        elif message["type"] == "resync":
            self._crowd.resyncs += 1
            self.last = None
        elif message["type"] == "goodbye" and "retry_in" in message:
            self._retry_in = message["retry_in"] / 1000
        else:
            self._crowd.complaint = orjson.dumps(message).decode()

    def _count(self, number: int) -> None:
        expected = number if self.last is None else self.last + 1
        if number < expected:
            self._crowd.repeated += 1
            return
        self._crowd.missed += number - expected
        self.last = number

    def _has_everything(self) -> bool:
        return self._wanted is not None and (self.last is None or self.last >= self._wanted)
