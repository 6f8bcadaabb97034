"""The columns that triggers derive from others, against what SQL says they must be.

Each comparison is one statement, so it sees a change and what its trigger made of it, or neither. A correction locks
out the writers of what is counted, so that no change falls between counting and writing.
"""

from __future__ import annotations

from dataclasses import dataclass

from django.db import connection, transaction

from feeds.triggers import WITHHELD


@dataclass(frozen=True, slots=True)
class Derived:
    """A derived column: `wrong` selects the keys of rows that are not what they must be, `mend` corrects those rows."""

    name: str
    wrong: str
    mend: str
    counted: str


def _stat(name: str, table: str, column: str) -> Derived:
    count = f"(SELECT count(*) FROM {table} WHERE {column} = k.id)"  # noqa: S608
    return Derived(
        f"PostStats.{name}",
        f"""
        SELECT coalesce(s.post_id, c.post_id) FROM feeds_poststats s
        FULL JOIN (SELECT {column} AS post_id, count(*) AS n FROM {table} WHERE {column} IS NOT NULL GROUP BY 1) c
        ON c.post_id = s.post_id WHERE coalesce(s.{name}, 0) <> coalesce(c.n, 0)
        """,  # noqa: S608
        f"""
        INSERT INTO feeds_poststats (post_id, {name}) SELECT k.id, {count} FROM unnest(%(keys)s::bigint[]) AS k (id)
        JOIN feeds_post p ON p.item_id = k.id ORDER BY k.id
        ON CONFLICT (post_id) DO UPDATE SET {name} = excluded.{name}
        """,  # noqa: S608
        table,
    )


DERIVED = (
    Derived(
        "AuthorStats.follower_count",
        """
        SELECT coalesce(s.author_id, f.author_id) FROM feeds_authorstats s
        FULL JOIN (SELECT followee_id AS author_id, count(*) AS n FROM feeds_follow GROUP BY 1) f
        ON f.author_id = s.author_id WHERE coalesce(s.follower_count, 0) <> coalesce(f.n, 0)
        """,
        """
        INSERT INTO feeds_authorstats (author_id, follower_count, is_celebrity)
        SELECT k.id, (SELECT count(*) FROM feeds_follow WHERE followee_id = k.id), false
        FROM unnest(%(keys)s::bigint[]) AS k (id) JOIN accounts_user u ON u.id = k.id ORDER BY k.id
        ON CONFLICT (author_id) DO UPDATE SET follower_count = excluded.follower_count
        """,
        "feeds_follow",
    ),
    _stat("like_count", "feeds_like", "post_id"),
    _stat("repost_count", "feeds_post", "repost_of_id"),
    _stat("reply_count", "feeds_post", "reply_to_id"),
    Derived(
        "Post.reply_to_author",
        """
        SELECT p.item_id FROM feeds_post p JOIN feeds_post parent ON parent.item_id = p.reply_to_id
        WHERE p.reply_to_author_id IS DISTINCT FROM parent.author_id
        """,
        """
        UPDATE feeds_post p SET reply_to_author_id = parent.author_id FROM feeds_post parent
        WHERE p.item_id = ANY(%(keys)s) AND parent.item_id = p.reply_to_id
        """,
        "feeds_post",
    ),
    Derived(
        "AuthorStats.has_pull_posts",
        """
        SELECT p.author_id FROM (SELECT DISTINCT author_id FROM feeds_post WHERE mode = 'pull') p
        LEFT JOIN feeds_authorstats s USING (author_id) WHERE s.has_pull_posts IS DISTINCT FROM true
        """,
        """
        INSERT INTO feeds_authorstats (author_id, follower_count, is_celebrity, has_pull_posts)
        SELECT k.id, (SELECT count(*) FROM feeds_follow WHERE followee_id = k.id), false, true
        FROM unnest(%(keys)s::bigint[]) AS k (id) JOIN accounts_user u ON u.id = k.id ORDER BY k.id
        ON CONFLICT (author_id) DO UPDATE SET has_pull_posts = true
        """,
        "feeds_follow",
    ),
    # After an account became private or public its handler follows, so such authors wait.
    Derived(
        "Item.is_withheld",
        f"""
        SELECT i.id FROM feeds_post p JOIN catalog_item i ON i.id = p.item_id JOIN accounts_user u ON u.id = p.author_id
        WHERE i.is_withheld IS DISTINCT FROM ({WITHHELD}) AND p.author_id::text NOT IN (
            SELECT aggregateid FROM outbox WHERE aggregatetype = 'accounts.user' AND parked_at IS NULL)
        """,  # noqa: S608
        f"""
        UPDATE catalog_item i SET is_withheld = ({WITHHELD})
        FROM feeds_post p JOIN accounts_user u ON u.id = p.author_id WHERE i.id = ANY(%(keys)s) AND p.item_id = i.id
        """,  # noqa: S608
        "feeds_post",
    ),
)


def audit_counters(*, repair: bool) -> dict[str, int]:
    """How many rows have each derived column wrong; with `repair` they are corrected."""
    return {derived.name: _audit(derived, repair) for derived in DERIVED}


def _audit(derived: Derived, repair: bool) -> int:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(derived.wrong)
        keys = [key for (key,) in cursor.fetchall()]
        if keys and repair:
            cursor.execute(f"LOCK TABLE {derived.counted} IN SHARE ROW EXCLUSIVE MODE")
            cursor.execute(derived.mend, {"keys": keys})
    return len(keys)
