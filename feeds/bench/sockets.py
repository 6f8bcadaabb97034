"""Bench `sockets`: what a connection and a delivery cost on one socket server, beside a bare WebSocket application.

Both run under the same uvicorn configuration, each in a new process for each number of connections, and send the same
texts to the same clients. An event goes to all of them, and the next one when it has arrived everywhere. What differs
is what the product does: log-in, the subscription to a timeline, history, positions, one read of the stream for each
event. Memory is what the process has for itself alone (USS), so it is without what the kernel keeps for a socket.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

import orjson
import psutil
import uvloop
from django.core.management.base import CommandError

from feeds.bench.audience import SUBSCRIPTION, Audience, gather_audience
from feeds.subscriptions import user_stream
from realtime import streams
from realtime.valkey import get_client
from recsys.bench import bare
from recsys.bench.clients import PATIENCE, SocketClient, join_all, join_first
from recsys.bench.load import tree_seconds
from recsys.bench.processes import free_port, product_process
from recsys.bench.result import BenchOptions, BenchResult, median_run, percentiles
from recsys.services.server import raise_open_file_limit

CONNECTIONS = (100, 1000, 2000)
HEADLINE = 1000
DELIVERIES = 100_000  # for each number of connections
FEWEST_EVENTS, MOST_EVENTS = 20, 500
WARMING_EVENTS = 10
CPU_TICK = 0.01  # seconds: what CPU times are counted in
SAID = ("kb_each", "cpu_us_each", "p50_ms", "p99_ms")
TEXT = "An event of the length that those of the product have, more or less."


@dataclass(frozen=True)
class Server:
    """One of the two applications: how it is started, joined, and given an event for all of an audience."""

    command: str
    subscription: bytes
    publish: Callable[[Audience, int], None]


def _append(audience: Audience, number: int) -> None:
    streams.append([(audience.stream, _event(number))])


def _publish(audience: Audience, number: int) -> None:
    # What the product sends for this event, so that both write as many bytes.
    epoch = time.time_ns() // 1000
    position = f"{user_stream(audience.author)}={epoch}.0~{audience.stream}={epoch}.{number}"
    frame = {"type": "events", "id": "1", "events": [_event(number)], "position": position}
    get_client().publish(bare.CHANNEL, orjson.dumps(frame))


def _event(number: int) -> dict[str, object]:
    return {"type": "bench", "n": number, "text": TEXT}


PRODUCT = Server("sockets", SUBSCRIPTION, _append)
BARE = Server("bare_sockets", b"", _publish)


def run(options: BenchOptions) -> BenchResult:
    raise_open_file_limit()
    sizes = [options.scaled(number) for number in CONNECTIONS]
    audience = gather_audience("sockets", max(sizes) + 1)
    found: dict[int, dict[str, float]] = {}
    for size in sizes:
        part = replace(audience, cookies=audience.cookies[: size + 1])
        runs = [_compare(part, options) for _ in range(options.runs)]
        found[size] = median_run(runs, by="ratio")
    headline = found.pop(options.scaled(HEADLINE))
    del headline["ratio"]  # it is said of the bench
    details = {"connections": options.scaled(HEADLINE), **headline, "goal_kb_each": 25.0}
    details |= {f"n{size}_{name}": value for size, figures in found.items() for name, value in figures.items()}
    limit = headline["bare_per_cpu_s"]
    return BenchResult(headline["per_cpu_s"], "deliveries/CPU s", limit=limit, goal=0.5, details=details)


def _compare(audience: Audience, options: BenchOptions) -> dict[str, float]:
    """Both servers, one after the other; the first of the audience is there before the others are counted."""
    deliveries = options.scaled(DELIVERIES)
    product, least = (_measure(server, audience, deliveries) for server in (PRODUCT, BARE))
    ratio = product["per_cpu_s"] / least["per_cpu_s"]
    compared = (f"{name} {product[name]:,.1f} (bare {least[name]:,.1f})" for name in SAID)
    options.say(f"{len(audience.cookies) - 1:,} connections   ratio {ratio:.2f}   " + "   ".join(compared))
    return product | {f"bare_{name}": value for name, value in least.items()} | {"ratio": ratio}


def _measure(server: Server, audience: Audience, deliveries: int) -> dict[str, float]:
    port = free_port()
    with (
        product_process(server.command, "--port", str(port)) as process,
        asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner,
    ):
        room = Room(server, audience, port)
        return runner.run(_measure_server(room, psutil.Process(process.pid), deliveries))


async def _measure_server(room: Room, process: psutil.Process, deliveries: int) -> dict[str, float]:
    await room.open()
    for _ in range(WARMING_EVENTS):
        await room.tell()
    memory = process.memory_full_info().uss
    began = time.perf_counter()
    others = await room.fill()
    connecting = time.perf_counter() - began
    await room.tell()
    events = min(MOST_EVENTS, max(FEWEST_EVENTS, deliveries // room.size))
    room.latencies.clear()
    spent, began = tree_seconds(process.pid), time.perf_counter()
    for _ in range(events):
        await room.tell()
    wall, cpu = time.perf_counter() - began, max(tree_seconds(process.pid) - spent, CPU_TICK)
    grown = process.memory_full_info().uss - memory
    room.close()
    return {
        "kb_each": grown / 1024 / others,
        "connects_s": others / connecting,
        "cpu_us_each": cpu / (events * room.size) * 1e6,
        "per_cpu_s": events * room.size / cpu,
        "per_s": events * room.size / wall,
        **percentiles([latency * 1000 for latency in room.latencies]),
    }


class Room:
    """The connections of an audience to one server, and how long each delivery took (`latencies`, seconds)."""

    def __init__(self, server: Server, audience: Audience, port: int) -> None:
        self.latencies: list[float] = []
        self._server = server
        self._audience = audience
        self._port = port
        self._clients: list[SocketClient] = []
        self._number = 0
        self._published = 0.0
        self._missing = 0
        self._complete = asyncio.Event()

    @property
    def size(self) -> int:
        return len(self._clients)

    async def open(self) -> None:
        """Let the first one in, as soon as the server answers."""
        first = self._audience.cookies[0]
        self._clients = [await join_first(self._port, first, self._server.subscription, self._hear)]

    async def fill(self) -> int:
        """Let all others in; return how many they are."""
        others = self._audience.cookies[1:]
        self._clients += await join_all(self._port, others, self._server.subscription, self._hear)
        return len(others)

    async def tell(self) -> None:
        """Publish one event, and wait until everybody has it."""
        self._number += 1
        self._missing = self.size
        self._complete.clear()
        self._published = time.perf_counter()
        await asyncio.to_thread(self._server.publish, self._audience, self._number)
        try:
            async with asyncio.timeout(PATIENCE):
                await self._complete.wait()
        except TimeoutError:
            raise CommandError(f"{self._missing} of {self.size} sockets never got an event.") from None

    def close(self) -> None:
        for client in self._clients:
            client.abort()

    def _hear(self, client: SocketClient, text: bytes, arrived: float) -> None:
        self.latencies.append(arrived - self._published)
        self._missing -= 1
        if not self._missing:
            self._complete.set()
