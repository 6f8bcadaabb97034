"""What the benches of feeds wait for: an empty outbox, and posts in windows."""

from __future__ import annotations

import time
from collections.abc import Sequence

from django.core.management.base import CommandError
from django.db import connection

from feeds.actions import do_create_post
from realtime.valkey import get_client
from recsys.accounts.models import User

PATIENCE = 120.0  # seconds
WINDOWS_PER_CALL = 100

_LACKING = """
local lacking = {}
for i, key in ipairs(KEYS) do
    if not redis.call('ZSCORE', key, ARGV[i]) then
        lacking[#lacking + 1] = i - 1
    end
end
return lacking
"""


def post_as(author: User) -> tuple[int, float]:
    """Write a post; return its id and when it was committed (`time.perf_counter`)."""
    post = do_create_post(author=author, text="A post as long as posts are, which is not very long.")
    return post.pk, time.perf_counter()


def until_outbox_is_empty(pause: float = 0.005) -> float:
    """Wait until every row is finished; return when that was found."""
    deadline = time.monotonic() + PATIENCE
    while fetch("SELECT 1 FROM outbox LIMIT 1"):
        if time.monotonic() > deadline:
            raise CommandError(f"The outbox is not empty after {PATIENCE:.0f} s: {fetch('TABLE outbox LIMIT 1')}")
        time.sleep(pause)
    return time.perf_counter()


def lacking(places: Sequence[tuple[str, int]]) -> list[tuple[str, int]]:
    """Which of these pairs (window, post) are not so: the window does not hold the post."""
    pipeline = get_client().pipeline(transaction=False)
    parts = [places[start : start + WINDOWS_PER_CALL] for start in range(0, len(places), WINDOWS_PER_CALL)]
    for part in parts:
        pipeline.eval(_LACKING, len(part), *(name for name, _ in part), *(post for _, post in part))
    return [part[index] for part, answer in zip(parts, pipeline.execute(), strict=True) for index in answer]


def fetch(sql: str, *parameters: str | int) -> list[tuple]:
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters or None)
        return list(cursor.fetchall())
