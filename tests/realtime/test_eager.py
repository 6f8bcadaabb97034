from __future__ import annotations

import asyncio

import pytest

from realtime import eager


async def test_what_has_nothing_to_wait_for_is_done_at_once():
    done = []

    async def work() -> None:
        done.append(1)

    assert eager.start(work()) is None
    assert done == [1]


async def test_what_has_to_wait_goes_on_by_itself():
    ready, done = asyncio.Event(), []

    async def work() -> None:
        done.append("begun")
        await ready.wait()
        await asyncio.sleep(0)
        done.append("ended")

    task = eager.start(work())
    assert done == ["begun"]
    ready.set()
    await task
    assert done == ["begun", "ended"]


async def test_errors_come_out_where_they_are_raised():
    async def fail(first: bool) -> None:
        if not first:
            await asyncio.sleep(0)
        raise OSError("gone")

    with pytest.raises(OSError, match="gone"):
        eager.start(fail(first=True))
    with pytest.raises(OSError, match="gone"):
        await eager.start(fail(first=False))


async def test_it_is_cancelled_where_it_waits():
    ended = []

    async def work() -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            ended.append(1)
            raise

    task = eager.start(work())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert ended == [1]


async def test_it_may_refuse_to_be_cancelled():
    ready, done = asyncio.Event(), []

    async def work() -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            await ready.wait()
            done.append(1)

    task = eager.start(work())
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.sleep(0)
    ready.set()
    await task
    assert done == [1]
