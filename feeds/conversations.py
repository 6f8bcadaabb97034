"""One post and the conversation around it: what it answers, and what answers it, as far as the reader may see it."""

from __future__ import annotations

from dataclasses import dataclass

from django.db import connection

from feeds.models import Post
from feeds.selectors import PAGE, RELATED
from feeds.visibility import UnseenPost, visible_posts
from recsys.accounts.models import User

MOST_ANCESTORS = 20

_ANCESTORS = """
    WITH RECURSIVE chain AS (
        SELECT reply_to_id AS post, 1 AS height FROM feeds_post WHERE item_id = %s
        UNION ALL
        SELECT p.reply_to_id, height + 1 FROM chain JOIN feeds_post p ON p.item_id = chain.post WHERE height < %s
    )
    SELECT post FROM chain WHERE post IS NOT NULL ORDER BY height
"""


@dataclass(frozen=True, slots=True)
class Ancestors:
    """What a post answers, the oldest first; `is_whole`: nothing before them is missing."""

    posts: list[Post]
    is_whole: bool


@dataclass(frozen=True, slots=True)
class ReplyPage:
    """Replies, oldest first; `next_after` asks for the next page, None: there is none."""

    posts: list[Post]
    next_after: int | None


def find_post(*, reader: User | None, pk: int) -> Post:
    """The post with all that an entry needs; UnseenPost where there is none for the reader."""
    post = visible_posts(reader).filter(pk=pk).select_related(*RELATED).first() if pk < 2**63 else None
    if post is None:
        raise UnseenPost
    return post


def ancestors(*, reader: User | None, post: Post) -> Ancestors:
    """The nearest MOST_ANCESTORS, up to the first that is gone or not for the reader. Two queries."""
    if post.reply_to_author_id is None:
        return Ancestors([], is_whole=True)
    with connection.cursor() as cursor:
        cursor.execute(_ANCESTORS, [post.pk, MOST_ANCESTORS])
        upwards = [pk for (pk,) in cursor.fetchall()]
    seen = {one.pk: one for one in visible_posts(reader).filter(pk__in=upwards).select_related(*RELATED)}
    chain: list[Post] = []
    for pk in upwards:
        if pk not in seen:
            break
        chain.append(seen[pk])
    return Ancestors(chain[::-1], is_whole=bool(chain) and chain[-1].reply_to_author_id is None)


def replies(*, reader: User | None, post: Post, after: int | None = None, limit: int = PAGE) -> ReplyPage:
    """The replies to a post, with ids above `after`. One query."""
    found = visible_posts(reader).filter(reply_to=post).select_related(*RELATED).order_by("pk")
    if after is not None:
        found = found.filter(pk__gt=after)
    page = list(found[: limit + 1])
    return ReplyPage(page[:limit], page[limit - 1].pk if len(page) > limit else None)
