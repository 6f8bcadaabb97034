"""Bench `celebrity`: what a post costs whose author has 1,000,000 followers, to its writer and to a reader.

The write is timed from the commit until the post is in the author's list, where readers find it, through relay and
worker. It must not depend on the number of followers, so authors with fewer post by turns with the large one. A
reader's page is timed in this process, for two readers of the same quiet authors of whom one follows the celebrity too.
"""

from __future__ import annotations

import statistics
import time
from contextlib import ExitStack

from django.core.management.base import CommandError

from feeds import timelines
from feeds.bench import crowd
from feeds.bench.waiting import PATIENCE, lacking, post_as, until_outbox_is_empty
from feeds.models import AuthorOverride, DeliveryMode
from feeds.policy import do_save_override
from feeds.selectors import home_timeline
from feeds.timelines import Contents
from recsys.accounts.models import User
from recsys.bench.load import tree_seconds
from recsys.bench.processes import product_process
from recsys.bench.result import BenchOptions, BenchResult, median_run, percentiles

SIZES = {"1k": 1_000, "100k": 100_000, "1m": 1_000_000}
POSTS = 50  # of each author
QUIET = 50  # authors whom both readers follow
PAGES = 200  # of each reader


def run(options: BenchOptions) -> BenchResult:
    crowd.check_empty()
    began = time.perf_counter()
    authors = _authors(options)
    large = authors["1m"]
    followers = options.scaled(SIZES["1m"])
    options.say(f"{followers:,} followers made in {time.perf_counter() - began:.0f} s")
    with ExitStack() as stack:
        stack.enter_context(product_process("relay"))
        worker = stack.enter_context(product_process("worker", "--concurrency", "2")).pid
        for nobody in User.objects.filter(pk__in=crowd.make_people("warm-up", 4)):
            post_as(nobody)
            until_outbox_is_empty()
        details: dict[str, float] = {"followers": followers}
        for size, author in authors.items():
            details[f"first_post_{size}_s"] = _become_pulled(author)
        without, following, quiet = _readers(large)
        runs = []
        for _ in range(options.runs):
            writes = _writes(authors, options.scaled(POSTS), worker)
            _post_by_turns(large, quiet)
            runs.append(writes | _pages(without, following, large, options.scaled(PAGES)))
            options.say("   ".join(f"{name} {value:.3g}" for name, value in runs[-1].items()))
    middle = median_run(runs, by="write_1m_p50_ms")
    details |= {"growth_1k_to_1m": middle["write_1m_p50_ms"] / middle["write_1k_p50_ms"], **middle}
    return BenchResult(middle["write_1m_p50_ms"], "ms", details=details)


def _authors(options: BenchOptions) -> dict[str, User]:
    """An author for each size, all of them pulled whatever the policy."""
    people = crowd.make_people("follower", options.scaled(SIZES["1m"]))
    authors = {}
    for size, count in SIZES.items():
        (pk,) = crowd.make_people(f"author-{size}", 1)
        crowd.let_follow(people[: options.scaled(count)], pk)
        authors[size] = User.objects.get(pk=pk)
        do_save_override(author=authors[size], mode=DeliveryMode.PULL, reason="bench")
    crowd.settle()
    return authors


def _become_pulled(author: User) -> float:
    """Write the author's first pulled post, of which all followers are told once, and warm the author's list.

    Return the seconds until everybody has been told.
    """
    _, committed = post_as(author)
    seconds = until_outbox_is_empty() - committed
    key = timelines.author_list(author.pk)
    timelines.fill_windows(timelines.open_windows([key]), {key: Contents("all", [])})
    return seconds


def _readers(celebrity: User) -> tuple[User, User, list[User]]:
    """Two readers of the same quiet authors, the second one of the celebrity as well; and those authors."""
    readers, quiet = crowd.make_people("reader", 2), crowd.make_people("quiet", QUIET)
    for author in quiet:
        crowd.let_follow(readers, author)
    crowd.let_follow(readers[1:], celebrity.pk)
    AuthorOverride.objects.bulk_create(AuthorOverride(author_id=author, mode=DeliveryMode.PUSH) for author in quiet)
    without, following = User.objects.filter(pk__in=readers).order_by("pk")
    return without, following, list(User.objects.filter(pk__in=quiet))


def _writes(authors: dict[str, User], posts: int, worker: int) -> dict[str, float]:
    """By size: milliseconds until a post is in its author's list, and milliseconds of the worker's CPU for it."""
    waits: dict[str, list[float]] = {size: [] for size in authors}
    spent = dict.fromkeys(authors, 0.0)
    for _ in range(posts):
        for size, author in authors.items():
            before = tree_seconds(worker)
            waits[size].append(_write(author) * 1000)
            until_outbox_is_empty()
            spent[size] += (tree_seconds(worker) - before) * 1000
    figures = {}
    for size in authors:
        figures[f"write_{size}_p50_ms"] = percentiles(waits[size])["p50_ms"]
        figures[f"write_{size}_p99_ms"] = percentiles(waits[size])["p99_ms"]
        figures[f"write_{size}_worker_cpu_ms"] = spent[size] / posts
    return figures


def _write(author: User) -> float:
    """Post; return the seconds from the commit until the post is in the author's list."""
    post, committed = post_as(author)
    place, deadline = [(timelines.author_list(author.pk).name, post)], time.monotonic() + PATIENCE
    while lacking(place):
        if time.monotonic() > deadline:
            raise CommandError(f"The post is not in its author's list after {PATIENCE:.0f} s.")
        time.sleep(0.001)
    return time.perf_counter() - committed


def _post_by_turns(celebrity: User, quiet: list[User]) -> None:
    """Let the newest posts be those of many authors, with one of the celebrity's among each five."""
    for number, author in enumerate(quiet):
        post_as(author)
        if number % 5 == 0:
            post_as(celebrity)
    until_outbox_is_empty()


def _pages(without: User, following: User, celebrity: User, pages: int) -> dict[str, float]:
    """Milliseconds of a first page from warm windows, by turns so that both readers meet the same machine."""
    seconds: dict[int, list[float]] = {without.pk: [], following.pk: []}
    for reader in (without, following):
        shown = {post.author_id for post in home_timeline(reader=reader).posts}
        if len(shown) < 5 or (celebrity.pk in shown) != (reader == following):
            raise CommandError(f"The first page of {reader} is not the one that is to be measured.")
    for _ in range(pages):
        for reader in (without, following):
            began = time.perf_counter()
            home_timeline(reader=reader)
            seconds[reader.pk].append(time.perf_counter() - began)
    plain, more = (statistics.median(seconds[reader.pk]) * 1000 for reader in (without, following))
    return {"page_without_p50_ms": plain, "page_with_p50_ms": more, "page_added_ms": more - plain}
