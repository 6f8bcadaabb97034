"""Bench `reconnect`: seconds until 2,000 clients, all of whom lost their connections at once, are back with everything.

Twice: the socket server is killed and started anew at once (`restart_…`), and the clients' connections are cut while it
goes on (`drop_…`). They come back as browsers do, from their positions, while events are appended to a stream that all
of them follow; each must get every event once and in order. `…_queries_each` are the transactions that PostgreSQL
counted meanwhile, for each client; what the server asks by itself every few seconds is among them.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress

import uvloop
from django.core.management.base import CommandError

from feeds.bench.audience import Audience, gather_audience
from feeds.bench.comeback import Crowd, ReturningClient
from feeds.bench.waiting import fetch
from realtime import streams
from recsys.bench.logins import disconnected
from recsys.bench.processes import free_port, product_process
from recsys.bench.result import BenchOptions, BenchResult, median_run, percentiles
from recsys.services.server import raise_open_file_limit

CLIENTS = 2000
ARRIVALS = 200  # a second, at the beginning
EVERY = 0.5  # seconds between events
PATIENCE = 180.0  # seconds until all are back
CATCHING_UP = 30.0  # seconds until they have the last event
COUNTED_WITHIN = 11.0  # seconds after which PostgreSQL has counted what an idle connection did
GOAL = 30.0

_TRANSACTIONS = "SELECT xact_commit + xact_rollback FROM pg_stat_database WHERE datname = current_database()"
_OTHERS = """
    SELECT count(*) FROM pg_stat_activity
    WHERE backend_type = 'client backend' AND datname = current_database() AND pid <> pg_backend_pid()
"""


def run(options: BenchOptions) -> BenchResult:
    raise_open_file_limit()
    audience = disconnected(lambda: gather_audience("reconnect", options.scaled(CLIENTS)))
    runs = []
    for _ in range(options.runs):
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner, ExitStack() as servers:
            runs.append(runner.run(_measure(audience, Server(servers))))
        said = (f"{way} {runs[-1][f'{way}_s']:.1f} s" for way in ("restart", "drop"))
        options.say("   ".join([*said, f"queries each {runs[-1]['restart_queries_each']:.3f}"]))
    middle = median_run(runs, by="value")
    details = {"clients": len(audience.cookies), **{name: value for name, value in middle.items() if name != "value"}}
    return BenchResult(middle["value"], "s", goal=GOAL, details=details)


class Server:
    """The socket server, and the one that takes its place; both end when `stack` is closed."""

    def __init__(self, stack: ExitStack) -> None:
        self.port = free_port()
        self._stack = stack
        self._start()

    def restart(self) -> None:
        """Kill it, and start it anew without waiting until it serves."""
        self._process.kill()
        self._process.wait()
        self._start()

    def _start(self) -> None:
        self._process = self._stack.enter_context(product_process("sockets", "--port", str(self.port)))


async def _measure(audience: Audience, server: Server) -> dict[str, float]:
    crowd = Crowd(server.port)
    clients = [ReturningClient(crowd, cookie) for cookie in audience.cookies]
    for client in clients:
        client.leave()
    running = [asyncio.create_task(client.run(place / ARRIVALS)) for place, client in enumerate(clients)]
    try:
        await _until_back(crowd)
        restart = await _come_back(audience, crowd, clients, server.restart)
        drop = await _come_back(audience, crowd, clients, lambda: _drop(clients))
    finally:
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
    ways = {"restart": restart, "drop": drop}
    figures = {f"{way}_{name}": value for way, found in ways.items() for name, value in found.items()}
    return {"value": max(restart["s"], drop["s"]), "resyncs": crowd.resyncs, "events": crowd.appended, **figures}


async def _come_back(
    audience: Audience, crowd: Crowd, clients: Sequence[ReturningClient], disturb: Callable[[], object]
) -> dict[str, float]:
    """Disturb all of them while events are appended, and let them come back."""
    crowd.attempts = 0
    queries = await _transactions()
    appending = asyncio.create_task(_append(audience.stream, crowd))
    try:
        await asyncio.sleep(2 * EVERY)
        for client in clients:
            client.leave()
        disturb()
        await _until_back(crowd)
        await asyncio.sleep(2 * EVERY)
    finally:
        appending.cancel()
        with suppress(asyncio.CancelledError):
            await appending
    await _until_equal(crowd, clients)
    queries = await _transactions() - queries
    away = [client.seconds_away for client in clients]
    return {
        "s": max(away),
        **percentiles([seconds * 1000 for seconds in away]),
        "attempts_each": crowd.attempts / len(clients),
        "queries_each": queries / len(clients),
    }


def _drop(clients: Sequence[ReturningClient]) -> None:
    for client in clients:
        client.drop()


async def _append(stream: str, crowd: Crowd) -> None:
    """Append an event every so often, until cancelled between two of them."""
    while True:
        number = crowd.appended + 1
        await asyncio.shield(asyncio.to_thread(streams.append, [(stream, {"type": "bench", "n": number})]))
        crowd.appended = number
        await asyncio.sleep(EVERY)


async def _until_back(crowd: Crowd) -> None:
    try:
        async with asyncio.timeout(PATIENCE):
            await crowd.back.wait()
    except TimeoutError:
        raise CommandError(
            f"{crowd.away} clients are not back after {PATIENCE:.0f} s. The server's last complaint: {crowd.complaint}"
        ) from None


async def _until_equal(crowd: Crowd, clients: Sequence[ReturningClient]) -> None:
    """Wait until all have the last event; CommandError where something was lost or came twice on the way."""
    deadline = time.monotonic() + CATCHING_UP
    while any(client.last not in (crowd.appended, None) for client in clients) and time.monotonic() < deadline:
        await asyncio.sleep(0.05)
    late = sum(client.last not in (crowd.appended, None) for client in clients)
    if late or crowd.missed or crowd.repeated:
        raise CommandError(
            f"{crowd.missed} events were missed, {crowd.repeated} came twice, and {late} clients lack the last one."
        )


async def _transactions() -> int:
    return await asyncio.to_thread(disconnected, _count_transactions)


def _count_transactions() -> int:
    """What PostgreSQL has counted; connections count when they end, and idle ones after a while."""
    deadline = time.monotonic() + COUNTED_WITHIN
    while fetch(_OTHERS) != [(0,)] and time.monotonic() < deadline:
        time.sleep(0.1)
    return int(fetch(_TRANSACTIONS)[0][0])
