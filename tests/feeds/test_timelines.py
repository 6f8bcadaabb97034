"""The windows alone: what is complete, what is trimmed, and what a race leaves."""

from __future__ import annotations

import pytest
import redis

from feeds import timelines
from feeds.timelines import Contents, fill_windows, home, open_windows, read_windows

execute = redis.client.Pipeline.execute


@pytest.fixture(autouse=True)
def _small(monkeypatch):
    monkeypatch.setattr(timelines, "CAPACITY", 3)
    monkeypatch.setattr(timelines, "SLACK", 0)


def read(key, before=None, limit=10):
    window = read_windows([key], before=before, limit=limit).get(key)
    return window and (window.tag, window.floor, window.posts)


def add_posts(keys, posts):
    timelines.add_posts([([key.name for key in keys], posts)])


def fill(key, posts, tag="t"):
    fill_windows(open_windows([key]), {key: Contents(tag, posts)})


def test_a_cold_window_costs_nothing(valkey):
    add_posts([home(1)], [5])
    assert list(valkey.scan_iter()) == []
    assert read(home(1)) is None


def test_a_filled_window_is_complete_or_says_from_where(valkey):
    fill(home(1), [7, 5])
    assert read(home(1)) == ("t", 0, [7, 5])
    fill(home(1), [9, 8, 6])
    assert read(home(1)) == ("t", 6, [9, 8, 6])
    assert 0 < valkey.ttl(home(1).name) <= home(1).ttl


def test_pages_are_read_below_a_post():
    fill(home(1), [7, 5, 3])
    assert read(home(1), before=7) == ("t", 3, [5, 3])
    assert read(home(1), before=6, limit=1) == ("t", 3, [5])


def test_new_posts_push_the_oldest_out_and_raise_the_floor(valkey):
    fill(home(1), [7, 5])
    add_posts([home(1), home(2)], [8])
    assert read(home(1)) == ("t", 0, [8, 7, 5])
    add_posts([home(1)], [9, 10])
    assert read(home(1)) == ("t", 8, [10, 9, 8])
    add_posts([home(1)], [6])
    assert read(home(1)) == ("t", 8, [10, 9, 8]), "below the floor nothing is complete, so nothing is read"
    assert valkey.zcard(home(1).name) == 4


def test_a_full_window_is_trimmed_once_for_so_many_posts(valkey, monkeypatch):
    monkeypatch.setattr(timelines, "SLACK", 2)
    fill(home(1), [7, 5, 3])
    add_posts([home(1)], [8])
    add_posts([home(1)], [9])
    assert read(home(1)) == ("t", 3, [9, 8, 7, 5, 3]), "what is there anyway may be read"
    add_posts([home(1)], [9])
    assert read(home(1)) == ("t", 3, [9, 8, 7, 5, 3]), "a repetition makes it no longer"
    add_posts([home(1)], [10])
    assert read(home(1)) == ("t", 8, [10, 9, 8])


def test_a_late_post_below_the_floor_is_not_read_and_lowers_no_floor(valkey, monkeypatch):
    monkeypatch.setattr(timelines, "SLACK", 1)
    fill(home(1), [9, 8, 6])
    add_posts([home(1)], [2])
    assert read(home(1)) == ("t", 6, [9, 8, 6])
    assert read(home(1), before=6) == ("t", 6, [])
    add_posts([home(1)], [3])
    assert valkey.zrange(home(1).name, 0, -2) == [b"9", b"8", b"6"], "they go first"
    assert read(home(1)) == ("t", 6, [9, 8, 6])
    monkeypatch.setattr(timelines, "CAPACITY", 4)
    add_posts([home(1)], [2])
    add_posts([home(1)], [4, 3])
    assert valkey.zcard(home(1).name) == 5
    assert read(home(1)) == ("t", 6, [9, 8, 6]), "the oldest that is left is below the floor, which stays"


def test_more_posts_than_a_window_has_room_for_leave_the_newest(valkey):
    fill(home(1), [7])
    add_posts([home(1)], range(10, 250))
    assert read(home(1)) == ("t", 247, [249, 248, 247])
    assert valkey.zcard(home(1).name) == 4


def test_what_was_trimmed_while_a_window_is_filled_is_below_its_floor():
    opened = open_windows([home(1)])
    add_posts([home(1)], [20, 21, 22, 23, 24])
    fill_windows(opened, {home(1): Contents("t", [7, 5])})
    assert read(home(1)) == ("t", 22, [24, 23, 22])


def test_a_repeated_post_is_there_once():
    fill(home(1), [7])
    for _ in range(2):
        add_posts([home(1)], [8])
    assert read(home(1)) == ("t", 0, [8, 7])


def test_what_arrives_while_a_window_is_filled_stays():
    opened = open_windows([home(1)])
    add_posts([home(1)], [8])
    assert read(home(1)) is None, "it lacks what SQL is yet to tell"
    fill_windows(opened, {home(1): Contents("t", [7, 5])})
    assert read(home(1)) == ("t", 0, [8, 7, 5])


