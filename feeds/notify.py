"""Writing notifications, from what the outbox says has changed.

Each kind has a *claim*: SQL that looks up, for what a batch of changes speaks of, whom it concerns and since when it
has been so (`made_at`), or NULL where it is not so (any more). What is so and is for its recipient gets its row, what
is not so loses it. The claims are read under a lock on the recipients, so whichever of two handlers of one change and
its taking back comes last has read the end of it: neither order nor repetition matters.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import timedelta

from django.db import connection, transaction

from feeds.visibility import apart, may_see, mutes
from recsys.outbox.capture import capture_off

KEPT = 1000  # notifications of one person, the newest
KEPT_FOR = timedelta(days=90)
IS_RECENT = f"> statement_timestamp() - interval '{KEPT_FOR.days} days'"
SWEPT_AT_ONCE = 5000

Pair = tuple[int, int]  # who did it, and the person or post it was done to

_LIKES = """
    SELECT p.author_id AS recipient_id, 'like' AS kind, k.actor AS actor_id, p.item_id AS post_id,
           l.created_at AS made_at
    FROM done k JOIN feeds_post p ON p.item_id = k.target
    LEFT JOIN feeds_like l ON l.user_id = k.actor AND l.post_id = k.target
"""
# A repost that its author's account hides from the one it is of is nothing to tell them.
_REPOSTS = f"""
    SELECT p.author_id AS recipient_id, 'repost' AS kind, k.actor AS actor_id, p.item_id AS post_id,
           r.created_at AS made_at
    FROM done k JOIN feeds_post p ON p.item_id = k.target
    LEFT JOIN feeds_post r ON r.author_id = k.actor AND r.repost_of_id = k.target AND {may_see("p.author_id", "r")}
"""  # noqa: S608 (here and below: of our own texts)
# Who has a private account has let each follower in by themselves.
_FOLLOWS = """
    SELECT u.id AS recipient_id, 'follow' AS kind, k.actor AS actor_id, NULL::bigint AS post_id,
           CASE WHEN NOT u.is_private THEN f.created_at END AS made_at
    FROM done k JOIN accounts_user u ON u.id = k.target
    LEFT JOIN feeds_follow f ON f.follower_id = k.actor AND f.followee_id = k.target
"""
_REQUESTS = """
    SELECT k.target AS recipient_id, 'request' AS kind, k.actor AS actor_id, NULL::bigint AS post_id,
           r.created_at AS made_at
    FROM done k LEFT JOIN feeds_followrequest r ON r.requester_id = k.actor AND r.target_id = k.target
"""
# Who is answered and named in the same post is told of the answer. An edit may take a name out again.
_WORDS = """
    SELECT p.reply_to_author_id AS recipient_id, 'reply' AS kind, p.author_id AS actor_id, p.item_id AS post_id,
           p.created_at AS made_at
    FROM done k JOIN feeds_post p ON p.item_id = k.target WHERE p.reply_to_author_id IS NOT NULL
    UNION ALL
    SELECT m.user_id, 'mention', p.author_id, p.item_id, p.created_at
    FROM done k JOIN feeds_post p ON p.item_id = k.target JOIN feeds_mention m ON m.post_id = p.item_id
    WHERE m.user_id IS DISTINCT FROM p.reply_to_author_id
    UNION ALL
    SELECT n.recipient_id, 'mention', n.actor_id, n.post_id, NULL
    FROM done k JOIN feeds_notification n ON n.post_id = k.target AND n.kind = 'mention'
    WHERE NOT EXISTS (SELECT FROM feeds_mention m WHERE m.post_id = n.post_id AND m.user_id = n.recipient_id)
"""

_LOCK_POSTS = "SELECT item_id FROM feeds_post WHERE item_id = ANY(%s) ORDER BY item_id FOR KEY SHARE"
_LOCK_RECIPIENTS = """
    SELECT u.id FROM accounts_user u
    WHERE u.id IN (SELECT recipient_id FROM claims WHERE recipient_id <> actor_id)
    ORDER BY u.id FOR NO KEY UPDATE
"""
_TRIM = """
    DELETE FROM feeds_notification n USING unnest(%(recipients)s::bigint[]) r (id)
    WHERE n.recipient_id = r.id AND n.id <= (
        SELECT o.id FROM feeds_notification o WHERE o.recipient_id = r.id ORDER BY o.id DESC OFFSET %(kept)s LIMIT 1
    )
"""
_SWEEP = f"""
    WITH oldest AS (
        SELECT id, created_at FROM feeds_notification WHERE id > %(after)s ORDER BY id LIMIT %(most)s
    ), dropped AS (
        DELETE FROM feeds_notification n USING oldest o
        WHERE n.id = o.id AND NOT o.created_at {IS_RECENT} RETURNING n.id
    )
    SELECT (SELECT max(id) FROM oldest), (SELECT count(*) FROM dropped)
