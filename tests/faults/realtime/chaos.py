"""What happens to a network, a little at a time."""

from __future__ import annotations

import asyncio
import os
import random
import signal
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from typing import Any

import redis

from realtime.keys import STREAM
from tests.faults.realtime.followers import Follower, until
from tests.faults.realtime.network import SERVERS, Network
from tests.faults.realtime.numbers import Writer
from tests.faults.realtime.offers import stream

SECONDS = float(os.environ.get("TRIBUTARY_CHAOS_SECONDS") or 6)  # that the chaos of each test lasts
PATIENCE = 60.0  # seconds more until each has happened once, however slow the machine is
STILL = 1.0  # seconds for which a process or a reader does nothing
FLOOD, PADDING = 250, 15_000  # events that a reader who takes nothing cannot be kept, and bytes of each

Action = Callable[[], Awaitable[bool]]


class Chaos:
    """What can happen to processes; `happened` counts what did.

    `works` is a number that grows with what the couriers bring: none is killed before it has done something.
    """

    def __init__(self, network: Network, rng: random.Random, works: Callable[[], int] = lambda: 0) -> None:
        self.network = network
        self.happened: Counter[str] = Counter()
        self._works = works
        self._worked = 0
        self._rng = rng
        self._jobs: set[asyncio.Task[None]] = set()

    async def reign(self, actions: Sequence[Action]) -> None:
        """Do each of these, and then any of them for SECONDS; afterwards everything runs."""
        deadline = asyncio.get_running_loop().time() + SECONDS
        first = self._rng.sample(actions, len(actions))
        async with asyncio.timeout(SECONDS + PATIENCE):
            while first or asyncio.get_running_loop().time() < deadline:
                action = first[0] if first else self._rng.choice(actions)
                if await action():
                    self.happened[action.__name__] += 1
                    first = first[1:]
                await asyncio.sleep(0.1 + self._rng.random() * 0.4)
        await asyncio.gather(*self._jobs)
        await until(lambda: all(self.network.answers(name) for name in SERVERS), "all servers answer")

    # Servers. One of them always answers, or nothing could be told from what a client does alone.

    async def kill_a_server(self) -> bool:
        if name := self._server():
            self.network.kill(name)
            self.network.start(name)
        return bool(name)

    async def stop_a_server(self) -> bool:
        if name := self._server():
            self._soon(self._restart(name))
        return bool(name)

    async def _restart(self, name: str) -> None:
        process = self.network.running[name]
        process.terminate()
        await until(lambda: process.poll() is not None, f"{name} has stopped")
        assert process.returncode == 0
        self.network.start(name)

    async def freeze_a_server(self) -> bool:
        if name := self._server():
            os.kill(self.network.running[name].pid, signal.SIGSTOP)
            self._soon(self._thaw(self.network.running[name].pid))
        return bool(name)

    async def _thaw(self, pid: int) -> None:
        await asyncio.sleep(STILL)
        os.kill(pid, signal.SIGCONT)

    def _server(self) -> str | None:
        """One that answers, where it is not the only one."""
        answering = [name for name in SERVERS if self.network.answers(name)]
        return self._rng.choice(answering) if len(answering) > 1 and not self._jobs else None

    async def kill_the_relay(self) -> bool:
        return self._kill("relay")

    async def kill_the_worker(self) -> bool:
        return self._kill("worker")

    def _kill(self, name: str) -> bool:
        if self._works() <= self._worked:
            return False
        self._worked = self._works()
        self.network.kill(name)
        self.network.start(name)
        return True

    def _soon(self, work: Coroutine[Any, Any, None]) -> None:
        job = asyncio.create_task(work)
        self._jobs.add(job)
        job.add_done_callback(self._jobs.discard)


class StreamChaos(Chaos):
    """What can happen to streams and their readers too; `lost` counts the streams that lost events by it."""

    def __init__(self, network: Network, rng: random.Random, writer: Writer, followers: Sequence[Follower]) -> None:
        super().__init__(network, rng)
        self.writer = writer
        self.followers = followers
        self.lost = 0

    async def kill_valkey(self) -> bool:
        assert self.network.valkey.process is not None
        self.network.valkey.process.kill()
        self.network.valkey.process.wait()
        await asyncio.sleep(self._rng.random() * STILL)
        self.network.valkey.start()
        return self._loses(self.writer.names)

    async def flush(self) -> bool:
        return self._loses(self.writer.names) and await self._valkey(lambda valkey: valkey.flushdb())

    async def delete_a_stream(self) -> bool:
        return await self._to_a_stream(lambda valkey, key: valkey.delete(key))

    async def trim_a_stream(self) -> bool:
        return await self._to_a_stream(lambda valkey, key: valkey.xtrim(key, self._rng.randrange(4)))

    async def _to_a_stream(self, do: Callable[[redis.Redis, str], object]) -> bool:
        name = self._rng.choice(self.writer.names)
        return self._loses([name]) and await self._valkey(lambda valkey: do(valkey, STREAM.key(name=stream(name))))

    async def _valkey(self, do: Callable[[redis.Redis], object]) -> bool:
        with redis.Redis.from_url(self.network.env["REDIS_URL"]) as valkey:
            await asyncio.to_thread(do, valkey)
        return True

    def _loses(self, names: Sequence[str]) -> bool:
        self.lost += len(names)
        return True

    async def stop_a_reader(self) -> bool:
        """One takes nothing for a while, and more than can be kept for it is written meanwhile."""
        follower = self._rng.choice(self.followers)
        if not follower.stands or not follower.client.takes.is_set():
            return False
        follower.client.takes.clear()
        self._soon(self._flood(follower, follower.copies[0].names[0]))
        return True

    async def _flood(self, follower: Follower, name: str) -> None:
        self._loses([name])
        await asyncio.to_thread(self.writer.write, name, count=FLOOD, padding=PADDING)
        await asyncio.sleep(STILL)
        follower.client.takes.set()
