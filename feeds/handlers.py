"""What follows from posts and follows."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

from django.db import connection

from feeds import fanout, notify, rebuild
from feeds.actions import do_withhold_posts
from feeds.fanout import ToldOf
from feeds.graph import do_approve_all
from feeds.models import AuthorStats, Post, Visibility
from feeds.notifications import unread_counts
from feeds.stream_events import edits_of, post_deleted
from feeds.subscriptions import author_stream, user_stream
from feeds.words import do_index_posts
from realtime import presence, streams
from recsys.accounts.selectors import showing_presence
from recsys.catalog.counts import publish_counts
from recsys.catalog.counts import stream_of as item_stream
from recsys.catalog.handlers import counted
from recsys.outbox.handlers import Child, Row, handler
from recsys.recommend import news

TELLINGS = 3  # of one batch: of more changes at the same time, another batch tells
TOLD_REPOSTS = 50  # of each edited post, the newest: their readers see the same words

# Those posts and reposts of them as they are now: what a row says of a post is from when it was captured, perhaps from
# before its mode was decided.
_TOLD_OF_EDITS = """
    SELECT item_id, author_id, mode, visibility FROM feeds_post WHERE item_id = ANY(%(posts)s::bigint[])
    UNION SELECT r.* FROM unnest(%(posts)s::bigint[]) AS edited (post) CROSS JOIN LATERAL (
        SELECT item_id, author_id, mode, visibility FROM feeds_post WHERE repost_of_id = edited.post
        ORDER BY item_id DESC LIMIT %(most)s
    ) r
"""


# Few messages wait at a time, so that posts gather meanwhile: a batch of them costs little more than one.
@handler("feeds.post", queue="celery.posts", batch=100, waiting=2)
def fan_out_posts(rows: Sequence[Row]) -> list[Child]:
    """Deliver new posts, and tell of those that were edited or deleted. Readers read what they are now from SQL."""
    by_type = {kind: [row for row in rows if row.type == kind] for kind in ("insert", "update", "delete")}
    do_index_posts(posts={int(row.key) for row in rows if row.type != "delete"})
    edited = {int(row.key) for row in by_type["update"]}
    children = fanout.deliver_posts(sorted({int(row.key) for row in by_type["insert"]} | _undelivered(edited)))
    children += fanout.tell_of_edits(_told_of_edits(edited))
    children += fanout.tell_of_deletions({_as_captured(row) for row in by_type["delete"]})
    _tell_onlookers(by_type["update"], [int(row.key) for row in by_type["delete"]])
    _notify_of_posts(rows)
    return children + publish_counts(_counted_with(rows))


def _tell_onlookers(edited: Sequence[Row], deleted: Iterable[int]) -> None:
    """Tell whoever has a post before them, on whichever page; what is not public may be theirs to follow no more."""
    narrowed = {int(row.key) for row in edited if row.payload["visibility"] != Visibility.PUBLIC}
    news = [*edits_of([int(row.key) for row in edited]).items()]
    news += [(post, fanout.resubscribe("")) for post in sorted(narrowed)]
    news += [(post, post_deleted(post)) for post in deleted]
    streams.append((item_stream(post), event) for post, event in news)


def _counted_with(rows: Sequence[Row]) -> set[int]:
    """The posts of which a reply or a repost came or went."""
    others = (row.payload[name] for row in rows if row.type != "update" for name in ("reply_to_id", "repost_of_id"))
    return {other for other in others if other}


def _notify_of_posts(rows: Sequence[Row]) -> None:
    """Whom posts answer and name, and whose post was reposted; an undone repost is no post any more, but was one."""
    notify.notify_of_posts({int(row.key) for row in rows if row.type != "delete"})
    reposted = ((row.payload["author_id"], row.payload["repost_of_id"]) for row in rows)
    notify.notify_of_reposts((actor, post) for actor, post in reposted if post)


def _undelivered(edited: Collection[int]) -> set[int]:
    """Those of the edited posts that no fan-out has handled: their insertion is still to come, or was never captured.

    They are delivered first, which decides how their readers are told.
    """
    return set(Post.objects.filter(pk__in=edited, mode=None).values_list("pk", flat=True)) if edited else set()


def _told_of_edits(edited: Collection[int]) -> list[ToldOf]:
    if not edited:
        return []
    with connection.cursor() as cursor:
        cursor.execute(_TOLD_OF_EDITS, {"posts": list(edited), "most": TOLD_REPOSTS})
        return cursor.fetchall()


def _as_captured(row: Row) -> ToldOf:
    """The post of a row of a deletion, which alone knows it still."""
    about = row.payload
    return int(row.key), about["author_id"], about["mode"], about["visibility"]


@handler(fanout.CHUNK_TOPIC, queue="celery.fanout", batch=1, waiting=4)
def fan_out_chunks(rows: Sequence[Row]) -> None:
    """One chunk of a large author's followers a message, so that the chunks spread over the workers."""
    for row in rows:
        fanout.run_chunk(row.type, row.payload)


