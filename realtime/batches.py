"""Questions that are gathered and asked together, so that many connections that open at once cost a few queries."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Generic, TypeVar

import redis
from django.db import InterfaceError, OperationalError, close_old_connections
from prometheus_client import Counter

PAUSE = 0.05  # seconds between the beginnings of two batches that go to the database
CROWD = 5  # questions at once, from which on the pause is CROWD_PAUSES times as long: who waits with many can wait
CROWD_PAUSES = 5
MOST = 500  # questions of one batch
MOST_WAITING = 10_000

OUTAGES = (OperationalError, InterfaceError, redis.RedisError, OSError)  # what a service that is away raises
CALLS = Counter("tributary_realtime_database_calls", "Times that socket servers asked the database.", ["what"])
# No connection of a client holds one of the database: these few threads keep theirs. What clients do often must not
# hold up who is let in, and neither of them that whoever logged out is closed in time.
THREADS = ThreadPoolExecutor(max_workers=4, thread_name_prefix="realtime-db")
SIGNAL_THREADS = ThreadPoolExecutor(max_workers=2, thread_name_prefix="realtime-signals")
WATCH_THREAD = ThreadPoolExecutor(max_workers=1, thread_name_prefix="realtime-watch")
Question = TypeVar("Question")
Answer = TypeVar("Answer")
T = TypeVar("T")


class Overloaded(Exception):
    """More questions wait than are answered in time."""


async def in_database(
    what: str, function: Callable[..., T], *arguments: object, threads: ThreadPoolExecutor = THREADS
) -> T:
    """Call a function that queries the database (counted as `what`), in one of the threads that do."""

    def call() -> T:
        close_old_connections()
        try:
            return function(*arguments)
        finally:
            close_old_connections()

    CALLS.labels(what).inc()
    return await asyncio.get_running_loop().run_in_executor(threads, call)


class Batches(Generic[Question, Answer]):
    """`answer` answers many questions at once, in their order; `ask` gives each asker its own answer.

    Whoever comes alone is answered at once. While a batch is being answered, and for `pause` seconds after it began
    (longer where many come), the next questions gather and go together. Where a service is away, everybody of the batch
    gets the error; where `answer` fails otherwise, those do without whom it does not. For one event loop.
    """

    def __init__(
        self, answer: Callable[[Sequence[Question]], Awaitable[Sequence[Answer]]], *, pause: float = 0.0
    ) -> None:
        self._answer = answer
        self._pause = pause
        self._waiting: list[tuple[Question, asyncio.Future[Answer]]] = []
        self._asking: asyncio.Task[None] | None = None
        self._next = 0.0

    async def ask(self, question: Question) -> Answer:
        """The answer. Raises Overloaded, and whatever answering does."""
        if len(self._waiting) >= MOST_WAITING:
            raise Overloaded
        answer: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._waiting.append((question, answer))
        if self._asking is None:
            self._asking = asyncio.create_task(self._ask_all())
        return await answer

    async def settle(self) -> None:
        """Wait until nothing is being asked, also for those who have gone."""
        if self._asking is not None:
            await asyncio.wait({self._asking})

    async def _ask_all(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            while self._waiting:
                if (pause := self._next - loop.time()) > 0:
                    await asyncio.sleep(pause)
                crowd = len(self._waiting) > CROWD
                self._next = loop.time() + self._pause * (CROWD_PAUSES if crowd else 1)
                batch, self._waiting = self._waiting[:MOST], self._waiting[MOST:]
                # Whoever has gone meanwhile wants no answer.
                await self._ask([(question, answer) for question, answer in batch if not answer.done()])
        finally:
            self._asking = None

    async def _ask(self, batch: list[tuple[Question, asyncio.Future[Answer]]]) -> None:
        if not batch:
            return
        try:
            answers = await self._answer([question for question, _ in batch])
            for (_, future), answer in zip(batch, answers, strict=True):
                if not future.done():
                    future.set_result(answer)
        except Exception as error:
            if len(batch) > 1 and not isinstance(error, OUTAGES):
                # One of them may be at fault, and is not to take the others with it.
                await self._ask(batch[: len(batch) // 2])
                await self._ask(batch[len(batch) // 2 :])
                return
            for _, future in batch:
                if not future.done():
                    future.set_exception(error)
