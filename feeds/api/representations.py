"""How the partner API shows what this app holds: one place, so that every endpoint says it alike."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rest_framework import serializers

from feeds.entries import Answered, Entry, entries
from feeds.models import Post, Visibility
from recsys.accounts.models import User
from recsys.catalog.models import Item


class AuthorSerializer(serializers.Serializer[Any]):
    id = serializers.IntegerField()
    external_id = serializers.CharField(allow_null=True)
    username = serializers.CharField()
    display_name = serializers.CharField()


class PersonSerializer(AuthorSerializer):
    is_active = serializers.BooleanField(help_text="False: the account is suspended.")


class ParentSerializer(serializers.Serializer[Any]):
    id = serializers.IntegerField(allow_null=True, help_text="Null: it is gone, or not for the reader.")
    author = AuthorSerializer(allow_null=True)


class AttachedSerializer(serializers.Serializer[Any]):
    id = serializers.IntegerField()
    external_id = serializers.CharField(allow_null=True)
    kind = serializers.CharField()
    title = serializers.CharField()
    url = serializers.CharField()


class ImageSerializer(serializers.Serializer[Any]):
    url = serializers.CharField()
    alt = serializers.CharField(help_text="What it shows, for those who cannot see it.")


class CountsSerializer(serializers.Serializer[Any]):
    likes = serializers.IntegerField()
    reposts = serializers.IntegerField()
    replies = serializers.IntegerField()


class DeedsSerializer(serializers.Serializer[Any]):
    liked = serializers.BooleanField()
    reposted = serializers.BooleanField()
    bookmarked = serializers.BooleanField()


class OriginalSerializer(serializers.Serializer[Any]):
    id = serializers.IntegerField(help_text="Also the number of its item: `id:<number>` names it in addresses.")
    external_id = serializers.CharField(allow_null=True, help_text="Your name for it, where you sent it.")
    author = AuthorSerializer()
    text = serializers.CharField(help_text="Empty for a repost.")
    visibility = serializers.ChoiceField(choices=Visibility.choices)
    reply_to = ParentSerializer(allow_null=True)
    attached = AttachedSerializer(allow_null=True, help_text="The item that it is about.")
    image = ImageSerializer(allow_null=True)
    counts = CountsSerializer(help_text="Of a repost: those of what it shows.")
    reader = DeedsSerializer(help_text="What the reader did with it.")
    created_at = serializers.DateTimeField()
    edited_at = serializers.DateTimeField(allow_null=True)


class PostSerializer(OriginalSerializer):
    repost_of = OriginalSerializer(allow_null=True, help_text="The post that a repost shows.")
    reposters = AuthorSerializer(
        many=True,
        help_text="Who reposted it, of those whom the reader follows: the newest first, three at most. "
        "Of a repost: who reposted what it shows, its own author always among them.",
    )
    more_reposters = serializers.IntegerField(help_text="How many more people, of those whom the reader follows.")


def author_body(author: User) -> dict[str, Any]:
    return {
        "id": author.pk,
        "external_id": author.external_id,
        "username": author.username,
        "display_name": author.display_name,
    }


def person_body(person: User) -> dict[str, Any]:
    return author_body(person) | {"is_active": person.is_active}


def post_bodies(reader: User | None, posts: Sequence[Post]) -> list[dict[str, Any]]:
    """Posts as `reader` sees them; a number of queries that does not depend on how many there are."""
    shown = entries(reader, posts)
    ids = {post.pk for entry in shown for post in (entry.post, entry.shown)}
    names = dict(Item.objects.filter(pk__in=ids).values_list("pk", "external_id"))
    return [_entry_body(entry, names) for entry in shown]


def _entry_body(entry: Entry, names: Mapping[int, str | None]) -> dict[str, Any]:
    return _body(entry, entry.post, names) | {
        "repost_of": _body(entry, entry.shown, names) if entry.is_repost else None,
        "reposters": [author_body(person) for person in entry.reposters],
        "more_reposters": entry.more_reposters,
    }


def _body(entry: Entry, post: Post, names: Mapping[int, str | None]) -> dict[str, Any]:
    shows = post.pk == entry.shown.pk
    return {
        "id": post.pk,
        "external_id": names.get(post.pk),
        "author": author_body(post.author),
        "text": post.text,
        "visibility": post.visibility,
        "reply_to": _parent_body(entry.answers) if shows and entry.answers else None,
        "attached": _attached_body(entry.attached) if shows and entry.attached else None,
        "image": {"url": post.image_url, "alt": post.image_alt} if post.image_url else None,
        "counts": {"likes": entry.like_count, "reposts": entry.repost_count, "replies": entry.reply_count},
        "reader": {"liked": entry.is_liked, "reposted": entry.is_reposted, "bookmarked": entry.is_bookmarked},
        "created_at": post.created_at,
        "edited_at": post.edited_at,
    }


def _parent_body(answers: Answered) -> dict[str, Any]:
    return {"id": answers.post, "author": author_body(answers.person) if answers.person else None}


def _attached_body(item: Item) -> dict[str, Any]:
    return {
        "id": item.pk,
        "external_id": item.external_id,
        "kind": item.kind,
        "title": item.title,
        "url": item.url,
    }
