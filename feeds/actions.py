"""Writes to posts. What follows from them happens through the outbox."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

from django.core.exceptions import PermissionDenied
from django.db import connection, transaction
from django.utils.text import Truncator

from feeds.models import Post
from feeds.triggers import WITHHELD
from recsys.accounts.models import User
from recsys.catalog.models import Item
from recsys.inputs import FieldError, InputError, text_fault

_WITHHOLD = f"""
    UPDATE catalog_item i SET is_withheld = ({WITHHELD}) FROM feeds_post p JOIN accounts_user u ON u.id = p.author_id
    WHERE i.id = p.item_id AND p.author_id = ANY(%s) AND i.is_withheld IS DISTINCT FROM ({WITHHELD})
"""  # noqa: S608 (of our own texts)
LONGEST_POST = Post._meta.get_field("text").max_length or 2000
LONGEST_TITLE = 80


def check_text(text: str) -> str:
    """The text of a post with plain line ends and nothing around it; InputError where it cannot be one."""
    plain = text.replace("\r\n", "\n").replace("\r", "\n").strip() if isinstance(text, str) else text
    if fault := text_fault(plain, longest=LONGEST_POST, required=True) or _invisible_fault(plain):
        raise InputError([FieldError("text", fault)])
    return plain


def _invisible_fault(text: str) -> str | None:
    """Say what is wrong with characters that nobody sees: controls, and a text of nothing but joiners and spaces."""
    for character in text:
        if unicodedata.category(character) == "Cc" and character not in "\n\t":
            return f"This holds the control character U+{ord(character):04X}; remove it."
    if all(unicodedata.category(character)[0] in "CZ" for character in text):
        return "This must not be empty."
    return None


def title_of(text: str) -> str:
    """What the item of a post with this text is called."""
    return Truncator(" ".join(text.split())).chars(LONGEST_TITLE)


def do_create_post(*, author: User, text: str) -> Post:
    """Write a post, which is an item too. InputError where the text cannot be one."""
    plain = check_text(text)
    with transaction.atomic():
        item = Item.objects.create(
            kind="post",
            title=title_of(plain),
            description=plain,
            creator=author,
        )
        post = Post.objects.create(item=item, author=author, text=plain)
    post.refresh_from_db(fields=["created_at"])
    return post


def do_delete_post(*, post: Post, by: User) -> None:
    """Delete a post and its item; PermissionDenied unless `by` wrote it or is staff."""
    if by.pk != post.author_id and not by.is_staff:
        raise PermissionDenied("Only the author and staff may delete a post.")
    with transaction.atomic():
        Item.objects.filter(pk=post.pk).delete()


def do_withhold_posts(*, authors: Sequence[int]) -> None:
    """Keep `Item.is_withheld` of all their posts true to whether their accounts are private."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(_WITHHOLD, [list(authors)])
