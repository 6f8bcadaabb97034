"""Bench `delivery`: milliseconds from the commit of a post to its arrival at followers' sockets.

The way is the real one: trigger, relay, worker, fan-out, stream, hub, socket; each in its own process. Posts come one
by one, so this is the latency of an idle site, not of a busy one. `cpu_ms_…` is what each process spends on a post.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import orjson
from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.contrib.sessions.backends.db import SessionStore
from django.core.management.base import CommandError
from django.db import connection, transaction
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import WebSocketException

from feeds.actions import do_create_post
from feeds.models import Follow
from recsys.accounts.models import User
from recsys.bench.load import tree_seconds
from recsys.bench.processes import product_process
from recsys.bench.result import BenchOptions, BenchResult, median_run, percentiles

POSTS = 200
FOLLOWERS = 200
CONNECTED = 20
PAUSE = 0.1  # seconds between posts
PATIENCE = 30.0  # seconds


T = TypeVar("T")


@dataclass
class Arrivals:
    """When each post was committed, and when it arrived at each socket (`time.perf_counter`)."""

    committed: dict[int, float] = field(default_factory=dict)
    arrived: list[tuple[int, float]] = field(default_factory=list)
    cpu_ms: dict[str, float] = field(default_factory=dict)

    def milliseconds(self) -> list[float]:
        return [(at - self.committed[post]) * 1000 for post, at in self.arrived]


def run(options: BenchOptions) -> BenchResult:
    author, readers = _community()
    runs = []
    with ExitStack() as stack:
        processes, port = _start(stack)
        for _ in range(options.runs):
            arrivals = asyncio.run(_measure(port, author, readers, options.scaled(POSTS), processes))
            figures = percentiles(arrivals.milliseconds())
            options.say("   ".join(f"{name} {value:.1f}" for name, value in figures.items()))
            runs.append(figures | arrivals.cpu_ms)
    middle = median_run(runs, by="p50_ms")
    shape = {"posts": options.scaled(POSTS), "followers": FOLLOWERS, "sockets": CONNECTED, "goal_p99_ms": 150.0}
    return BenchResult(middle["p50_ms"], "ms", goal=25.0, details=middle | shape)


def _community() -> tuple[User, list[User]]:
    names = ["bench-author", *(f"bench-reader-{number}" for number in range(FOLLOWERS))]
    for name in names:
        User.objects.get_or_create(username=name, defaults={"password": "!"})
    author, *readers = User.objects.filter(username__in=names).order_by("username")
    edges = [Follow(follower=reader, followee=author) for reader in readers]
    Follow.objects.bulk_create(edges, ignore_conflicts=True)
    return author, readers[:CONNECTED]


def _start(stack: ExitStack) -> tuple[dict[str, int], int]:
    """Start the product's processes for as long as `stack` is open; return their pids, and the port they serve."""
    handover = Path(stack.enter_context(tempfile.TemporaryDirectory())) / "handover.sock"
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    commands = [
        ("relay",),
        ("worker", "--concurrency", "2"),
        ("sockets", "--handover", str(handover)),
        ("web", "--port", str(port), "--handover", str(handover)),
    ]
    processes = {command[0]: stack.enter_context(product_process(*command)).pid for command in commands}
    return processes, port


async def _measure(port: int, author: User, readers: Sequence[User], posts: int, processes: dict[str, int]) -> Arrivals:
    arrivals = Arrivals()
    sessions = await asyncio.to_thread(_in_thread, lambda: [_session(reader) for reader in readers])
    sockets = [await _subscribe(port, session) for session in sessions]
    listeners = [asyncio.create_task(_listen(websocket, arrivals)) for websocket in sockets]
    try:
        for warm in (True, False):
            arrivals.committed.clear()
            arrivals.arrived.clear()
            spent = {name: tree_seconds(pid) for name, pid in processes.items()}
            for number in range(20 if warm else posts):
                await asyncio.to_thread(_in_thread, lambda number=number: _post(author, number, arrivals))
                await asyncio.sleep(PAUSE)
            await _until_all_arrived(arrivals, len(sockets))
        arrivals.cpu_ms = {
            f"cpu_ms_{name}": (tree_seconds(pid) - spent[name]) * 1000 / posts for name, pid in processes.items()
        }
    finally:
        for listener in listeners:
            listener.cancel()
        await asyncio.gather(*listeners, return_exceptions=True)
        await asyncio.gather(*(websocket.close() for websocket in sockets))
    return arrivals


async def _until_all_arrived(arrivals: Arrivals, sockets: int) -> None:
    expected = len(arrivals.committed) * sockets
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(PATIENCE):
            while len(arrivals.arrived) < expected:
                await asyncio.sleep(0.01)
    if len(arrivals.arrived) != expected:
        raise CommandError(f"{len(arrivals.arrived)} of {expected} events arrived within {PATIENCE:.0f} s.")


async def _subscribe(port: int, session: str) -> ClientConnection:
    headers = {"Cookie": f"{settings.SESSION_COOKIE_NAME}={session}", "Origin": f"http://localhost:{port}"}
    async with asyncio.timeout(PATIENCE):
        while True:
            try:
                websocket = await connect(
                    f"ws://localhost:{port}/realtime/ws", additional_headers=headers, compression=None, proxy=None
                )
                await websocket.send('{"type": "subscribe", "id": "1", "kind": "timeline"}')
                answer = orjson.loads(await websocket.recv())
                if answer["type"] != "subscribed":
                    raise CommandError(f"The socket answered {answer}.")
                return websocket
            except (OSError, WebSocketException):  # the processes are still starting
                await asyncio.sleep(0.1)


async def _listen(websocket: ClientConnection, arrivals: Arrivals) -> None:
    async for frame in websocket:
        now = time.perf_counter()
        for event in orjson.loads(frame).get("events", ()):
            arrivals.arrived.append((event["post"], now))


def _post(author: User, number: int, arrivals: Arrivals) -> None:
    with transaction.atomic():
        committed: list[float] = []
        transaction.on_commit(lambda: committed.append(time.perf_counter()))
        post = do_create_post(author=author, text=f"Post number {number} of the bench.")
    arrivals.committed[post.pk] = committed[0]


def _session(user: User) -> str:
    session = SessionStore()
    session[SESSION_KEY] = str(user.pk)
    session[BACKEND_SESSION_KEY] = settings.AUTHENTICATION_BACKENDS[0]
    session[HASH_SESSION_KEY] = user.get_session_auth_hash()
    session.create()
    return str(session.session_key)


def _in_thread(work: Callable[[], T]) -> T:
    """Query the database in a thread that keeps no connection."""
    try:
        return work()
    finally:
        connection.close()
