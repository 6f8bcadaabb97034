"""Whom a reader might follow, each with a reason.

First come people whom those follow whom the reader follows, and people who follow the reader; then those who wrote
lately. The cost is bounded however large the graph is: of the reader's follows the latest FRIENDS are asked, each for
FOLLOWS_OF_FRIEND of theirs at most. So "and 2 others" may be fewer than there are, never more.
"""

from __future__ import annotations

from typing import Any

from django.db import connection

from feeds.people import PersonEntry, Relation
from feeds.visibility import VISITOR, apart
from recsys.accounts.models import User

FRIENDS, FOLLOWS_OF_FRIEND = 100, 100
NEWEST_FOLLOWERS = 100
RECENT_POSTS = 1000

# {apart} is the one rule of visibility.py.
_SUGGESTED = f"""
    WITH followed AS MATERIALIZED (SELECT id, followee_id AS person FROM feeds_follow WHERE follower_id = %(reader)s),
    friends AS MATERIALIZED (
        SELECT f.person FROM (SELECT id, person FROM followed ORDER BY id DESC LIMIT %(friends)s) f
        JOIN accounts_user u ON u.id = f.person AND u.is_active
        WHERE NOT EXISTS (SELECT FROM feeds_mute WHERE muter_id = %(reader)s AND muted_id = f.person)
    ), known AS (
        SELECT theirs.person, count(*) AS friends, min(friends.person) AS friend, false AS follows_back
        FROM friends CROSS JOIN LATERAL (
            SELECT followee_id AS person FROM feeds_follow WHERE follower_id = friends.person LIMIT %(follows)s
        ) theirs GROUP BY 1
        UNION ALL
        SELECT * FROM (
            SELECT follower_id, 0, NULL::bigint, true FROM feeds_follow
            WHERE followee_id = %(reader)s ORDER BY follower_id DESC LIMIT %(followers)s
        ) back
    ), candidates AS (
        SELECT person, sum(friends) AS friends, min(friend) AS friend, bool_or(follows_back) AS follows_back FROM known
        GROUP BY 1
        UNION ALL
        SELECT author_id, 0, NULL, false FROM (
            SELECT author_id, visibility FROM feeds_post ORDER BY item_id DESC LIMIT %(posts)s
        ) lately WHERE visibility = 'public' GROUP BY 1
    ), best AS (
        SELECT person, max(friends) AS friends, min(friend) AS friend, bool_or(follows_back) AS follows_back
        FROM candidates WHERE person <> %(reader)s AND person NOT IN (SELECT person FROM followed) GROUP BY 1
    )
    SELECT b.person, b.friends, b.friend, b.follows_back
    FROM best b JOIN accounts_user u ON u.id = b.person AND u.is_active
    LEFT JOIN feeds_authorstats s ON s.author_id = b.person
    WHERE (b.friends > 0 OR b.follows_back OR NOT u.is_private)
      AND NOT EXISTS (SELECT FROM feeds_mute WHERE muter_id = %(reader)s AND muted_id = b.person)
      AND NOT EXISTS (SELECT FROM feeds_followrequest WHERE requester_id = %(reader)s AND target_id = b.person)
      AND NOT {apart("%(reader)s", "b.person")}
    ORDER BY b.friends + CASE WHEN b.follows_back THEN 2 ELSE 0 END DESC, s.follower_count DESC NULLS LAST, b.person
    LIMIT %(limit)s
"""  # noqa: S608 (of our own texts)


def suggested_people(*, reader: User | None, limit: int = 5) -> list[PersonEntry]:
    """Whom one might follow, and why: nobody who is followed or asked already, blocked, muted or not active, and
    private accounts only where somebody links them to the reader. Two queries.
    """
    parameters: dict[str, Any] = {
        "reader": reader.pk if reader else VISITOR,
        "friends": FRIENDS,
        "follows": FOLLOWS_OF_FRIEND,
        "followers": NEWEST_FOLLOWERS,
        "posts": RECENT_POSTS,
        "limit": limit,
    }
    with connection.cursor() as cursor:
        cursor.execute(_SUGGESTED, parameters)
        rows = cursor.fetchall()
    people = User.objects.in_bulk({person for row in rows for person in (row[0], row[2]) if person})
    return [
        PersonEntry(people[person], Relation(followed_by=back), _reason(int(friends), people.get(friend), back))
        for person, friends, friend, back in rows
        if person in people
    ]


def _reason(friends: int, friend: User | None, follows_back: bool) -> str:
    if friend is None:
        return "Follows you" if follows_back else "Wrote lately"
    if friends == 1:
        return f"Followed by {friend.name}"
    return f"Followed by {friend.name} and {friends - 1} other{'s' if friends > 2 else ''} you follow"