"""  # noqa: S608


def is_for(row: str, recipient: int | str) -> str:
    """SQL: the notification (or claim) with this alias is for its recipient to be told of, as things are now.

    Neither of the two has blocked the other, the recipient has not muted the actor, wants such notifications and may
    see the post, and the actor's account is active. This decides what is written and, again, what is shown.
    """
    return f"""(
        NOT {apart(recipient, f"{row}.actor_id")} AND NOT {mutes(recipient, f"{row}.actor_id")}
        AND EXISTS (SELECT FROM accounts_user WHERE id = {row}.actor_id AND is_active)
        AND NOT EXISTS (
            SELECT FROM feeds_notificationpreference WHERE user_id = {recipient} AND {row}.kind = ANY(unwanted)
        )
        AND ({row}.post_id IS NULL OR EXISTS (
            SELECT FROM feeds_post about WHERE about.item_id = {row}.post_id AND {may_see(recipient, "about")}
        ))
    )"""  # noqa: S608


_TELL = f"""
    INSERT INTO feeds_notification (recipient_id, kind, actor_id, post_id, created_at)
    SELECT c.recipient_id, c.kind, c.actor_id, c.post_id, c.made_at
    FROM claims c JOIN accounts_user r ON r.id = c.recipient_id AND r.is_active
    WHERE c.recipient_id = ANY(%(recipients)s) AND c.recipient_id <> c.actor_id AND c.made_at {IS_RECENT}
      AND {is_for("c", "c.recipient_id")}
    ORDER BY c.made_at
    ON CONFLICT DO NOTHING
"""  # noqa: S608
_TAKE_BACK = """
    DELETE FROM feeds_notification n USING claims c
    WHERE c.made_at IS NULL AND n.recipient_id = ANY(%(recipients)s)
      AND n.recipient_id = c.recipient_id AND n.kind = c.kind AND n.actor_id = c.actor_id
      AND n.post_id IS NOT DISTINCT FROM c.post_id
"""


def notify_of_likes(likes: Iterable[Pair]) -> None:
    """Bring the notifications of these likes (user, post) to what is: there, or taken back."""
    _settle(_LIKES, likes, about_posts=True)


def notify_of_follows(edges: Iterable[Pair]) -> None:
    """The same for follows (follower, followee)."""
    _settle(_FOLLOWS, edges)


def notify_of_requests(requests: Iterable[Pair]) -> None:
    """The same for requests to follow (requester, target)."""
    _settle(_REQUESTS, requests)


def notify_of_reposts(reposts: Iterable[Pair]) -> None:
    """The same for reposts (who reposted, what)."""
    _settle(_REPOSTS, reposts, about_posts=True)


def notify_of_posts(posts: Iterable[int]) -> None:
    """The same for what posts say: whom they answer and whom they name (by the table of mentions, as it is now)."""
    _settle(_WORDS, [(0, post) for post in posts], about_posts=True)


def _settle(claims: str, done: Iterable[Pair], *, about_posts: bool = False) -> None:
    pairs = sorted(set(done))
    if not pairs:
        return
    targets = [target for _, target in pairs]
    parameters = {"actors": [actor for actor, _ in pairs], "targets": targets}
    with transaction.atomic(), connection.cursor() as cursor:
        if about_posts:
            # As whoever deletes a post takes its notifications along: posts first, in the order of their ids.
            cursor.execute(_LOCK_POSTS, [targets])
        cursor.execute(_with(claims, _LOCK_RECIPIENTS), parameters)
        parameters["recipients"] = [recipient for (recipient,) in cursor.fetchall()]
        if not parameters["recipients"]:
            return
        cursor.execute(_with(claims, _TAKE_BACK), parameters)
        cursor.execute(_with(claims, _TELL), parameters)
        if cursor.rowcount:
            _trim(parameters["recipients"])


def _with(claims: str, statement: str) -> str:
    done = "SELECT * FROM unnest(%(actors)s::bigint[], %(targets)s::bigint[])"
    return f"WITH done (actor, target) AS ({done}), claims AS ({claims}) {statement}"


def _trim(recipients: Sequence[int]) -> None:
    """Keep the newest KEPT of each. Nobody needs to be told: what goes lies below all that a badge counts."""
    with capture_off(), connection.cursor() as cursor:
        cursor.execute(_TRIM, {"recipients": list(recipients), "kept": KEPT})


def do_drop_old_notifications() -> int:
    """Delete what is older than KEPT_FOR; return how many that were.

    Ids grow with time, nearly: from the oldest on, a few thousand at a time, until there is nothing to delete.
    """
    dropped, after = 0, 0
    while True:
        with transaction.atomic(), capture_off(), connection.cursor() as cursor:
            cursor.execute(_SWEEP, {"after": after, "most": SWEPT_AT_ONCE})
            last, count = cursor.fetchone()
        if not count:
            return dropped
        dropped, after = dropped + count, last
