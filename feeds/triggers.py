"""Triggers that keep derived columns of the social graph exact, whoever writes the edges."""

from __future__ import annotations

import pgtrigger


def count_followers() -> list[pgtrigger.Trigger]:
    """Statement-level triggers on `Follow` that keep `AuthorStats.follower_count`.

    Authors are updated in the order of their id, so that two transactions cannot wait for each other in a circle.
    """
    return [
        pgtrigger.Trigger(
            name="count_followers_insert",
            level=pgtrigger.Statement,
            when=pgtrigger.After,
            operation=pgtrigger.Insert,
            referencing=pgtrigger.Referencing(new="new_rows"),
            func="""
                INSERT INTO feeds_authorstats (author_id, follower_count, is_celebrity)
                SELECT followee_id, count(*), false FROM new_rows GROUP BY followee_id ORDER BY followee_id
                ON CONFLICT (author_id) DO UPDATE SET follower_count = feeds_authorstats.follower_count + excluded.follower_count;
                RETURN NULL;
            """,  # noqa: E501
        ),
        pgtrigger.Trigger(
            name="count_followers_delete",
            level=pgtrigger.Statement,
            when=pgtrigger.After,
            operation=pgtrigger.Delete,
            referencing=pgtrigger.Referencing(old="old_rows"),
            func="""
                WITH gone AS (SELECT followee_id, count(*) AS n FROM old_rows GROUP BY followee_id),
                locked AS (
                    SELECT author_id FROM feeds_authorstats WHERE author_id IN (SELECT followee_id FROM gone)
                    ORDER BY author_id FOR UPDATE
                )
                UPDATE feeds_authorstats s SET follower_count = s.follower_count - gone.n
                FROM gone JOIN locked ON locked.author_id = gone.followee_id WHERE s.author_id = gone.followee_id;
                RETURN NULL;
            """,
        ),
    ]


def capture_first_pull() -> list[pgtrigger.Trigger]:
    """Capture on `AuthorStats` that an author has a pulled post for the first time.

    Connected followers must then listen to the author's stream as well. A row-level trigger, since its condition keeps
    it out of the many updates of the follower count; an inserted row belongs to an author whom nobody follows yet.
    """
    return [
        pgtrigger.Trigger(
            name="capture_first_pull",
            level=pgtrigger.Row,
            when=pgtrigger.After,
            operation=pgtrigger.Update,
            condition=pgtrigger.Q(old__has_pull_posts=False, new__has_pull_posts=True),
            func="""
                INSERT INTO outbox (aggregatetype, aggregateid, type, payload)
                VALUES ('feeds.first_pull', NEW.author_id, 'update', jsonb_build_object('author_id', NEW.author_id));
                RETURN NULL;
            """,
        )
    ]
