"""Bench `rebuild`: home windows rebuilt per second after Valkey has lost everything, for readers of 200 people each.

The way is the real one: rows of the outbox, relay, worker with two processes, until no row is left; then every reader
must have a ready window, and some are held against what SQL says. Beside it stands how long a cold reader's first page
takes, as somebody finds it who comes back before the rebuild has reached them; one of them follows 1,000 people.
"""

from __future__ import annotations

import random
import time
from collections.abc import Sequence
from contextlib import ExitStack
from datetime import timedelta

from django.core.management.base import CommandError
from django.db import connection, transaction

from feeds import timelines
from feeds.bench import crowd
from feeds.bench.waiting import until_outbox_is_empty
from feeds.models import ReadingPosition
from feeds.policy import do_decide_modes
from feeds.rebuild import CHUNK, rebuild_chunks
from feeds.selectors import home_timeline, timeline_sql
from realtime.valkey import get_client
from recsys.accounts.models import User
from recsys.bench.load import tree_seconds
from recsys.bench.processes import product_process
from recsys.bench.result import BenchOptions, BenchResult, median_run, percentiles
from recsys.outbox.actions import do_add_rows
from recsys.outbox.capture import capture_off

READERS, AUTHORS = 20_000, 10_000
FOLLOWS, MANY_FOLLOWS = 200, 1000
POSTS = 10  # of each author
COLD_PAGES = 100
CHECKED = 20
GOAL = 2000.0

_FOLLOWS = """
    INSERT INTO feeds_follow (follower_id, followee_id)
    SELECT reader, authors[1 + (start + step * n) %% cardinality(authors)]
    FROM (SELECT %(authors)s::bigint[] AS authors) a
    CROSS JOIN unnest(%(readers)s::bigint[], %(starts)s::int[], %(steps)s::int[]) AS r (reader, start, step)
    CROSS JOIN generate_series(1, %(follows)s) n
    ON CONFLICT DO NOTHING
"""


def run(options: BenchOptions) -> BenchResult:
    crowd.check_empty()
    began = time.perf_counter()
    authors = crowd.make_people("author", options.scaled(AUTHORS))
    readers = crowd.make_people("reader", options.scaled(READERS))
    busy = crowd.make_people("busy", 10)
    dice = random.Random(7)  # noqa: S311
    _let_follow(readers, authors, FOLLOWS, dice)
    _let_follow(busy, authors, MANY_FOLLOWS, dice)
    writers = authors * POSTS
    dice.shuffle(writers)
    do_decide_modes(posts=crowd.make_posts(writers))
    ReadingPosition.objects.bulk_create([ReadingPosition(reader_id=reader) for reader in readers], batch_size=5000)
    crowd.settle()
    crowd.make_room(len(readers) * crowd.BYTES_EACH)
    options.say(f"{len(readers):,} readers, {len(writers):,} posts made in {time.perf_counter() - began:.0f} s")
    runs = []
    with ExitStack() as stack:
        stack.enter_context(product_process("relay"))
        worker = stack.enter_context(product_process("worker", "--concurrency", "2")).pid
        _rebuild(readers, worker)  # each process of the worker has loaded everything once
        for _ in range(options.runs):
            figures = _rebuild(readers, worker)
            figures |= _cold_pages(readers[: options.scaled(COLD_PAGES)], "cold") | _cold_pages(
                busy, "cold_1000_follows"
            )
            options.say("   ".join(f"{name} {value:.4g}" for name, value in figures.items()))
            runs.append(figures)
    middle = median_run(runs, by="per_s")
    shape = {"readers": len(readers), "follows": FOLLOWS, "chunk": CHUNK, "goal_cold_ms": 100.0}
    return BenchResult(middle.pop("per_s"), "timelines/s", goal=GOAL, details=middle | shape)


def _let_follow(readers: Sequence[int], authors: Sequence[int], follows: int, dice: random.Random) -> None:
    count = min(follows, len(authors) - 1)
    with transaction.atomic(), capture_off(), connection.cursor() as cursor:
        starts, steps = ([dice.randrange(1, len(authors)) for _ in readers] for _ in range(2))
        cursor.execute(
            _FOLLOWS,
            {
                "authors": list(authors),
                "readers": list(readers),
                "starts": starts,
                "steps": steps,
                "follows": count,
            },
        )


def _rebuild(readers: Sequence[int], worker: int) -> dict[str, float]:
    get_client().flushdb()
    spent = tree_seconds(worker)
    began = time.perf_counter()
    do_add_rows(rebuild_chunks(since=timedelta(days=1)))
    seconds = until_outbox_is_empty() - began
    keys = [timelines.home(reader) for reader in readers]
    ready = timelines.read_windows(keys, before=None, limit=1)
    if len(ready) != len(readers):
        raise CommandError(f"{len(readers) - len(ready)} of {len(readers)} windows were not rebuilt.")
    for reader in User.objects.filter(pk__in=readers[:: max(1, len(readers) // CHECKED)]):
        shown = [post.pk for post in home_timeline(reader=reader, limit=100).posts]
        if shown != list(timeline_sql(reader=reader).values_list("pk", flat=True)[:100]):
            raise CommandError(f"The timeline of {reader} is not what SQL says.")
    entries = timelines.read_windows(keys[:1000], before=None, limit=1000).values()
    return {
        "per_s": len(readers) / seconds,
        "entries_each": sum(len(window.posts) for window in entries) / len(entries),
        "worker_cpu_us_each": (tree_seconds(worker) - spent) / len(readers) * 1e6,
    }


def _cold_pages(readers: Sequence[int], name: str) -> dict[str, float]:
    get_client().flushdb()
    waits = []
    for reader in User.objects.filter(pk__in=readers):
        began = time.perf_counter()
        home_timeline(reader=reader)
        waits.append((time.perf_counter() - began) * 1000)
    return {f"{name}_{part}": value for part, value in percentiles(waits).items() if part != "p90_ms"}
