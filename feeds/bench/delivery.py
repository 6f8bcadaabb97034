"""Bench `delivery`: milliseconds from the commit of a post to its arrival at followers' sockets.

The way is the real one: trigger, relay, worker, fan-out, stream, hub, socket; each in its own process. Posts come one
by one, so this is the latency of an idle site, not of a busy one: with 20 of 200 followers connected, and with all of
1,000 (`n1000_…`), of whom the last ones wait while the others are served. `cpu_ms_…` is what each process spends on a
post.
"""

from __future__ import annotations

import asyncio
import tempfile
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import orjson
import uvloop
from django.core.management.base import CommandError
from django.db import transaction

from feeds.actions import do_create_post
from feeds.bench.audience import SUBSCRIPTION, let_follow
from recsys.accounts.models import User
from recsys.bench.clients import PATIENCE, SocketClient, join_all, join_first
from recsys.bench.load import tree_seconds
from recsys.bench.logins import disconnected, log_in, make_users
from recsys.bench.processes import free_port, product_process
from recsys.bench.result import BenchOptions, BenchResult, median_run, percentiles
from recsys.services.processes import wait_until
from recsys.services.server import raise_open_file_limit

POSTS = 200
WARMING_POSTS = 20
FOLLOWERS, CONNECTED = 200, 20
CROWD = 1000  # followers of another author, all of them connected
CROWD_POSTS = 60
PAUSE = 0.1  # seconds between posts


@dataclass(frozen=True)
class Readers:
    """An author, and the Cookie headers of those followers who are connected."""

    author: User
    cookies: list[str]


def run(options: BenchOptions) -> BenchResult:
    raise_open_file_limit()
    some = _gather("delivery", FOLLOWERS, CONNECTED)
    crowd_size = max(CONNECTED, options.scaled(CROWD))
    crowd = _gather("crowd", crowd_size, crowd_size)
    runs, crowd_runs = [], []
    with ExitStack() as stack:
        processes, port = _start(stack)
        for _ in range(options.runs):
            runs.append(_measure(port, some, options.scaled(POSTS), processes, options))
            crowd_runs.append(_measure(port, crowd, options.scaled(CROWD_POSTS), processes, options))
    middle, middle_crowd = median_run(runs, by="p50_ms"), median_run(crowd_runs, by="p50_ms")
    shape = {"posts": options.scaled(POSTS), "followers": FOLLOWERS, "sockets": CONNECTED, "goal_p99_ms": 150.0}
    of_crowd = {f"n{crowd_size}_{name}": value for name, value in middle_crowd.items()}
    return BenchResult(middle["p50_ms"], "ms", goal=25.0, details=middle | shape | of_crowd)


def _gather(name: str, followers: int, connected: int) -> Readers:
    author, *readers = make_users(f"bench-{name}", followers + 1)
    let_follow(readers, author)
    return Readers(author, log_in(readers[:connected]))


def _start(stack: ExitStack) -> tuple[dict[str, int], int]:
    """Start the product's processes for as long as `stack` is open; return their pids, and the port they serve."""
    handover = Path(stack.enter_context(tempfile.TemporaryDirectory())) / "handover.sock"
    port = free_port()
    processes = {}

    def start(name: str, *arguments: str) -> None:
        processes[name] = stack.enter_context(product_process(name, *arguments)).pid

    start("relay")
    start("worker", "--concurrency", "2")
    start("sockets", "--handover", str(handover))
    # Before that `web` would serve the sockets itself.
    if not wait_until(handover.exists, timeout=PATIENCE):
        raise CommandError(f"The socket server does not listen on {handover} after {PATIENCE:.0f} s.")
    start("web", "--port", str(port), "--handover", str(handover))
    return processes, port


def _measure(
    port: int, readers: Readers, posts: int, processes: dict[str, int], options: BenchOptions
) -> dict[str, float]:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        figures = runner.run(_post_all(port, readers, posts, processes))
    said = (f"{name} {value:.1f}" for name, value in figures.items() if name.startswith("p"))
    options.say("   ".join([f"{len(readers.cookies):,} sockets", *said]))
    return figures


async def _post_all(port: int, readers: Readers, posts: int, processes: dict[str, int]) -> dict[str, float]:
    arrivals = Arrivals(len(readers.cookies))
    first, *others = readers.cookies
    clients = [await join_first(port, first, SUBSCRIPTION, arrivals.hear)]
    clients += await join_all(port, others, SUBSCRIPTION, arrivals.hear)
    try:
        for number in range(WARMING_POSTS):
            await arrivals.follow(readers.author, number)
        arrivals.milliseconds.clear()
        spent = {name: tree_seconds(pid) for name, pid in processes.items()}
        for number in range(posts):
            await arrivals.follow(readers.author, number)
        spent = {name: tree_seconds(pid) - spent[name] for name, pid in processes.items()}
    finally:
        for client in clients:
            client.abort()
    cpu = {f"cpu_ms_{name}": seconds * 1000 / posts for name, seconds in spent.items()}
    return percentiles(arrivals.milliseconds) | cpu


class Arrivals:
    """How long posts take to each of `sockets` clients (`milliseconds`)."""

    def __init__(self, sockets: int) -> None:
        self.milliseconds: list[float] = []
        self._sockets = sockets
        self._arrived: list[tuple[int, float]] = []
        self._complete = asyncio.Event()

    async def follow(self, author: User, number: int) -> None:
        """Post something, wait until everybody has it, and pause."""
        self._arrived.clear()
        self._complete.clear()
        post, committed = await asyncio.to_thread(disconnected, lambda: _post(author, number))
        try:
            async with asyncio.timeout(PATIENCE):
                await self._complete.wait()
        except TimeoutError:
            raise CommandError(f"A post came {len(self._arrived)} times to {self._sockets} sockets.") from None
        if any(arrived != post for arrived, _ in self._arrived):
            raise CommandError(f"Something else than post {post} arrived: {self._arrived}.")
        self.milliseconds += [(at - committed) * 1000 for _, at in self._arrived]
        await asyncio.sleep(PAUSE)

    def hear(self, client: SocketClient, text: bytes, arrived: float) -> None:
        self._arrived += [(event["post"], arrived) for event in orjson.loads(text)["events"]]
        if len(self._arrived) == self._sockets:
            self._complete.set()


def _post(author: User, number: int) -> tuple[int, float]:
    """Write a post; return its id and when it was committed (`time.perf_counter`)."""
    committed: list[float] = []
    with transaction.atomic():
        transaction.on_commit(lambda: committed.append(time.perf_counter()))
        post = do_create_post(author=author, text=f"Post number {number} of the bench.")
    return post.pk, committed[0]