def test_of_two_who_would_fill_it_the_first_does():
    first, second = open_windows([home(1)]), open_windows([home(1), home(2)])
    assert list(second) == [home(2)]
    add_posts([home(1)], [8])
    fill_windows(second, {home(2): Contents("other", [5])})
    assert read(home(1)) is None
    fill_windows(first, {home(1): Contents("t", [7])})
    assert read(home(1)) == ("t", 0, [8, 7])


def test_who_was_overtaken_fills_nothing(valkey):
    first = open_windows([home(1)])
    valkey.delete(home(1).name)
    second = open_windows([home(1)])
    fill_windows(first, {home(1): Contents("old", [5])})
    assert read(home(1)) is None
    fill_windows(second, {home(1): Contents("new", [7, 5])})
    assert read(home(1)) == ("new", 0, [7, 5])


def test_what_a_dead_process_began_is_cold_again_soon(valkey):
    open_windows([home(1)])
    assert read(home(1)) is None
    assert 0 < valkey.ttl(home(1).name) <= timelines.BUILDING_TTL, "reading must not keep it half-filled"


def test_reading_prolongs_the_life_of_a_ready_window(valkey):
    fill(home(1), [7])
    valkey.expire(home(1).name, 5)
    read(home(1))
    assert valkey.ttl(home(1).name) > 5


def test_contents_may_be_complete_from_a_post_on():
    fill_windows(open_windows([home(1)]), {home(1): Contents("t", [9], complete_from=8)})
    assert read(home(1)) == ("t", 8, [9])


def test_a_window_lost_while_it_is_filled_stays_cold(valkey):
    opened = open_windows([home(1)])
    valkey.flushdb()
    fill_windows(opened, {home(1): Contents("t", [5])})
    assert read(home(1)) is None
    assert list(valkey.scan_iter()) == []


@pytest.mark.parametrize("newest", [20_000_000, 2_000_000_800, 9_000_000_000_000])
def test_a_warm_window_is_a_listpack_of_bounded_size(valkey, monkeypatch, newest):
    """However it came to what it has: while it was filled, by one post at a time, or by many at once."""
    monkeypatch.setattr(timelines, "CAPACITY", 800)
    monkeypatch.setattr(timelines, "SLACK", 32)
    opened = open_windows([home(1)])
    for post in range(newest + 1, newest + 51):
        add_posts([home(1)], [post])
    fill_windows(opened, {home(1): Contents("t", range(newest, newest - 800, -1))})
    assert valkey.zcard(home(1).name) == 801
    assert valkey.object("encoding", home(1).name) == b"listpack"
    for post in range(newest + 51, newest + 83):
        add_posts([home(1)], [post])
    assert valkey.zcard(home(1).name) == 833
    assert valkey.memory_usage(home(1).name) <= 21_000
    add_posts([home(1)], range(newest + 83, newest + 1083))
    assert valkey.zcard(home(1).name) <= 833
    assert valkey.object("encoding", home(1).name) == b"listpack"
    assert read(home(1), limit=3) == (
        "t",
        newest + 1082 - (valkey.zcard(home(1).name) - 2),
        [newest + 1082, newest + 1081, newest + 1080],
    )


def test_many_windows_take_a_few_trips():
    keys = [home(reader) for reader in range(1, 2501)]
    fill_windows(open_windows(keys), {key: Contents("t", []) for key in keys})
    add_posts(keys, [4])
    windows = read_windows(keys, before=None, limit=5)
    assert len(windows) == 2500
    assert all(window.posts == [4] for window in windows.values())


def test_groups_get_each_its_own_posts_in_one_trip(monkeypatch):
    keys = [home(reader) for reader in range(1, 8)]
    fill_windows(open_windows(keys), {key: Contents("t", []) for key in keys})
    trips = []
    monkeypatch.setattr(redis.client.Pipeline, "execute", lambda self: trips.append(1) or execute(self))
    timelines.add_posts([([key.name for key in keys[n : n + 2]], [n + 10]) for n in range(6)])
    assert trips == [1]
    found = read_windows(keys, before=None, limit=5)
    assert [found[key].posts for key in keys] == [[10], [11, 10], [12, 11], [13, 12], [14, 13], [15, 14], [15]]


@pytest.mark.parametrize("parts", [1, 2, 100])
def test_adding_says_how_many_windows_of_each_group_were_warm(monkeypatch, parts):
    monkeypatch.setattr(timelines, "POSTS_PER_CALL", parts)
    monkeypatch.setattr(timelines, "KEYS_PER_CALL", 2)
    warm, cold = [home(reader) for reader in range(1, 6)], [home(reader) for reader in range(6, 9)]
    fill_windows(open_windows(warm), {key: Contents("t", []) for key in warm})
    names = [key.name for key in [*warm, *cold]]
    assert timelines.add_posts([(names, [7, 8, 9]), (names[5:], [9]), (names[4:6], [1]), ([], [2])]) == [5, 0, 1, 0]
