"""The lists of pulled authors as this process last read them: a short layer over Valkey, which lies over SQL.

Many readers follow the same celebrities, so what one page has read serves the next. A list kept here is used only while
its version in Valkey is the one that was read *before* the list: whoever changes a list gives it another version
afterwards. So it lacks nothing that reading Valkey would find, and a page costs a version for each list.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from prometheus_client import Counter

from feeds import timelines
from feeds.timelines import Window, WindowKey, author_list

LISTS = 1000  # kept in a process: 5 MB
KEPT = 100  # posts of each, for first pages; further pages go to Valkey
LONGEST = 60.0  # seconds; after that a list is read again, which also prolongs its life in Valkey

READ = Counter("tributary_author_lists_read", "Lists of pulled authors read for pages, by where they were.", ["source"])


@dataclass(frozen=True, slots=True)
class _Kept:
    version: bytes
    until: float
    window: Window
    whole: bool  # there is no more in Valkey than this


_lists: OrderedDict[int, _Kept] = OrderedDict()
_lock = threading.Lock()


def read_lists(
    authors: Iterable[int], versions: Mapping[int, bytes], *, before: int | None, limit: int
) -> dict[WindowKey, Window]:
    """The warm ones of these authors' lists with up to `limit` posts below `before`, at most one trip to Valkey.

    `versions` are those that `timelines.read_home` gave, just now.
    """
    found: dict[WindowKey, Window] = {}
    missing: list[int] = []
    for author in authors:
        window = _recall(author, versions.get(author), before, limit)
        if window is None:
            missing.append(author)
        else:
            found[author_list(author)] = window
    READ.labels("process").inc(len(found))
    if missing:
        found |= _fetch(missing, versions, before, limit)
    return found


def forget_lists() -> None:
    """Drop all that is kept."""
    with _lock:
        _lists.clear()


def _recall(author: int, version: bytes | None, before: int | None, limit: int) -> Window | None:
    kept = _lists.get(author)
    if kept is None or kept.version != version or kept.until < time.monotonic():
        return None
    window = kept.window
    posts = window.posts if before is None else [post for post in window.posts if post < before]
    if len(posts) < limit and not kept.whole:
        return None
    with _lock:
        if author in _lists:
            _lists.move_to_end(author)
    return Window(window.tag, window.floor, posts[:limit])


def _fetch(
    authors: list[int], versions: Mapping[int, bytes], before: int | None, limit: int
) -> dict[WindowKey, Window]:
    keys = [author_list(author) for author in authors]
    if before is not None:
        return timelines.read_windows(keys, before=before, limit=limit)
    most = max(KEPT, limit)
    read = timelines.read_windows(keys, before=None, limit=most)
    READ.labels("valkey").inc(len(read))
    until = time.monotonic() + LONGEST
    with _lock:
        for key, window in read.items():
            if version := versions.get(key.owner):
                _lists[key.owner] = _Kept(version, until, window, len(window.posts) < most)
                _lists.move_to_end(key.owner)
        while len(_lists) > LISTS:
            _lists.popitem(last=False)
    return {key: Window(window.tag, window.floor, window.posts[:limit]) for key, window in read.items()}
