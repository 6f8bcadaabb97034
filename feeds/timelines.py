"""Windows on the newest posts, cached in Valkey: a reader's home timeline, and the list of a pulled author's posts.

A window is a sorted set whose members are post ids, each with its negative as score, so that the newest comes first;
and behind them one *sentinel*, the only member whose score is not negative:

    ready|<tag>      complete from the id `floor` on (its score), for the state that `tag` names
    building|<nonce> somebody is filling it from SQL; posts already arrive, so that none is lost meanwhile

No key means a cold window: posts are not added to it, and it costs nothing. Whoever fills a window

1. opens it (`open_windows`), which throws away what was there; from now on posts are added to it. Where somebody else
   is filling it already, they are left to it: many readers of one author's list must not begin anew for ever;
2. reads SQL. A post that committed before this is in the answer, and one that commits later is added by its fan-out;
3. fills it (`fill_windows`). This does nothing if the sentinel is no longer the one of step 1: the filling took so long
   that the window went and somebody else began anew, or Valkey lost its memory.

So a ready window lacks nothing from its floor on, whatever ran at the same time. It can hold too much (posts that were
deleted since, or that came late and lie below the floor, where reading leaves them out), which is why readers check its
posts in SQL. This module alone knows this layout.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, islice

import numpy as np

from feeds.keys import ALIVE, AUTHOR, HOME, VERSION
from realtime.valkey import KeyPattern, Trip, get_client

CAPACITY = 800  # posts that a filled or trimmed window has
SLACK = 32  # posts that a window may have beyond, so that a full one is trimmed once for so many and not for each
KEYS_PER_CALL = 100  # scripts over more keys hold up everybody else for milliseconds
POSTS_PER_CALL = 100  # added to a full window before it is trimmed, they must leave it below 1,024 entries: a listpack
CALLS_PER_TRIP = 20
WALKED_PER_CALL = 500  # keys
READY = "ready|"
BUILDING_TTL = 15  # seconds; what a dead process left half-filled is cold again after this

# Only a ready window's life is prolonged: one that is being filled goes with whoever died filling it. In one step, for
# between the sentinel and the posts others could open the window.
_READ = """
local newest, limit, windows = ARGV[1], ARGV[2], {}
for i, key in ipairs(KEYS) do
    local sentinel = redis.call('ZRANGE', key, -1, -1, 'WITHSCORES')
    if sentinel[1] and string.sub(sentinel[1], 1, 6) == 'ready|' then
        redis.call('EXPIRE', key, ARGV[i + 2])
        local oldest = -math.max(sentinel[2], 1)
        local posts = redis.call('ZRANGE', key, newest, oldest, 'BYSCORE', 'LIMIT', 0, limit)
        windows[i] = {string.sub(sentinel[1], 7), sentinel[2], posts}
    else
        windows[i] = 0
    end
end
return windows
"""
# What a window holds from its floor on, and no use of it: its life stays as it was.
_PEEK = """
local windows = {}
for i, key in ipairs(KEYS) do
    local sentinel = redis.call('ZRANGE', key, -1, -1, 'WITHSCORES')
    if sentinel[1] then
        local posts = redis.call('ZRANGE', key, '-inf', -math.max(sentinel[2], 1), 'BYSCORE')
        windows[i] = {sentinel[1], sentinel[2], posts}
    else
        windows[i] = 0
    end
end
return windows
"""
# Drops the oldest posts beyond the capacity; the window is then complete only from the oldest that is left on.
_TRIM = """
local function trim(key, capacity)
    redis.call('ZREMRANGEBYRANK', key, capacity, -2)
    local ends = redis.call('ZRANGE', key, -2, -1, 'WITHSCORES')
    redis.call('ZADD', key, math.max(-ends[2], ends[4]), ends[3])
end
"""
# Two commands for each window, because this is what a fan-out does most. The newest post belongs before the others, so
# its place is found at once: with the ids as scores Valkey would walk over the whole listpack (measured with 400
# posts: 12 us for each window instead of 5, of which most is the search for the same post).
_ADD = (
    _TRIM
    + """
