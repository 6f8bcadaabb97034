"""How the partner API shows what this app holds: one place, so that every endpoint says it alike."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from feeds.models import Post
from recsys.accounts.models import User


class AuthorSerializer(serializers.Serializer[Any]):
    id = serializers.IntegerField()
    external_id = serializers.CharField(allow_null=True)
    username = serializers.CharField()
    display_name = serializers.CharField()


class PostSerializer(serializers.Serializer[Any]):
    id = serializers.IntegerField(help_text="Also the number of its item: `id:<number>` names it in addresses.")
    author = AuthorSerializer()
    text = serializers.CharField()
    created_at = serializers.DateTimeField()


def author_body(author: User) -> dict[str, Any]:
    return {
        "id": author.pk,
        "external_id": author.external_id,
        "username": author.username,
        "display_name": author.display_name,
    }


def post_body(post: Post) -> dict[str, Any]:
    return {
        "id": post.pk,
        "author": author_body(post.author),
        "text": post.text,
        "created_at": post.created_at,
    }
