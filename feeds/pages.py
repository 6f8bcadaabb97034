"""Timelines other than the home one: a hashtag's, a list's, the bookmarks.

A page is two queries: the ids, from an index that has them in the page's order, then what is shown of them. In one, the
planner would join what the page shows to all posts first. Cursors are ids, so a page stays right whatever arrives above
it or disappears.
"""

from __future__ import annotations

from typing import Any

from django.db import connection

from feeds.loading import load_posts
from feeds.models import AccountList, Post
from feeds.selectors import LARGEST_ID, LONGEST_PAGE, PAGE, TimelinePage
from feeds.visibility import VISITOR, is_listed_again, may_see, mutes, of_listed
from recsys.accounts.models import User


def hashtag_page(*, tag: str, reader: User | None, before: int | None = None, limit: int = PAGE) -> TimelinePage:
    """The posts with a hashtag (in its canonical form) that the reader may see, without those of muted people."""
    limit = _fit(limit)
    ids = _ids(_hashtag_sql(reader), {"tag": tag, "below": before or LARGEST_ID, "count": limit + 1})
    return _page(load_posts(ids), limit)


def list_page(*, account_list: AccountList, before: int | None = None, limit: int = PAGE) -> TimelinePage:
    """What the members of a list wrote, as its owner may see it; replies only to one another and to the owner."""
    limit = _fit(limit)
    sql = _list_sql(account_list.owner_id, account_list.pk)
    ids = _ids(sql, {"below": before or LARGEST_ID, "count": limit + 1})
    return _page(load_posts(ids), limit)


def bookmarks_page(*, reader: User, before: int | None = None, limit: int = PAGE) -> TimelinePage:
    """The reader's bookmarks, the last one first, as far as the posts may still be seen.

    The cursor is the bookmark's id, not the post's.
    """
    limit = _fit(limit)
    found = _rows(_bookmarks_sql(reader), {"below": before or LARGEST_ID, "count": limit + 1})
    shown = found[:limit]
    posts = load_posts([post for _, post in shown])
    return TimelinePage(posts, shown[-1][0] if len(found) > limit else None, "")


def _hashtag_sql(reader: User | None) -> str:
    who = reader.pk if reader else VISITOR
    return f"""
        SELECT h.post_id FROM feeds_hashtag h JOIN feeds_post p ON p.item_id = h.post_id
        WHERE h.tag = %(tag)s AND h.post_id < %(below)s
          AND NOT {mutes(who, "p.author_id")} AND {may_see(who, "p")}
        ORDER BY h.post_id DESC LIMIT %(count)s
    """  # noqa: S608


def _list_sql(owner: int, account_list: int) -> str:
    """`count` posts are by at most as many authors, whose newest are the newest of all: so every member is asked for
    one post, and only these for more.
    """
    newest = f"""
        SELECT p.item_id FROM feeds_post p
        WHERE p.author_id = a.author_id AND p.item_id < %(below)s
          AND {of_listed(owner, account_list, "p")} AND NOT {is_listed_again(owner, account_list, "p")}
        ORDER BY p.item_id DESC LIMIT
    """  # noqa: S608
    return f"""
        SELECT page.item_id FROM (
            SELECT a.author_id FROM (
                SELECT m.member_id AS author_id FROM feeds_listmember m
                WHERE m.list_id = {account_list:d} AND NOT {mutes(owner, "m.member_id")}
            ) a CROSS JOIN LATERAL ({newest} 1) p ORDER BY p.item_id DESC LIMIT %(count)s
        ) a CROSS JOIN LATERAL ({newest} %(count)s) page ORDER BY page.item_id DESC LIMIT %(count)s
    """  # noqa: S608


def _bookmarks_sql(reader: User) -> str:
    return f"""
        SELECT b.id, b.post_id FROM feeds_bookmark b JOIN feeds_post p ON p.item_id = b.post_id
        WHERE b.user_id = {reader.pk:d} AND b.id < %(below)s AND {may_see(reader.pk, "p")}
        ORDER BY b.id DESC LIMIT %(count)s
    """  # noqa: S608


def _ids(sql: str, parameters: dict[str, Any]) -> list[int]:
    return [found for (found,) in _rows(sql, parameters)]


def _rows(sql: str, parameters: dict[str, Any]) -> list[tuple[int, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)
        return cursor.fetchall()


def _fit(limit: int) -> int:
    return max(1, min(limit, LONGEST_PAGE))


def _page(posts: list[Post], limit: int) -> TimelinePage:
    more = len(posts) > limit
    return TimelinePage(posts[:limit], posts[limit - 1].pk if more else None, "")
