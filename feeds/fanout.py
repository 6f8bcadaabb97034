"""Fan-out: bring posts to their readers' windows, and news of them to their streams.

    post ─▶ mode ─┬─ pull ─▶ the author's list and the stream author:<id>; readers merge
                  └─ push ─▶ chunks of followers ─▶ each warm home window, and the streams user:<id>

Every step is level-triggered: it reads what the posts and the follows are now. A step that runs twice adds what is
there already; one that runs late cannot show anybody what they may not see, because readers check in SQL.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any

from feeds import audience, timelines
from feeds.audience import Audience
from feeds.deliveries import do_note_delivery
from feeds.models import Delivery, DeliveryMode, Post, Visibility
from feeds.policy import do_decide_modes
from feeds.stream_events import edits_of, post_deleted, post_new
from feeds.subscriptions import author_stream, user_stream
from realtime import streams
from recsys.outbox.handlers import Child

CHUNK_TOPIC = "feeds.fanout_chunk"
MANY = 100  # readers, from which on a call holds one event for all of them
ANNOUNCED = 20  # posts of a newly pulled author that their followers are told of; if there are more, they reload

ToldOf = tuple[int, int, str | None, str]  # a post, its author, its mode and its visibility


@dataclass
class _News:
    """What posts bring to windows and streams, gathered: a trip to Valkey or SQL costs more than many windows."""

    windows: list[tuple[list[str], list[int]]] = field(default_factory=list)
    buckets: list[str | None] = field(default_factory=list)  # of each of these; None: nothing is recorded of it
    changed_lists: list[int] = field(default_factory=list)
    events: list[tuple[list[str], dict[str, Any]]] = field(default_factory=list)

    def bring_to_writer(self, author: int, mode: str, posts: Sequence[Post]) -> None:
        """Nobody waits for their own words."""
        if mode == DeliveryMode.PUSH:
            self._add([timelines.home(author).name], posts, None)
        self.events += [([user_stream(author)], post_new(post.pk, post.author_id)) for post in posts]

    def bring_to_author_list(self, author: int, posts: Sequence[Post]) -> None:
        """Bring pulled posts to the author's list, and to whoever listens to it.

        All listeners hear the same, so what some of them do not see (a reply to somebody else, a repost of what they
        have already) is not announced there.
        """
        self._add([timelines.author_list(author).name], posts, Delivery.Bucket.AUTHOR)
        self.changed_lists.append(author)
        for_all = [post for post in posts if post.visibility != Visibility.PRIVATE and not audience.is_selective(post)]
        self.events += [([author_stream(author)], post_new(post.pk, post.author_id)) for post in for_all]

    def bring_to_followers(self, posts: Sequence[Post], followers: Audience, bucket: str) -> None:
        """Bring one author's posts to those of these followers whom each is for."""
        selective = [post for post in posts if audience.is_selective(post)]
        self._bring([post for post in posts if post not in selective], followers, bucket)
        for post in selective:
            self._bring([post], audience.of_post(post, followers.windows), bucket)

    def _bring(self, posts: Sequence[Post], readers: Audience, bucket: str) -> None:
        if posts:
            self._add(timelines.home_names(readers.windows), posts, bucket)
            told = [user_stream(reader) for reader in readers.told]
            self.events += [(told, post_new(post.pk, post.author_id)) for post in posts]

    def _add(self, names: list[str], posts: Sequence[Post], bucket: str | None) -> None:
        self.windows.append((names, [post.pk for post in posts]))
        self.buckets.append(bucket)

    def deliver(self) -> None:
        """Write it all: the windows first, for who hears of a post looks for it there."""
        warm = timelines.add_posts(self.windows)
        timelines.note_change(self.changed_lists)
        for many, events in groupby(self.events, key=lambda event: len(event[0]) > MANY):
            if many:
                for names, event in events:
                    streams.append_to_all(names, event)
            else:
                streams.append((name, event) for names, event in events for name in names)
        brought: dict[str, Counter[int]] = defaultdict(Counter)
        for bucket, (_, posts), windows in zip(self.buckets, self.windows, warm, strict=True):
            if bucket is not None:
                brought[bucket].update(dict.fromkeys(posts, windows))
        for bucket, windows_of in brought.items():
            do_note_delivery(bucket=bucket, windows=windows_of)


def deliver_posts(ids: Sequence[int]) -> list[Child]:
    """Decide the modes of posts and deliver them; the children are the chunks of authors with more followers."""
    do_decide_modes(posts=ids)
    by_author: dict[tuple[int, str], list[Post]] = defaultdict(list)
    for post in Post.objects.filter(pk__in=ids).order_by("pk"):
        by_author[post.author_id, post.mode or DeliveryMode.PUSH].append(post)
    followers = audience.of_authors([author for author, mode in by_author if mode == DeliveryMode.PUSH])
    news, children = _News(), []
    for (author, mode), posts in by_author.items():
        news.bring_to_writer(author, mode, posts)
        others = [post for post in posts if post.visibility != Visibility.PRIVATE]
        if mode == DeliveryMode.PULL:
            news.bring_to_author_list(author, posts)
        elif author in followers:
            news.bring_to_followers(others, followers[author], Delivery.Bucket.ALL)
        elif others:
            children += spread(author, "deliver", {"posts": [post.pk for post in others]})
    news.deliver()
    return children


