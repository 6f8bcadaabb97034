"""Posts with all that pages show of them, by their ids.

Written out, and not asked of the ORM with `select_related`: putting that query together took longer than everything
else that a page does.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from typing import Any, TypeVar

from django.db import DEFAULT_DB_ALIAS
from django.db.models import Model
from django.db.models.base import ModelState

from feeds.models import Post
from recsys.accounts.models import User
from recsys.catalog.models import Item
from recsys.prepared import read_prepared

# What no page shows of an author is loaded where somebody asks for it all the same: dates take longest to read.
_LEFT_OUT = {"password", "last_login", "date_joined", "email", "first_name", "last_name"}
_POST = list(Post._meta.concrete_fields)
_USER = [field for field in User._meta.concrete_fields if field.name not in _LEFT_OUT]
_POST_NAMES, _USER_NAMES = ([field.attname for field in fields] for fields in (_POST, _USER))
_COLUMNS = ", ".join([*(f'p."{field.column}"' for field in _POST), *(f'u."{field.column}"' for field in _USER)])
M = TypeVar("M", bound=Model)
_GIVEN = "SELECT unnest(%(posts)s::bigint[])"


@cache
def loading_sql(ids: str) -> str:
    """The query that loads the posts whose ids the query `ids` selects, and what these repost."""
    return f"""
        WITH page (post) AS MATERIALIZED ({ids})
        SELECT p.item_id, p.item_id = ANY(ARRAY(TABLE page)), {_COLUMNS}
        FROM feeds_post p JOIN accounts_user u ON u.id = p.author_id
        WHERE p.item_id = ANY(ARRAY(TABLE page UNION ALL SELECT repost_of_id FROM feeds_post
            WHERE item_id = ANY(ARRAY(TABLE page)) AND repost_of_id IS NOT NULL))
    """  # noqa: S608 (of our own texts)


def load_posts(ids: Sequence[int]) -> list[Post]:
    """Those of the posts that there are, in the order of `ids`, loaded as `load_selected` does it."""
    if not ids:
        return []
    posts = {post.pk: post for post in load_selected(_GIVEN, {"posts": list(ids)})}
    return [posts[post] for post in ids if post in posts]


def load_selected(ids: str, parameters: Mapping[str, Any]) -> list[Post]:
    """The posts whose ids a query selects, newest first, each with its author, what it reposts (with its author) and
    the item attached to either.

    One query, and one more where an item is attached. Their `item` is not loaded.
    """
    rows = read_prepared(loading_sql(ids), parameters)
    authors: dict[int, User] = {}
    posts = {post: _post(columns, authors) for post, _, *columns in rows}
    _attach(posts.values())
    for post in posts.values():
        if post.repost_of_id in posts:
            post.repost_of = posts[post.repost_of_id]
    return [posts[post] for post in sorted((post for post, selected, *_ in rows if selected), reverse=True)]


def _post(columns: Sequence[Any], authors: dict[int, User]) -> Post:
    post = _instance(Post, _POST_NAMES, columns[: len(_POST)])
    author = authors.get(post.author_id)
    if author is None:
        author = authors[post.author_id] = _instance(User, _USER_NAMES, columns[len(_POST) :])
    post.author = author
    return post


def _instance(model: type[M], names: Sequence[str], values: Sequence[Any]) -> M:
    """What `Model.from_db` gives, without asking each field how it is set: that took half the time of a page."""
    instance = model.__new__(model)
    instance.__dict__.update(zip(names, values, strict=True))
    instance._state = ModelState()
    instance._state.db, instance._state.adding = DEFAULT_DB_ALIAS, False
    return instance


def _attach(posts: Iterable[Post]) -> None:
    about = [post for post in posts if post.attached_id]
    items = Item.objects.in_bulk([post.attached_id for post in about]) if about else {}
    for post in about:
        post.attached = items.get(post.attached_id)
