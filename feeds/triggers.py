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


def count_rows(counter: str, *, column: str) -> list[pgtrigger.Trigger]:
    """Statement-level triggers that keep a counter of `PostStats` for the post that `column` names.

    Posts are updated in the order of their ids, against deadlocks; a post that goes takes its counters along.
    """
    return [
        pgtrigger.Trigger(
            name=f"{counter}_insert",
            level=pgtrigger.Statement,
            when=pgtrigger.After,
            operation=pgtrigger.Insert,
            referencing=pgtrigger.Referencing(new="new_rows"),
            func=f"""
                INSERT INTO feeds_poststats (post_id, {counter})
                SELECT {column}, count(*) FROM new_rows WHERE {column} IS NOT NULL GROUP BY 1 ORDER BY 1
                ON CONFLICT (post_id) DO UPDATE SET {counter} = feeds_poststats.{counter} + excluded.{counter};
                RETURN NULL;
            """,  # noqa: S608
        ),
        pgtrigger.Trigger(
            name=f"{counter}_delete",
            level=pgtrigger.Statement,
            when=pgtrigger.After,
            operation=pgtrigger.Delete,
            referencing=pgtrigger.Referencing(old="old_rows"),
            func=f"""
                WITH gone AS (
                    SELECT {column} AS post_id, count(*) AS n FROM old_rows WHERE {column} IS NOT NULL GROUP BY 1
                ), locked AS (
                    SELECT post_id FROM feeds_poststats WHERE post_id IN (SELECT post_id FROM gone)
                    ORDER BY post_id FOR UPDATE
                )
                UPDATE feeds_poststats s SET {counter} = s.{counter} - gone.n
                FROM gone JOIN locked USING (post_id) WHERE s.post_id = gone.post_id;
                RETURN NULL;
            """,  # noqa: S608
        ),
    ]


def note_parent() -> pgtrigger.Trigger:
    """Note on a reply whom it answers, whoever inserts it."""
    return pgtrigger.Trigger(
        name="note_parent",
        level=pgtrigger.Row,
        when=pgtrigger.Before,
        operation=pgtrigger.Insert,
        condition=pgtrigger.Q(new__reply_to__isnull=False),
        func="""
            NEW.reply_to_author_id := (SELECT author_id FROM feeds_post WHERE item_id = NEW.reply_to_id);
            RETURN NEW;
        """,
    )


def take_items_along() -> pgtrigger.Trigger:
    """Delete the items of posts that go, as reposts do with what they show."""
    return pgtrigger.Trigger(
        name="take_items_along",
        level=pgtrigger.Statement,
        when=pgtrigger.After,
        operation=pgtrigger.Delete,
        referencing=pgtrigger.Referencing(old="old_rows"),
        func="DELETE FROM catalog_item WHERE id IN (SELECT item_id FROM old_rows); RETURN NULL;",
    )


# A post that is for some only, by somebody suspended, or that means nothing by itself, is not for recommendations.
WITHHELD = (
    "p.visibility <> 'public' OR u.is_private OR NOT u.is_active"
    " OR p.repost_of_id IS NOT NULL OR p.reply_to_author_id IS NOT NULL"
)


def withhold_items() -> list[pgtrigger.Trigger]:
    """Keep `Item.is_withheld` of posts true to what the posts are; `actions.py` does so for whole accounts."""
    update = f"""
        UPDATE catalog_item i SET is_withheld = ({WITHHELD})
        FROM new_rows p JOIN accounts_user u ON u.id = p.author_id
    """  # noqa: S608
    return [
        pgtrigger.Trigger(
            name="withhold_insert",
            level=pgtrigger.Statement,
            when=pgtrigger.After,
            operation=pgtrigger.Insert,
            referencing=pgtrigger.Referencing(new="new_rows"),
            func=f"{update} WHERE i.id = p.item_id AND ({WITHHELD}); RETURN NULL;",
        ),
        pgtrigger.Trigger(
            name="withhold_update",
            level=pgtrigger.Statement,
            when=pgtrigger.After,
            operation=pgtrigger.Update,
            referencing=pgtrigger.Referencing(old="old_rows", new="new_rows"),
            func=f"""
                {update} JOIN old_rows o ON o.item_id = p.item_id
                WHERE i.id = p.item_id AND o.visibility <> p.visibility; RETURN NULL;
            """,
        ),
    ]


def keep_apart() -> pgtrigger.Trigger:
    """End follows and requests between two people, both ways, when one blocks the other."""
    return pgtrigger.Trigger(
        name="keep_apart",
        level=pgtrigger.Statement,
        when=pgtrigger.After,
        operation=pgtrigger.Insert,
        referencing=pgtrigger.Referencing(new="new_rows"),
        func="""
            DELETE FROM feeds_follow f USING new_rows n
            WHERE (f.follower_id, f.followee_id) IN ((n.blocker_id, n.blocked_id), (n.blocked_id, n.blocker_id));
            DELETE FROM feeds_followrequest r USING new_rows n
            WHERE (r.requester_id, r.target_id) IN ((n.blocker_id, n.blocked_id), (n.blocked_id, n.blocker_id));
            RETURN NULL;
        """,
    )


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
