"""Bench `fanout`: deliveries per second of one post to 100,000 followers with warm windows of 400 posts.

The way is the real one: trigger, outbox, relay, worker with two processes; a post counts as delivered when its outbox
rows are gone, and then every follower's window must hold it. The limit is one client that runs the least script, ZADD
and a trim, over the same windows with the same number of keys in a call, and that promises nothing.

Beside it: seconds for fewer followers, and how long followers of small authors wait while a large one posts.
"""

from __future__ import annotations

import random
import time
from collections import defaultdict
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass

from django.core.management.base import CommandError

from feeds import timelines
from feeds.bench import crowd
from feeds.bench.waiting import PATIENCE, lacking, post_as, until_outbox_is_empty
from feeds.policy import do_save_policy
from realtime.valkey import get_client
from recsys.accounts.models import User
from recsys.bench.load import tree_seconds
from recsys.bench.processes import product_process
from recsys.bench.result import BenchOptions, BenchResult, median_run, percentiles

SIZES = {"1k": 1_000, "10k": 10_000, "100k": 100_000}
WINDOW = 400  # posts
SMALL_AUTHORS, SMALL = 200, (20, 200)  # of the mixed run, with so many followers
MIDDLE_AUTHORS, MIDDLE = 5, (1_000, 10_000)
SAMPLE = {"small": 2, "middle": 20, "large": 200}  # followers of each author whose windows are watched
LOOK = 0.02  # seconds between looks at those windows, which would else keep a core busy that the fan-out needs
NEVER = 100_000_000  # followers: all posts are pushed
RAW_POST = 2_000_000_000

_RAW = """
for _, key in ipairs(KEYS) do
    redis.call('ZADD', key, ARGV[1], ARGV[2])
    redis.call('ZREMRANGEBYRANK', key, ARGV[3], -2)
end
"""


@dataclass(frozen=True, slots=True)
class Author:
    """Who posts, and the names of the windows of those who are to see it."""

    user: User
    bucket: str
    windows: list[str]


def run(options: BenchOptions) -> BenchResult:
    crowd.check_empty()
    do_save_policy(threshold=NEVER, lower_bound=NEVER)
    began = time.perf_counter()
    readers = crowd.make_people("reader", options.scaled(SIZES["100k"]))
    single = {name: _author(name, "large", readers[: options.scaled(size)]) for name, size in SIZES.items()}
    mixed = [*_authors_of_the_mixed_run(options, readers), single["100k"]]
    crowd.settle()
    crowd.warm_windows(readers, WINDOW)
    options.say(f"{len(readers):,} readers with warm windows made in {time.perf_counter() - began:.0f} s")
    runs = []
    with ExitStack() as stack:
        processes = {
            command[0]: stack.enter_context(product_process(*command)).pid
            for command in (("relay",), ("worker", "--concurrency", "2"))
        }
        for _ in range(2):  # each process of the worker has done everything once
            _deliver(single["1k"])
        for _ in range(options.runs):
            runs.append(_measure(single, mixed, processes, options))
    middle = median_run(runs, by="ratio")
    value, limit, _ = (middle.pop(name) for name in ("value", "limit", "ratio"))
    return BenchResult(value, "deliveries/s", limit=limit, goal=0.5, details=middle | {"goal_10k_visible_s": 0.3})


def _measure(
    single: dict[str, Author], mixed: Sequence[Author], processes: dict[str, int], options: BenchOptions
) -> dict[str, float]:
    large = single["100k"].windows
    limit = len(large) / _write_raw(large)
    seconds = {f"{name}_visible_s": _deliver(single[name]) for name in ("1k", "10k")}
    before = _cpu_seconds(processes)
    seconds["100k_visible_s"] = _deliver(single["100k"])
    value = len(large) / seconds["100k_visible_s"]
    spent = {name: after - before[name] for name, after in _cpu_seconds(processes).items()}
    options.say(f"raw {limit:,.0f}/s   delivered {value:,.0f}/s   10k in {seconds['10k_visible_s']:.2f} s")
    figures = {"value": value, "limit": limit, "ratio": value / limit, **seconds}
    figures |= {f"cpu_us_each_{name}": cpu * 1e6 / len(large) for name, cpu in spent.items()}
    for bucket, waits in _post_together(mixed).items():
        figures |= {f"mixed_{bucket}_{name}": wait for name, wait in percentiles(waits).items() if name != "p90_ms"}
    return figures


