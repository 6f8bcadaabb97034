"""Posts with all that pages show of them, by their ids.

Written out, and not asked of the ORM with `select_related`: putting that query together took longer than everything
else that a page does.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from django.db import DEFAULT_DB_ALIAS

from feeds.models import Post
from recsys.accounts.models import User
from recsys.catalog.models import Item
from recsys.prepared import read_prepared

_POST, _USER = (list(model._meta.concrete_fields) for model in (Post, User))
_POST_NAMES, _USER_NAMES = ([field.attname for field in fields] for fields in (_POST, _USER))
_COLUMNS = ", ".join([*(f'p."{field.column}"' for field in _POST), *(f'u."{field.column}"' for field in _USER)])
_LOAD = f"""
    SELECT {_COLUMNS} FROM feeds_post p JOIN accounts_user u ON u.id = p.author_id
    WHERE p.item_id = ANY(%(posts)s::bigint[] || ARRAY(
        SELECT repost_of_id FROM feeds_post WHERE item_id = ANY(%(posts)s::bigint[]) AND repost_of_id IS NOT NULL))
"""  # noqa: S608 (the models' columns)


def load_posts(ids: Sequence[int]) -> list[Post]:
    """Those of the posts that there are, in the order of `ids`, each with its author, what it reposts (with its author)
    and the item attached to either.

    One query, and one more where an item is attached. Their `item` is not loaded.
    """
    if not ids:
        return []
    posts = {post.pk: post for post in map(_post, read_prepared(_LOAD, {"posts": list(ids)}))}
    _attach(posts.values())
    for post in posts.values():
        if post.repost_of_id in posts:
            post.repost_of = posts[post.repost_of_id]
    return [posts[post] for post in ids if post in posts]


def _post(row: Sequence[Any]) -> Post:
    post = Post.from_db(DEFAULT_DB_ALIAS, _POST_NAMES, row[: len(_POST)])
    post.author = User.from_db(DEFAULT_DB_ALIAS, _USER_NAMES, row[len(_POST) :])
    return post


def _attach(posts: Iterable[Post]) -> None:
    about = [post for post in posts if post.attached_id]
    items = Item.objects.in_bulk([post.attached_id for post in about]) if about else {}
    for post in about:
        post.attached = items.get(post.attached_id)
