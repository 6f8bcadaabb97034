"""Keeping what a post's words mean in tables: its hashtags and mentions, and the words of its item.

The actions do it in the transaction that writes a post; the handler of captured posts does it again, so that posts
written by raw SQL have them too. It reads what is and mends what differs: repeating it changes nothing.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from django.db import transaction
from django.db.models.functions import Now
from django.utils.text import Truncator

from feeds.models import Hashtag, Mention, Post
from feeds.texts import hashtags_of, named, names_in, person_of
from recsys.accounts.models import User
from recsys.catalog.models import Item
from recsys.prepared import read_prepared

LONGEST_TITLE = 80
_HELD = """
    SELECT i.id, ARRAY(SELECT tag FROM feeds_hashtag WHERE post_id = i.id),
           ARRAY(SELECT user_id FROM feeds_mention WHERE post_id = i.id), i.title, i.description, i.tags, i.image_url
    FROM catalog_item i WHERE i.id = ANY(%(posts)s::bigint[])
"""


@dataclass(frozen=True, slots=True)
class _Words:
    """What the tables hold, or should hold, about a post."""

    tags: frozenset[str]
    mentioned: frozenset[int]
    item: tuple[str, str, list[str], str]  # title, description, tags, image_url


def title_of(text: str) -> str:
    """What the item of a post with this text is called."""
    return Truncator(" ".join(text.split())).chars(LONGEST_TITLE)


def do_index_posts(*, posts: Collection[int]) -> None:
    """Bring hashtags, mentions and items of these posts to what their texts say; those that are gone are no error."""
    differing = [post.pk for post, held, wanted in _compare(Post.objects.filter(pk__in=posts)) if held != wanted]
    if not differing:
        return
    with transaction.atomic():
        # Read again under a lock: an edit that runs meanwhile must not be overwritten with what stood before it.
        locked = Post.objects.filter(pk__in=differing).order_by("pk").select_for_update(no_key=True, of=("self",))
        for post, held, wanted in _compare(locked):
            _mend(post, held, wanted)


def _compare(posts: Iterable[Post]) -> list[tuple[Post, _Words, _Words]]:
    """Each post with what is held about it and what should be; four queries at most."""
    found = list(posts)
    rows = read_prepared(_HELD, {"posts": [post.pk for post in found]})
    held = {post: _Words(frozenset(tags), frozenset(mentioned), tuple(item)) for post, tags, mentioned, *item in rows}
    originals = Post.objects.in_bulk([post.repost_of_id for post in found if post.repost_of_id])
    names = [name for post in found for name in names_in(post.text)]
    people = {user.username: user for user in User.objects.filter(named(names))} if names else {}
    return [
        (post, held[post.pk], _wanted(post, originals.get(post.repost_of_id or 0), people))
        for post in found
        if post.pk in held
    ]


def _wanted(post: Post, original: Post | None, people: Mapping[str, User]) -> _Words:
    tags = hashtags_of(post.text)
    mentioned = (person_of(name, people) for name in names_in(post.text))
    title = title_of(original.text if original else post.text)
    return _Words(
        frozenset(tags),
        frozenset(user.pk for user in mentioned if user),
        (title, post.text, tags, post.image_url),
    )


def _mend(post: Post, held: _Words, wanted: _Words) -> None:
    Hashtag.objects.filter(post=post, tag__in=held.tags - wanted.tags).delete()
    Hashtag.objects.bulk_create(
        [Hashtag(post=post, tag=tag) for tag in sorted(wanted.tags - held.tags)], ignore_conflicts=True
    )
    Mention.objects.filter(post=post, user__in=held.mentioned - wanted.mentioned).delete()
    Mention.objects.bulk_create(
        [Mention(post=post, user_id=user) for user in sorted(wanted.mentioned - held.mentioned)], ignore_conflicts=True
    )
    if held.item != wanted.item:
        title, description, tags, image = wanted.item
        Item.objects.filter(pk=post.pk).update(
            title=title, description=description, tags=tags, image_url=image, updated_at=Now()
        )
