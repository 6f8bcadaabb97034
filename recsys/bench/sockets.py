"""Bench `sockets`: what a connection and a delivery cost on one socket server, beside a bare WebSocket application.

Both run under the same uvicorn configuration, each in a new process for each number of connections, and send the same
texts to the same clients. An event goes to all of them, and the next one when it has arrived everywhere. What differs
is what the product does: log-in, subscription, history, positions, one read of the stream for each event.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import orjson
import psutil
import uvloop
from django.core.management.base import CommandError

from realtime import streams
from realtime.valkey import get_client
from recsys.bench import bare
from recsys.bench.clients import SocketClient, open_socket
from recsys.bench.load import tree_seconds
from recsys.bench.logins import log_in, make_users
from recsys.bench.processes import free_port, product_process
from recsys.bench.result import BenchOptions, BenchResult, median_run, percentiles
from recsys.bench.toy.streams import KIND, STREAM
from recsys.services.server import raise_open_file_limit

CONNECTIONS = (100, 1000, 2000)
HEADLINE = 1000
DELIVERIES = 100_000  # for each number of connections
FEWEST_EVENTS, MOST_EVENTS = 20, 500
WARMING_EVENTS = 10
AT_ONCE = 50  # handshakes under way
PATIENCE = 60.0  # seconds
TEXT = "An event of the length that those of the product have, more or less."


@dataclass(frozen=True)
class Server:
    """One of the two applications: how it is started, joined, and given an event for all."""

    command: str
    subscription: bytes  # what the client says first and gets an answer to, if anything
    publish: Callable[[int], None]


def _append(number: int) -> None:
    streams.append([(STREAM, _event(number))])


def _publish(number: int) -> None:
    # What the product sends for this event, so that both write as many bytes.
    position = f"{STREAM}={time.time_ns() // 1000}.{number}"
    frame = {"type": "events", "id": "1", "events": [_event(number)], "position": position}
    get_client().publish(bare.CHANNEL, orjson.dumps(frame))


def _event(number: int) -> dict[str, object]:
    return {"type": "bench", "n": number, "text": TEXT}


PRODUCT = Server("sockets", orjson.dumps({"type": "subscribe", "id": "1", "kind": KIND}), _append)
BARE = Server("bare_sockets", b"", _publish)


def run(options: BenchOptions) -> BenchResult:
    raise_open_file_limit()
    sizes = {number: options.scaled(number) for number in CONNECTIONS}
    cookies = log_in(make_users("bench-socket", max(sizes.values()) + 1))
    deliveries = options.scaled(DELIVERIES)
    found: dict[int, dict[str, float]] = {}
    for size in sizes.values():
        runs = [_compare(cookies[: size + 1], deliveries, options) for _ in range(options.runs)]
        found[size] = median_run(runs, by="ratio")
    details = {f"n{size}_{name}": value for size, figures in found.items() for name, value in figures.items()}
    headline = found[sizes[HEADLINE]]
    return BenchResult(
        headline["per_cpu_s"],
        "deliveries/CPU s",
        limit=headline["bare_per_cpu_s"],
        goal=0.5,
        details={"connections": sizes[HEADLINE], **headline, "goal_kb_each": 25.0, **details},
    )


def _compare(cookies: Sequence[str], deliveries: int, options: BenchOptions) -> dict[str, float]:
    """Both servers, one after the other, with one connection for each cookie but the first, which keeps them warm."""
    product, least = (_measure(server, cookies, deliveries) for server in (PRODUCT, BARE))
    ratio = product["per_cpu_s"] / least["per_cpu_s"]
    options.say(
        f"{len(cookies) - 1:,} connections   "
        + "   ".join(
            f"{name} {product[name]:,.1f} (bare {least[name]:,.1f})" for name in ("kb_each", "cpu_us_each", "p99_ms")
        )
    )
    return product | {f"bare_{name}": value for name, value in least.items()} | {"ratio": ratio}


def _measure(server: Server, cookies: Sequence[str], deliveries: int) -> dict[str, float]:
    port = free_port()
    with (
        product_process(server.command, "--port", str(port)) as process,
        asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner,
    ):
        return runner.run(_measure_server(server, psutil.Process(process.pid), port, cookies, deliveries))


async def _measure_server(
    server: Server, process: psutil.Process, port: int, cookies: Sequence[str], deliveries: int
) -> dict[str, float]:
    first, *others = cookies
    audience = Audience(server, port)
    await audience.wait_for_server(first)
    for _ in range(WARMING_EVENTS):
        await audience.tell()
    memory = process.memory_full_info().uss
    began = time.perf_counter()
    await audience.admit(others)
    connecting = time.perf_counter() - began
    events = min(MOST_EVENTS, max(FEWEST_EVENTS, deliveries // len(cookies)))
    await audience.tell()
    audience.latencies.clear()
    spent, began = tree_seconds(process.pid), time.perf_counter()
    for _ in range(events):
        await audience.tell()
    wall, cpu = time.perf_counter() - began, tree_seconds(process.pid) - spent
    done = events * len(cookies)
    grown = process.memory_full_info().uss - memory
    audience.close()
    return {
        "kb_each": grown / 1024 / len(others),
        "connects_s": len(others) / connecting,
        "cpu_us_each": cpu / done * 1e6,
        "per_cpu_s": done / cpu,
        "per_s": done / wall,
        **percentiles([latency * 1000 for latency in audience.latencies]),
    }


class Audience:
    """The connections to one server, and how long each delivery took (`latencies`, seconds)."""

    def __init__(self, server: Server, port: int) -> None:
        self.latencies: list[float] = []
        self._server = server
        self._port = port
        self._clients: list[SocketClient] = []
        self._number = 0
        self._published = 0.0
        self._missing = 0
        self._complete = asyncio.Event()

    async def wait_for_server(self, cookie: str) -> None:
        """Join as the first one, as soon as the server answers."""
        async with asyncio.timeout(PATIENCE):
            while not self._clients:
                try:
                    await self._join(cookie)
                except OSError:  # it is still starting
                    await asyncio.sleep(0.1)

    async def admit(self, cookies: Sequence[str]) -> None:
        """Open a connection for each cookie, AT_ONCE at a time."""
        places = asyncio.Semaphore(AT_ONCE)

        async def join(cookie: str) -> None:
            async with places:
                await self._join(cookie)

        async with asyncio.timeout(PATIENCE), asyncio.TaskGroup() as group:
            for cookie in cookies:
                group.create_task(join(cookie))

    async def tell(self) -> None:
        """Publish one event, and wait until everybody has it."""
        self._number += 1
        self._missing = len(self._clients)
        self._complete.clear()
        self._published = time.perf_counter()
        await asyncio.to_thread(self._server.publish, self._number)
        try:
            await asyncio.wait_for(self._complete.wait(), PATIENCE)
        except TimeoutError:
            raise CommandError(f"{self._missing} of {len(self._clients)} sockets never got an event.") from None

    def close(self) -> None:
        for client in self._clients:
            client.abort()

    async def _join(self, cookie: str) -> None:
        answer: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        client = await open_socket(self._port, cookie, lambda _, text, arrived: answer.set_result(text))
        if self._server.subscription:
            client.send(self._server.subscription)
            if b'"subscribed"' not in await asyncio.wait_for(answer, PATIENCE):
                raise CommandError(f"The socket answered {answer.result()!r}.")
        client.on_text = self._hear
        self._clients.append(client)

    def _hear(self, client: SocketClient, text: bytes, arrived: float) -> None:
        self.latencies.append(arrived - self._published)
        self._missing -= 1
        if not self._missing:
            self._complete.set()