local capacity, most = tonumber(ARGV[1]), tonumber(ARGV[2])
local call, posts, warm = redis.call, (#ARGV - 2) / 2, 0
for _, key in ipairs(KEYS) do
    local held = call('ZCARD', key) - 1
    if held >= 0 then
        warm = warm + 1
        call('ZADD', key, unpack(ARGV, 3))
        if held + posts > most and call('ZCARD', key) - 1 > most then
            trim(key, capacity)
        end
    end
end
return warm
"""
)
_OPEN = """
local opened = {}
for i, key in ipairs(KEYS) do
    local sentinel = redis.call('ZRANGE', key, -1, -1)[1]
    if sentinel and string.sub(sentinel, 1, 9) == 'building|' then
        opened[i] = 0
    else
        redis.call('DEL', key)
        redis.call('ZADD', key, 0, ARGV[1])
        redis.call('EXPIRE', key, ARGV[2])
        opened[i] = 1
    end
end
return opened
"""
# Adding to a listpack looks through all of it each time. So a long window is first made a skiplist, by a member too
# long for a listpack, and at last stored anew, which makes a listpack of it again (measured with 800 posts: 0.8 ms in
# all instead of 4.6 with one ZADD to the listpack, 6 with a ZADD for each). Up to `short` posts the listpack itself is
# quicker (100 posts: 0.11 instead of 0.15), if the oldest comes first and each next one in front of it. The posts come
# packed, because 800 arguments take the client 0.6 ms, and 400 words of a text take Lua 0.3 to find.
_FILL = (
    _TRIM
    + """
local key, capacity, ttl, expected, sentinel, floor = KEYS[1], tonumber(ARGV[1]), ARGV[2], ARGV[3], ARGV[4], ARGV[5]
if redis.call('ZRANGE', key, -1, -1)[1] ~= expected then
    return 0
end
redis.call('ZREM', key, expected)
redis.call('ZREMRANGEBYSCORE', key, '(-' .. floor, '+inf')
local short, long, posts, entries, n = 128, string.rep('x', 100), cmsgpack.unpack(ARGV[6]), {floor, sentinel}, 2
for i = #posts, 1, -1 do
    entries[n + 1], entries[n + 2] = -posts[i], posts[i]
    n = n + 2
end
if #posts > short then
    redis.call('ZADD', key, 0, long)
end
redis.call('ZADD', key, unpack(entries))
redis.call('ZREM', key, long)
if redis.call('ZCARD', key) - 1 > capacity then
    trim(key, capacity)
end
if #posts > short then
    redis.call('ZUNIONSTORE', key, 1, key)
end
redis.call('EXPIRE', key, ttl)
return 1
"""
)


@dataclass(frozen=True, slots=True)
class Window:
    """A ready window below the id asked for: its posts, newest first, and from which id on it is complete."""

    tag: str
    floor: int
    posts: list[int]


@dataclass(frozen=True, slots=True)
class Contents:
    """What SQL has for a window: the newest posts, newest first, at most CAPACITY; and its tag.

    They are all there are from the id `complete_from` on (0: all), as far as the capacity did not cut them off.
    """

    tag: str
    newest: Sequence[int]
    complete_from: int = 0

    @property
    def floor(self) -> int:
        return max(self.complete_from, self.newest[-1] if len(self.newest) >= CAPACITY else 0)

    def window(self, before: int | None, limit: int) -> Window:
        """What reading the window would give, once it is filled with this."""
        below = [post for post in self.newest if before is None or post < before]
        return Window(self.tag, self.floor, below[:limit])


@dataclass(frozen=True, slots=True)
class WindowKey:
    """Which window: one of the two patterns, and whose."""

    pattern: KeyPattern
    owner: int

    @property
    def name(self) -> str:
        return self.pattern.key(reader=self.owner, author=self.owner)

    @property
    def ttl(self) -> int:
        return self.pattern.ttl or 0


def home(reader: int) -> WindowKey:
    """The window of the posts pushed to `reader`."""
    return WindowKey(HOME, reader)


def author_list(author: int) -> WindowKey:
    """The window of the posts that the readers of `author` pull."""
    return WindowKey(AUTHOR, author)


def read_windows(keys: Sequence[WindowKey], *, before: int | None, limit: int) -> dict[WindowKey, Window]:
    """The ready ones of these windows with up to `limit` posts below `before`, in one trip; their life is prolonged."""
    trip = Trip()
    windows = _ask(trip, keys, before, limit)
    trip.go()
    return windows()


def read_home(
    reader: int, authors: Sequence[int], *, before: int | None, limit: int, trip: Trip | None = None
) -> tuple[Window | None, dict[int, bytes]]:
    """The reader's home window, as `read_windows` gives it, and the versions of the authors' lists.

    In one trip: `trip` where others have asked for something that must be read before. A list is as it was while its
    version is. One without a version gets one, which later readers find.
    """
    trip, key = trip or Trip(), home(reader)
    windows = _ask(trip, [key], before, limit)
    versions = trip.ask("MGET", *VERSION.keys(authors)) if authors else list
    trip.go()
    known = {author: version for author, version in zip(authors, versions(), strict=True) if version}
    if len(known) < len(authors):
        _set_versions([author for author in authors if author not in known], only_missing=True)
    return windows().get(key), known


def note_change(authors: Iterable[int]) -> None:
    """Give lists that were changed another version; after the change, so that who reads the new one finds it."""
    _set_versions(authors, only_missing=False)


def _set_versions(authors: Iterable[int], *, only_missing: bool) -> None:
    pipeline = get_client().pipeline(transaction=False)
    for author in authors:
        pipeline.set(VERSION.key(author=author), secrets.token_hex(8), nx=only_missing, ex=VERSION.ttl)
    if len(pipeline):
        pipeline.execute()


def _ask(
    trip: Trip, keys: Sequence[WindowKey], before: int | None, limit: int
) -> Callable[[], dict[WindowKey, Window]]:
    newest = "-inf" if before is None else f"(-{before}"
    answers = []
    for start in range(0, len(keys), KEYS_PER_CALL):
        call = keys[start : start + KEYS_PER_CALL]
        names, lives = (key.name for key in call), (key.ttl for key in call)
        answers.append(trip.ask("EVAL", _READ, len(call), *names, newest, limit, *lives))
    return lambda: {
        key: Window(answer[0].decode(), int(float(answer[1])), [int(post) for post in answer[2]])
        for key, answer in zip(keys, chain.from_iterable(part() for part in answers), strict=True)
        if answer
    }


def open_windows(keys: Sequence[WindowKey], *, ttl: int = BUILDING_TTL) -> dict[WindowKey, str]:
    """Begin to fill these windows, but for those that somebody else is filling: the sentinel of each one begun, which
    `fill_windows` wants to see again within `ttl` seconds.
    """
    sentinel = f"building|{secrets.token_hex(8)}"
    pipeline = get_client().pipeline(transaction=False)
    for start in range(0, len(keys), KEYS_PER_CALL):
        names = [key.name for key in keys[start : start + KEYS_PER_CALL]]
        pipeline.eval(_OPEN, len(names), *names, sentinel, ttl)
    begun = chain.from_iterable(pipeline.execute())
    return {key: sentinel for key, mine in zip(keys, begun, strict=True) if mine}


def fill_windows(opened: Mapping[WindowKey, str], contents: Mapping[WindowKey, Contents]) -> None:
    """Fill opened windows with what SQL had for each."""
    pipeline = get_client().pipeline(transaction=False)
    for key, expected in opened.items():
        content = contents[key]
        posts = _packed(content.newest[:CAPACITY])
        arguments = (CAPACITY, key.ttl, expected, f"ready|{content.tag}", content.floor, posts)
        pipeline.eval(_FILL, 1, key.name, *arguments)
    pipeline.execute()


def home_names(readers: Iterable[int]) -> list[str]:
    """The names of the home windows of many readers."""
    return HOME.keys(readers)


def _packed(posts: Sequence[int]) -> bytes:
    """Numbers as an array of MessagePack, which Valkey's scripts can read; as scores, they are exact up to 2^53."""
    items = np.empty(len(posts), [("type", "u1"), ("value", ">i8")])
    items["type"], items["value"] = 0xD3, posts
    return b"\xdc" + len(posts).to_bytes(2, "big") + items.tobytes()


def add_posts(groups: Sequence[tuple[Sequence[str], Sequence[int]]]) -> list[int]:
    """For each group (names of windows, posts), add the posts to those of the windows that are warm; return for each
    group how many these were.

    Repeating it changes nothing. It takes few trips, however many groups there are.
    """
    client, calls, warm = get_client(), _calls(groups), [0] * len(groups)
    while trip := list(islice(calls, CALLS_PER_TRIP)):
        pipeline = client.pipeline(transaction=False)
        for _, names, entries in trip:
            pipeline.eval(_ADD, len(names), *names, CAPACITY, CAPACITY + SLACK, *entries)
        for (group, _, _), found in zip(trip, pipeline.execute(), strict=True):
            warm[group] += found
    return [count // max(1, _parts(posts)) for count, (_, posts) in zip(warm, groups, strict=True)]


def _parts(posts: Sequence[int]) -> int:
    """In how many parts posts are added to a window."""
    return -(-len(posts) // POSTS_PER_CALL)


def _calls(groups: Iterable[tuple[Sequence[str], Sequence[int]]]) -> Iterator[tuple[int, Sequence[str], list[int]]]:
    """Which group, the names of windows, and what to add to them: scores and posts in turns."""
    for group, (names, posts) in enumerate(groups):
        parts = [posts[start : start + POSTS_PER_CALL] for start in range(0, len(posts), POSTS_PER_CALL)]
        entries = [[score_or_post for post in part for score_or_post in (-post, post)] for part in parts]
        for start in range(0, len(names), KEYS_PER_CALL):
            call = names[start : start + KEYS_PER_CALL]
            yield from ((group, call, part) for part in entries)


def peek_windows(keys: Sequence[WindowKey]) -> dict[WindowKey, Window]:
    """All that the ready ones of these windows hold, without prolonging their life: to look after them."""
    pipeline = get_client().pipeline(transaction=False)
    for start in range(0, len(keys), KEYS_PER_CALL):
        names = [key.name for key in keys[start : start + KEYS_PER_CALL]]
        pipeline.eval(_PEEK, len(names), *names)
    answers = chain.from_iterable(pipeline.execute())
    return {
        key: Window(answer[0].decode().removeprefix(READY), int(float(answer[1])), [int(post) for post in answer[2]])
        for key, answer in zip(keys, answers, strict=True)
        if answer and answer[0].startswith(READY.encode())
    }


def drop_windows(keys: Sequence[WindowKey]) -> None:
    """Make windows cold, whatever state they are in. Who is filling one finds it gone; who reads it next fills it."""
    for start in range(0, len(keys), KEYS_PER_CALL):
        get_client().unlink(*(key.name for key in keys[start : start + KEYS_PER_CALL]))
    note_change(key.owner for key in keys if key.pattern is AUTHOR)


def find_readers(*, cursor: int, most: int, walked: int) -> tuple[list[int], int]:
    """About `most` readers who have a home window, walking over at most about `walked` keys; and where to go on (0: all
    were seen).
    """
    client, readers, prefix = get_client(), set[int](), HOME.key(reader="")
    while len(readers) < most and walked > 0:
        cursor, names = client.scan(cursor, match=f"{prefix}*", count=WALKED_PER_CALL)
        readers |= {int(name[len(prefix) :]) for name in names}
        walked -= WALKED_PER_CALL
        if not cursor:
            break
    return sorted(readers), cursor


def has_memory() -> bool:
    """Whether Valkey still has what was noted by `note_memory`; False after it lost everything."""
    return bool(get_client().expire(ALIVE.key(), ALIVE.ttl or 0))


def note_memory() -> None:
    """Note that windows are there, or are about to be."""
    get_client().set(ALIVE.key(), 1, ex=ALIVE.ttl)
