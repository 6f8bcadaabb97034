"""Coroutines that mostly have nothing to wait for, and those that must not be left halfway."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Generator
from typing import Any, TypeVar

T = TypeVar("T")


def start(coroutine: Coroutine[Any, Any, None]) -> asyncio.Task[None] | None:
    """Run a coroutine up to where it has to wait, at once; the rest, if there is one, becomes a task.

    To send to a thousand sockets a task each costs more than the sending, and hardly one of them has to wait. (Python
    3.12 has this as eager tasks.) The coroutine must not look at the current task. What it raises at once is raised.
    """
    try:
        waits_for = coroutine.send(None)
    except StopIteration:
        return None
    return asyncio.get_running_loop().create_task(_finish(coroutine, waits_for))


async def _finish(coroutine: Coroutine[Any, Any, None], waits_for: Any) -> None:
    await _Rest(coroutine, waits_for)


class _Rest:
    """Awaits what a coroutine that was begun waits for, and then whatever else it does."""

    def __init__(self, coroutine: Coroutine[Any, Any, None], waits_for: Any) -> None:
        self._coroutine = coroutine
        self._waits_for = waits_for

    def __await__(self) -> Generator[Any, Any, None]:
        waits_for = self._waits_for
        try:
            while True:
                try:
                    got = yield waits_for
                except BaseException as error:  # a cancellation, say, which is the coroutine's to deal with
                    waits_for = self._coroutine.throw(error)
                else:
                    waits_for = self._coroutine.send(got)
        except StopIteration:
            return


async def to_the_end(work: Coroutine[Any, Any, T]) -> T:
    """Do it, to its end also where the caller is cancelled meanwhile.

    For calls to Valkey: a connection whose opening is cancelled stays open (so it is in asyncio's transports).
    """
    working = asyncio.ensure_future(work)
    try:
        return await asyncio.shield(working)
    except asyncio.CancelledError:
        await asyncio.wait({working})
        raise
