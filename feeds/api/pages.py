"""The partner API's other timelines: of an author, a hashtag, and the bookmarks."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers
from rest_framework.exceptions import NotFound
from rest_framework.request import Request
from rest_framework.response import Response

from feeds.api.timelines import PageQuery, PageSerializer, page_body
from feeds.pages import bookmarks_page, hashtag_page
from feeds.selectors import author_page
from feeds.texts import canonical_tag
from recsys.accounts.models import User
from recsys.partners.addressing import LONGEST, find_user
from recsys.partners.views.base import PartnerView, documented, query


class ReaderQuery(PageQuery):
    reader = serializers.CharField(
        max_length=LONGEST,
        default="",
        help_text="Who reads, by name: posts are as they may see them. Left out: a visitor.",
    )


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


def _reader(asked: dict[str, Any]) -> User | None:
    """Take the reader out of what was asked."""
    name = asked.pop("reader")
    return find_user(name) if name else None
