"""The partner API's other timelines: of an author, a hashtag, the bookmarks, and the replies to a post."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers
from rest_framework.exceptions import NotFound
from rest_framework.request import Request
from rest_framework.response import Response

from feeds.api.representations import PostSerializer, post_bodies
from feeds.api.timelines import PageQuery, PageSerializer, page_body
from feeds.conversations import find_post, replies
from feeds.pages import bookmarks_page, hashtag_page
from feeds.selectors import LARGEST_ID, author_page
from feeds.texts import canonical_tag
from recsys.accounts.models import User
from recsys.partners.addressing import LONGEST, find_user
from recsys.partners.serializers import StrictQuery
from recsys.partners.views.base import PartnerView, documented, query

READER = "Who reads, by name: posts are as they may see them. Left out: a visitor."


class ReaderQuery(PageQuery):
    reader = serializers.CharField(max_length=LONGEST, default="", help_text=READER)


class AuthorQuery(ReaderQuery):
    replies = serializers.BooleanField(default=False, help_text="With replies to others, too.")


class AuthorPostsView(PartnerView):
    """What somebody wrote."""

    @documented(
        "Show a user's posts",
        answer=PageSerializer,
        parameters=AuthorQuery,
        named=True,
        problems=(404,),
        tag="Feeds",
        operation="author_posts",
    )
    def get(self, request: Request, external_id: str) -> Response:
        """As far as the reader may see them: a visitor sees what is public, the author everything."""
        asked = query(request, AuthorQuery)
        reader = _reader(asked)
        return Response(page_body(reader, author_page(author=find_user(external_id), reader=reader, **asked)))


class HashtagView(PartnerView):
    """Posts with a hashtag."""

    @documented(
        "Show the posts with a hashtag",
        answer=PageSerializer,
        parameters=ReaderQuery,
        problems=(404,),
        tag="Feeds",
        operation="hashtag_posts",
    )
    def get(self, request: Request, tag: str) -> Response:
        """As far as the reader may see them, without those of people whom the reader has muted."""
        asked = query(request, ReaderQuery)
        reader, canonical = _reader(asked), canonical_tag(tag)
        if not canonical:
            raise NotFound("That cannot be a hashtag: send letters and digits, without the #.")
        return Response(page_body(reader, hashtag_page(tag=canonical, reader=reader, **asked)))


class KeptView(PartnerView):
    """What a user keeps for later."""

    @documented(
        "Show a user's bookmarks",
        answer=PageSerializer,
        parameters=PageQuery,
        named=True,
        problems=(404,),
        tag="Feeds",
        operation="kept_posts",
    )
    def get(self, request: Request, external_id: str) -> Response:
        """The last one kept first, as far as the posts may still be seen. `next_before` is not a post's id here."""
        asked, reader = query(request, PageQuery), find_user(external_id)
        return Response(page_body(reader, bookmarks_page(reader=reader, **asked)))


class RepliesQuery(StrictQuery):
    reader = serializers.CharField(max_length=LONGEST, default="", help_text=READER)
    after = serializers.IntegerField(
        min_value=1, max_value=LARGEST_ID, default=None, help_text="`next_after` of the page before. Left out: oldest."
    )
    limit = serializers.IntegerField(min_value=1, max_value=100, default=20, help_text="How many posts at most.")


class RepliesSerializer(serializers.Serializer[Any]):
    posts = PostSerializer(many=True, help_text="Oldest first.")
    next_after = serializers.IntegerField(allow_null=True, help_text="Null: this is the last page.")


class RepliesView(PartnerView):
    """What answers a post."""

    @documented(
        "Show the replies to a post",
        answer=RepliesSerializer,
        parameters=RepliesQuery,
        problems=(404,),
        tag="Feeds",
        operation="replies",
    )
    def get(self, request: Request, pk: int) -> Response:
        """As far as the reader may see them. What a post itself answers is its `reply_to`."""
        asked = query(request, RepliesQuery)
        reader = _reader(asked)
        page = replies(reader=reader, post=find_post(reader=reader, pk=pk), **asked)
        return Response({"posts": post_bodies(reader, page.posts), "next_after": page.next_after})


def _reader(asked: dict[str, Any]) -> User | None:
    """Take the reader out of what was asked."""
    name = asked.pop("reader")
    return find_user(name) if name else None
