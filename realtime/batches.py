"""Questions to the database, gathered: many connections that open at once cost a few queries.

No connection of a client holds one of the database. A question is asked in one of a few threads, whose connection is
closed afterwards; while one is being asked, and for PAUSE after it began, the next ones gather and go together. So a
process that thousands come back to at once asks at most 1 / PAUSE times a second, each kind of question by itself.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Generic, TypeVar

from django.db import connections
from prometheus_client import Counter

PAUSE = 0.05  # seconds between the beginnings of two batches
MOST = 500  # questions of one batch
MOST_WAITING = 10_000

CALLS = Counter("tributary_realtime_database_calls", "Times that socket servers asked the database.", ["what"])
_threads = ThreadPoolExecutor(max_workers=4, thread_name_prefix="realtime-db")
Question = TypeVar("Question")
Answer = TypeVar("Answer")
T = TypeVar("T")


class Overloaded(Exception):
    """More questions wait than are answered in time."""


async def in_database(what: str, function: Callable[..., T], *arguments: object) -> T:
    """Call a function that queries the database (counted as `what`), in a thread that closes its connection."""

    def call() -> T:
        try:
            return function(*arguments)
        finally:
            connections.close_all()

    CALLS.labels(what).inc()
    return await asyncio.get_running_loop().run_in_executor(_threads, call)


class Batches(Generic[Question, Answer]):
    """`function` answers many questions at once, in their order; `ask` gives each asker its own answer.

    For one event loop. Where the function raises, everybody who asked with that batch gets the error.
    """

    def __init__(self, what: str, function: Callable[[Sequence[Question]], Sequence[Answer]]) -> None:
        self._what = what
        self._function = function
        self._waiting: list[tuple[Question, asyncio.Future[Answer]]] = []
        self._asking: asyncio.Task[None] | None = None
        self._next = 0.0

    async def ask(self, question: Question) -> Answer:
        """The answer. Raises Overloaded, and whatever the function does."""
        if len(self._waiting) >= MOST_WAITING:
            raise Overloaded
        answer: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._waiting.append((question, answer))
        if self._asking is None:
            self._asking = asyncio.create_task(self._ask_all())
        return await answer

    async def _ask_all(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            while self._waiting:
                if (pause := self._next - loop.time()) > 0:
                    await asyncio.sleep(pause)
                self._next = loop.time() + PAUSE
                batch, self._waiting = self._waiting[:MOST], self._waiting[MOST:]
                # Whoever has gone meanwhile wants no answer.
                await self._ask([(question, answer) for question, answer in batch if not answer.done()])
        finally:
            self._asking = None

    async def _ask(self, batch: list[tuple[Question, asyncio.Future[Answer]]]) -> None:
        if not batch:
            return
        try:
            answers = await in_database(self._what, self._function, [question for question, _ in batch])
            for (_, future), answer in zip(batch, answers, strict=True):
                if not future.done():
                    future.set_result(answer)
        except Exception as error:
            for _, future in batch:
                if not future.done():
                    future.set_exception(error)