def tell_of_edits(posts: Sequence[ToldOf]) -> list[Child]:
    """Tell the readers of posts, and of reposts of them, that these have other words."""
    return _tell_of_posts(posts, edits_of([post for post, *_ in posts]), again=True)


def tell_of_deletions(posts: Collection[ToldOf]) -> list[Child]:
    """Tell the readers of posts that these are gone."""
    return _tell_of_posts(posts, {post: post_deleted(post) for post, *_ in posts}, again=False)


def _tell_of_posts(posts: Iterable[ToldOf], events: Mapping[int, dict[str, Any]], *, again: bool) -> list[Child]:
    """Tell the readers of posts that something became of them; `again`: they are there, for others perhaps.

    What is for fewer people now, or gone, is dropped by reading. What was for the author alone lacks in the windows of
    the others, so these get it once more: nothing tells it from a post with other words.
    """
    children: list[Child] = []
    for post, author, mode, visibility in posts:
        if post not in events:  # deleted a moment ago, which is still to be told
            continue
        event, anew = events[post], [post] if again else []
        _tell([author], [event])
        # Without a mode it was brought to nobody. Modes are committed before anything is delivered, so what was deleted
        # without one was deleted before that, and its delivery, whenever it comes, finds no post to deliver.
        if mode is None or visibility == Visibility.PRIVATE:
            continue
        if mode == DeliveryMode.PULL:
            streams.append([(author_stream(author), event)])
        else:
            children += spread(author, "tell", {"event": event, "posts": anew})
    return children


def announce_pulled_author(author: int) -> list[Child]:
    """Tell the followers of an author whose posts are pulled from now on to listen to the author's stream too.

    The stream's position is taken before the posts are read, so that between what is announced here and what comes
    through the stream nothing is missed. An announcement may come so late (a worker was killed) that there are more
    posts than are told of one by one, of which connections that listen already have missed the first.
    """
    position = streams.positions([author_stream(author)])
    pulled = Post.objects.filter(author=author, mode=DeliveryMode.PULL).exclude(visibility=Visibility.PRIVATE)
    newest = list(pulled.filter(audience.FOR_ALL).order_by("-pk").values_list("pk", flat=True)[: ANNOUNCED + 1])
    _tell([author], [resubscribe(position)])
    if len(newest) > ANNOUNCED:
        return spread(author, "reload", {})
    return spread(author, "announce", {"posts": newest, "position": position})


def spread(author: int, kind: str, payload: dict[str, Any]) -> list[Child]:
    """Do a job for all followers of `author`: here where one chunk holds them, else in children, one for each chunk.

    The chunks hold those who are connected first, then those who have read lately, then the others; chunks of several
    authors take turns (see `Child.place`), so that one with many followers does not hold up the rest.
    """
    followers = audience.followers_of(author)
    if len(followers) <= audience.CHUNK:
        run_chunk(kind, {"author": author, "readers": followers, "bucket": Delivery.Bucket.ALL, **payload})
        return []
    return [
        Child(
            CHUNK_TOPIC, str(author), kind, {"author": author, "readers": readers, "bucket": bucket, **payload}, place
        )
        for place, (bucket, readers) in enumerate(audience.chunks(author, followers))
    ]


def run_chunk(kind: str, payload: dict[str, Any]) -> None:
    """Do a job for some followers of an author."""
    author, readers = payload["author"], payload["readers"]
    if kind == "deliver":
        _deliver_chunk(author, payload["posts"], readers, payload["bucket"])
    elif kind == "tell":
        _add_posts(author, payload.get("posts", ()), readers)
        _tell(readers, [payload["event"]])
    elif kind == "announce":
        news = [post_new(post, author) for post in reversed(payload["posts"])]
        _tell(audience.of_author(author, readers).told, news)
        _tell(readers, [resubscribe(payload["position"])])
    elif kind == "reload":
        streams.forget([user_stream(reader) for reader in readers])


def _deliver_chunk(author: int, ids: Sequence[int], readers: Sequence[int], bucket: str) -> None:
    # Read again: what was deleted or blocked while the chunk waited is not delivered.
    posts = list(Post.objects.filter(pk__in=ids).order_by("pk"))
    news = _News()
    news.bring_to_followers(posts, audience.of_author(author, readers), bucket)
    news.deliver()


def _add_posts(author: int, ids: Sequence[int], readers: Sequence[int]) -> None:
    """Bring posts to windows without a word, as they are now; deleted ones are not there."""
    for post in Post.objects.filter(pk__in=ids).exclude(visibility=Visibility.PRIVATE):
        followers = (
            audience.of_post(post, readers) if audience.is_selective(post) else audience.of_author(author, readers)
        )
        timelines.add_posts([(timelines.home_names(followers.windows), [post.pk])])


def resubscribe(position: str) -> dict[str, Any]:
    """The event that makes a connection ask again which streams its subscriptions have, new ones from `position` on."""
    return {"type": "resubscribe", "position": position}


def _tell(readers: Sequence[int], events: Iterable[dict[str, Any]]) -> None:
    names = [user_stream(reader) for reader in readers]
    for event in events:
        streams.append_to_all(names, event)