@handler("feeds.follow")
def follow_changed(rows: Sequence[Row]) -> None:
    """Let the followers' connections listen to whom they follow now. Their windows notice the change when read.

    Readers who are not there have no stream and cost next to nothing, so that an import of follows is cheap.
    """
    edges = {(row.payload["follower_id"], row.payload["followee_id"]) for row in rows}
    _listen_anew(edges)
    notify.notify_of_follows(edges)


@handler("feeds.mute")
def mute_changed(rows: Sequence[Row]) -> list[Child]:
    """Let connections listen to whom their readers want to read now, and be recommended nothing by the others."""
    edges = {(row.payload["muter_id"], row.payload["muted_id"]) for row in rows}
    _listen_anew(edges)
    return news.retract_creators(edges)


def _listen_anew(edges: Iterable[tuple[int, int]]) -> None:
    """Make the connections of readers, given with the author whom they read or do no more, ask for their streams."""
    edges = sorted(edges)
    authors = {author for _, author in edges}
    pulled = AuthorStats.objects.filter(pk__in=authors, has_pull_posts=True).values_list("pk", flat=True)
    positions = {author: streams.positions([author_stream(author)]) for author in pulled}
    streams.append((user_stream(reader), fanout.resubscribe(positions.get(author, ""))) for reader, author in edges)


def _ask_anew(readers: Iterable[int]) -> None:
    """Make the connections of readers ask what their subscriptions have, where no stream comes to them that they miss
    anything of.
    """
    streams.append_to_all([user_stream(reader) for reader in sorted(set(readers))], fanout.resubscribe(""))


@handler("feeds.block")
def block_changed(rows: Sequence[Row]) -> list[Child]:
    """Let connections ask anew what they may follow; take what each made from what the other is recommended.

    Of timelines there is nothing to do: readers ask for blocks whenever they read, and the follows that a block ends
    are captured too.
    """
    edges = {(row.payload["blocker_id"], row.payload["blocked_id"]) for row in rows}
    _ask_anew(person for edge in edges for person in edge)
    return news.retract_creators(edges | {(blocked, blocker) for blocker, blocked in edges})


@handler("feeds.request", effect="transaction")
def request_changed(rows: Sequence[Row]) -> None:
    """Tell people who wants to follow them."""
    notify.notify_of_requests((row.payload["requester_id"], row.payload["target_id"]) for row in rows)


@handler("feeds.like", effect="transaction")
def like_changed(rows: Sequence[Row]) -> list[Child]:
    """Tell authors who likes their posts, and everybody how many do."""
    notify.notify_of_likes((row.payload["user_id"], row.payload["post_id"]) for row in rows)
    return counted(row.payload["post_id"] for row in rows)


@handler("feeds.notification", batch=1000)
def notifications_changed(rows: Sequence[Row]) -> None:
    """Tell the browsers of each recipient, once for a batch, how many are unseen now.

    Another batch may have told a newer number between the reading and the telling, so whose has changed is told again.
    """
    recipients = sorted({row.payload["recipient_id"] for row in rows})
    told: dict[int, int] = {}
    for _ in range(TELLINGS):
        unseen = {user: count for user, count in unread_counts(recipients).items() if told.get(user) != count}
        if not unseen:
            return
        streams.append(
            (user_stream(user), {"type": "notifications", "unseen": count}) for user, count in unseen.items()
        )
        told |= unseen


@handler("accounts.user")
def account_changed(rows: Sequence[Row]) -> None:
    """Recommend the posts of accounts that are private or suspended now no more, and of those that are not any more
    again. Whoever still waits for one of these is let in, whichever way it was made public.

    Who is not shown as online any more is taken off all pages, and sees nobody else.
    """
    accounts = sorted({int(row.key) for row in rows})
    do_withhold_posts(authors=accounts)
    do_approve_all(targets=accounts)
    shown = showing_presence(accounts)
    presence.do_forget([account for account in accounts if account not in shown])
    _ask_anew(accounts)


@handler("feeds.first_pull")
def author_became_pulled(rows: Sequence[Row]) -> list[Child]:
    return [child for row in rows for child in fanout.announce_pulled_author(int(row.key))]


@handler(rebuild.TOPIC, queue="celery.fanout", batch=1)
def rebuild_windows(rows: Sequence[Row]) -> None:
    for row in rows:
        rebuild.do_rebuild_windows(readers=row.payload["readers"])