def _cpu_seconds(processes: dict[str, int]) -> dict[str, float]:
    """CPU seconds so far of the product's processes and of Valkey."""
    valkey = get_client().info("cpu")
    seconds = {name: tree_seconds(pid) for name, pid in processes.items()}
    return seconds | {"valkey": valkey["used_cpu_user"] + valkey["used_cpu_sys"]}


def _write_raw(windows: Sequence[str]) -> float:
    """Write a post to all windows by the least script; return the seconds it took. The windows are then as before."""
    client = get_client()
    keys, trips = timelines.KEYS_PER_CALL, timelines.KEYS_PER_CALL * timelines.CALLS_PER_TRIP
    began = time.perf_counter()
    for start in range(0, len(windows), trips):
        pipeline = client.pipeline(transaction=False)
        for first in range(start, min(start + trips, len(windows)), keys):
            part = windows[first : first + keys]
            pipeline.eval(_RAW, len(part), *part, -RAW_POST, RAW_POST, timelines.CAPACITY)
        pipeline.execute()
    seconds = time.perf_counter() - began
    pipeline = client.pipeline(transaction=False)
    for window in windows:
        pipeline.zrem(window, RAW_POST)
    if sum(pipeline.execute()) != len(windows):
        raise CommandError("The raw script has not written to all windows.")
    return seconds


def _deliver(author: Author) -> float:
    """Post; return the seconds from the commit until no row of the outbox is left and every window holds the post."""
    post, committed = post_as(author.user)
    seconds = until_outbox_is_empty() - committed
    if without := lacking([(window, post) for window in author.windows]):
        raise CommandError(f"{len(without)} of {len(author.windows)} windows lack the post, {without[0][0]} for one.")
    return seconds


def _post_together(authors: Sequence[Author]) -> dict[str, list[float]]:
    """The large author posts, and the others one after another; milliseconds until watched windows hold the posts."""
    due: dict[tuple[str, int], tuple[str, float]] = {}
    waits: dict[str, list[float]] = defaultdict(list)
    waiting, looked, deadline = list(reversed(authors)), 0.0, time.monotonic() + PATIENCE
    while waiting or due:
        if waiting:
            author = waiting.pop(0)
            post, committed = post_as(author.user)
            step = max(1, len(author.windows) // SAMPLE[author.bucket])
            due |= {(window, post): (author.bucket, committed) for window in author.windows[::-step]}
            if time.perf_counter() < looked + LOOK:
                continue
        time.sleep(0 if waiting else LOOK)
        open_places = set(lacking(list(due)))
        now = looked = time.perf_counter()
        for place in due.keys() - open_places:
            bucket, committed = due.pop(place)
            waits[bucket].append((now - committed) * 1000)
        if time.monotonic() > deadline:
            raise CommandError(f"{len(due)} windows lack their post after {PATIENCE:.0f} s.")
    until_outbox_is_empty()
    return waits


def _authors_of_the_mixed_run(options: BenchOptions, readers: Sequence[int]) -> list[Author]:
    dice = random.Random(7)  # noqa: S311
    kinds = [("small", SMALL_AUTHORS, SMALL), ("middle", MIDDLE_AUTHORS, MIDDLE)]
    authors = []
    for bucket, count, (least, most) in kinds:
        for number in range(options.scaled(count)):
            followers = options.scaled(dice.randint(least, most))
            authors.append(_author(f"{bucket}-{number}", bucket, dice.sample(readers, followers)))
    dice.shuffle(authors)
    return authors


def _author(name: str, bucket: str, followers: Sequence[int]) -> Author:
    (pk,) = crowd.make_people(f"author-{name}", 1)
    crowd.let_follow(followers, pk)
    return Author(User.objects.get(pk=pk), bucket, [timelines.home(reader).name for reader in followers])
