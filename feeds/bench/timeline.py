"""Bench `timeline`: the first page of a home timeline with 20 pulled authors among 200 followed, all windows warm.

In service, the page is what `home_timeline` returns. The limit is what anybody would have to do: one pipeline that
reads the newest posts of the home window and of 20 lists, a merge, and one query for the rows of the 20 posts and their
authors; it checks no rights, knows no position, and finds out by itself nothing of whom the reader follows.

Over HTTP, one `web` process serves the page through the partner API, and beside it an endpoint with one Valkey read.
"""

from __future__ import annotations

import asyncio
import heapq
import socket
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from itertools import islice
from operator import neg

from django.core.management.base import CommandError
from django.db import connection

from feeds import timelines
from feeds.bench import crowd
from feeds.models import AuthorOverride, DeliveryMode
from feeds.policy import do_decide_modes
from feeds.selectors import PAGE, home_timeline
from realtime.valkey import get_client
from recsys.accounts.models import User
from recsys.bench.processes import product_process
from recsys.bench.result import BenchOptions, BenchResult, median_run, percentiles
from recsys.partners.actions import do_create_client, do_create_key

FOLLOWED, PULLED = 200, 20
POSTS = {"pulled": 400, "pushed": 5}  # of each author
PAGES = 300
REQUESTS, CONNECTIONS = 1500, 4
PATIENCE = 60.0  # seconds
ENOUGH = 31  # posts asked of each window

_ROWS = """
    SELECT p.item_id, p.text, p.created_at, u.username, u.display_name
    FROM feeds_post p JOIN accounts_user u ON u.id = p.author_id WHERE p.item_id = ANY(%s) ORDER BY p.item_id DESC
"""


def run(options: BenchOptions) -> BenchResult:
    crowd.check_empty()
    reader, pulled = _make_reader()
    for _ in range(3):  # fill the windows, give the lists versions, keep them
        home_timeline(reader=reader)
    _check(reader, pulled)
    runs = []
    with ExitStack() as stack:
        port = _serve(stack)
        key = do_create_key(client=do_create_client(name="bench", requests_per_minute=10_000_000), scopes=["read"]).text
        for _ in range(options.runs):
            runs.append(_in_service(reader, pulled, options.scaled(PAGES)) | _over_http(port, key, reader, options))
            options.say("   ".join(f"{name} {value:.3g}" for name, value in runs[-1].items()))
    middle = median_run(runs, by="ratio")
    value, limit = middle.pop("p50_ms"), middle.pop("raw_p50_ms")
    return BenchResult(value, "ms", limit=limit, goal=2.0, details={"p50_ms": value, **middle})


def _make_reader() -> tuple[User, list[int]]:
    (reader,) = crowd.make_people("reader", 1)
    authors = crowd.make_people("author", FOLLOWED)
    pulled = authors[:PULLED]
    for author in authors:
        crowd.let_follow([reader], author)
    AuthorOverride.objects.bulk_create(AuthorOverride(author_id=one, mode=DeliveryMode.PULL) for one in pulled)
    made = [one for author in authors for one in [author] * POSTS["pulled" if author in pulled else "pushed"]]
    posts = crowd.make_posts(made)
    do_decide_modes(posts=posts)
    crowd.settle()
    return User.objects.get(pk=reader), pulled


def _check(reader: User, pulled: Sequence[int]) -> None:
    found = [post.pk for post in home_timeline(reader=reader).posts]
    if found != _raw(reader, pulled) or len(found) != PAGE:
        raise CommandError("The page and the raw merge differ: one of the two is wrong.")


def _raw(reader: User, pulled: Sequence[int]) -> list[int]:
    pipeline = get_client().pipeline(transaction=False)
    for key in [timelines.home(reader.pk), *map(timelines.author_list, pulled)]:
        pipeline.zrange(key.name, "-inf", "-1", byscore=True, offset=0, num=ENOUGH)
    lists = [[int(post) for post in answer] for answer in pipeline.execute()]
    page = list(islice(heapq.merge(*lists, key=neg), PAGE))
    with connection.cursor() as cursor:
        cursor.execute(_ROWS, [page])
        return [row[0] for row in cursor.fetchall()]


def _in_service(reader: User, pulled: Sequence[int], pages: int) -> dict[str, float]:
    """By turns, so that what else runs on the machine is shared by both."""
    page: list[float] = []
    raw: list[float] = []
    for _ in range(pages):
        page.append(_milliseconds(lambda: home_timeline(reader=reader)))
        raw.append(_milliseconds(lambda: _raw(reader, pulled)))
    figures = percentiles(page) | {f"raw_{name}": value for name, value in percentiles(raw).items()}
    return figures | {"ratio": figures["p50_ms"] / figures["raw_p50_ms"]}


def _milliseconds(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return (time.perf_counter() - began) * 1000


def _serve(stack: ExitStack) -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    stack.enter_context(product_process("web", "--port", str(port)))
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return port
        except OSError:
            time.sleep(0.1)
    raise CommandError("The web process does not answer.")


def _over_http(port: int, key: str, reader: User, options: BenchOptions) -> dict[str, float]:
    figures: dict[str, float] = {}
    paths = {"http": f"/api/v1/users/id:{reader.pk}/timeline", "http_one_read": "/bench/one-read"}
    for name, path in paths.items():
        for measured in (False, True):  # the first requests find nothing compiled and no connections
            count = options.scaled(REQUESTS) if measured else 2 * CONNECTIONS
            began = time.perf_counter()
            waits = asyncio.run(_requests(port, path, key, count))
            seconds = time.perf_counter() - began
        figures |= {f"{name}_per_s": len(waits) / seconds}
        figures |= {f"{name}_{part}": value for part, value in percentiles(waits).items() if part != "p90_ms"}
    return figures | {"http_ratio": figures["http_per_s"] / figures["http_one_read_per_s"]}


async def _requests(port: int, path: str, key: str, count: int) -> list[float]:
    """Milliseconds of each of so many requests, made on CONNECTIONS connections at once."""
    each = max(1, count // CONNECTIONS)
    parts = await asyncio.gather(*(_connection(port, path, key, each) for _ in range(CONNECTIONS)))
    return [wait for part in parts for wait in part]


async def _connection(port: int, path: str, key: str, count: int) -> list[float]:
    ask = f"GET {path} HTTP/1.1\r\nHost: localhost:{port}\r\nAuthorization: Bearer {key}\r\n\r\n".encode()
    waits = []
    incoming, outgoing = await asyncio.open_connection("127.0.0.1", port)
    for _ in range(count):
        began = time.perf_counter()
        outgoing.write(ask)
        head = await incoming.readuntil(b"\r\n\r\n")
        if not head.startswith(b"HTTP/1.1 200"):
            raise CommandError(f"{path} was answered with {head.splitlines()[0].decode()}.")
        length = next(line for line in head.lower().splitlines() if line.startswith(b"content-length:"))
        await incoming.readexactly(int(length.split(b":")[1]))
        waits.append((time.perf_counter() - began) * 1000)
    outgoing.close()
    await outgoing.wait_closed()
    return waits
