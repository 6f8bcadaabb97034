"""How the partner API shows what this app holds: one place, so that every endpoint says it alike."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from feeds.models import Post


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


def post_body(post: Post) -> dict[str, Any]:
    author = post.author
    return {
        "id": post.pk,
        "author": {
            "id": author.pk,
            "external_id": author.external_id,
            "username": author.username,
            "display_name": author.display_name,
        },
        "text": post.text,
        "created_at": post.created_at,
    }
