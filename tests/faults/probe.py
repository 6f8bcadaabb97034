"""What the fault tests do inside of a site, by `Site.asking`."""

from __future__ import annotations

from typing import Any

import django

django.setup()

from feeds import timelines  # noqa: E402
from feeds.actions import do_create_post  # noqa: E402
from feeds.models import FanoutPolicy, Follow, Post  # noqa: E402
from feeds.rebuild import do_rebuild_windows  # noqa: E402
from feeds.selectors import home_timeline, timeline_sql  # noqa: E402
from recsys.accounts.models import User  # noqa: E402
from recsys.outbox.models import OutboxRow  # noqa: E402
from recsys.outbox.selectors import backlog  # noqa: E402
from tests.site import answer_calls  # noqa: E402


def seed(author: str, readers: int) -> int:
    """Make an author with this many active followers, whose timelines are warm; posts are pushed to them."""
    FanoutPolicy.objects.update_or_create(pk=1, defaults={"celebrity_threshold": 10**6, "lower_bound": 10**6})
    writer = User.objects.create(username=author)
    people = User.objects.bulk_create([User(username=f"{author}-{n}") for n in range(readers)], batch_size=5000)
    Follow.objects.bulk_create([Follow(follower=person, followee=writer) for person in people], batch_size=5000)
    return do_rebuild_windows(readers=[person.pk for person in people])


def post(author: str, count: int = 1) -> list[int]:
    """Write posts; return their ids."""
    writer = User.objects.get(username=author)
    return [do_create_post(author=writer, text=f"Post {n} of {author}").pk for n in range(count)]


def parked() -> int:
    """How many outbox rows are parked after failing."""
    return sum(states.get("parked", 0) for states in backlog().values())


def sent(posts: list[int]) -> bool:
    """Whether a relay has taken any of these posts, which have just been written."""
    waiting = OutboxRow.objects.filter(aggregatetype="feeds.post", aggregateid__in=map(str, posts), attempts=0)
    return waiting.count() < len(posts)


def delivered(author: str) -> int:
    """How many of the author's followers have the newest post in their window."""
    newest = Post.objects.filter(author__username=author).order_by("-pk").values_list("pk", flat=True).first()
    keys = [timelines.home(reader) for reader in _readers(author)]
    found = timelines.read_windows(keys, before=None, limit=1)
    return sum(window.posts[:1] == [newest] for window in found.values())


def compare(author: str, sample: int) -> dict[str, Any]:
    """Hold what the author's followers see against SQL: every warm window, and a sample of them page by page.

    `wrong` are the readers for whom it differs; each post must be there once.
    """
    readers = _readers(author)
    truth = [post.pk for post in timeline_sql(reader=User.objects.get(pk=readers[0]))]
    windows = timelines.read_windows([timelines.home(reader) for reader in readers], before=None, limit=1000)
    wrong = {key.owner for key, window in windows.items() if window.posts != truth}
    step = max(1, len(readers) // sample)
    for reader in User.objects.filter(pk__in=readers[::step]):
        expected = list(timeline_sql(reader=reader).values_list("pk", flat=True))
        if _all_pages(reader) != expected or expected != truth:
            wrong.add(reader.pk)
    return {"readers": len(readers), "warm": len(windows), "posts": len(truth), "wrong": sorted(wrong)[:10]}


def compare_all(author: str) -> dict[str, Any]:
    """The same for followers who follow others too: each reader's pages against that reader's own SQL."""
    readers = User.objects.filter(pk__in=_readers(author))
    wrong = [
        reader.pk
        for reader in readers
        if _all_pages(reader) != list(timeline_sql(reader=reader).values_list("pk", flat=True))
    ]
    return {"readers": len(readers), "wrong": wrong[:10]}


def texts(author: str, beginning: str) -> list[str]:
    """The texts of an author's posts that begin so."""
    return list(Post.objects.filter(author__username=author, text__startswith=beginning).values_list("text", flat=True))


def _readers(author: str) -> list[int]:
    return list(Follow.objects.filter(followee__username=author).order_by("pk").values_list("follower", flat=True))


def _all_pages(reader: User) -> list[int]:
    seen: list[int] = []
    before = None
    while True:
        page = home_timeline(reader=reader, before=before, limit=7)
        seen += [post.pk for post in page.posts]
        if page.next_before is None:
            return seen
        before = page.next_before


if __name__ == "__main__":
    answer_calls({call.__name__: call for call in (seed, post, parked, sent, delivered, compare, compare_all, texts)})
