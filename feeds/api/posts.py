"""The partner API's posts, for partners whose users write and read in pages of their own.

Whoever acts is named by the partner: the `author` of a new post, else the `user`. What one may not see is not found.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.core.exceptions import PermissionDenied as Refused
from rest_framework import serializers
from rest_framework.exceptions import PermissionDenied
from rest_framework.request import Request
from rest_framework.response import Response

from feeds.actions import (
    LONGEST_ADDRESS,
    LONGEST_ALT,
    LONGEST_POST,
    do_bookmark,
    do_create_post,
    do_delete_post,
    do_edit_post,
    do_like_post,
    do_remove_bookmark,
    do_repost,
    do_undo_repost,
    do_unlike_post,
)
from feeds.api.bodies import check_person, check_text, read_object
from feeds.api.representations import PostSerializer, post_bodies
from feeds.conversations import find_post
from feeds.models import Post, Visibility
from feeds.selectors import LARGEST_ID
from feeds.visibility import UnseenPost
from recsys.accounts.models import User
from recsys.catalog.models import Item
from recsys.inputs import FieldError, InputError, text_fault
from recsys.partners.addressing import LONGEST, RESERVED, find_ids, find_user
from recsys.partners.serializers import StrictQuery
from recsys.partners.views.base import PartnerView, documented, query

Deed = Callable[..., object]
WORDS = ("text", "attached", "image_url", "image_alt")
NAMED = "external_id of the user, or id:<number>."
EXAMPLE = {
    "external_id": "post-1",
    "author": "customer-4711",
    "text": "Better than I remembered. #heist",
    "visibility": "public",
    "attached": "film/949",
}


class WordsSerializer(serializers.Serializer[Any]):
    text = serializers.CharField(max_length=LONGEST_POST, help_text="With links, @mentions and #hashtags.")
    attached = serializers.CharField(
        max_length=LONGEST, required=False, allow_null=True, help_text="The item that it is about, by name."
    )
    image_url = serializers.CharField(max_length=LONGEST_ADDRESS, required=False, help_text="http or https.")
    image_alt = serializers.CharField(max_length=LONGEST_ALT, required=False, help_text="Needed with an image.")


class NewPostSerializer(WordsSerializer):
    author = serializers.CharField(max_length=LONGEST, help_text=NAMED)
    external_id = serializers.CharField(
        max_length=LONGEST, required=False, help_text="Your name for it: sent again, it gives the same post."
    )
    visibility = serializers.ChoiceField(choices=Visibility.choices, required=False, help_text="Left out: public.")
    reply_to = serializers.IntegerField(required=False, allow_null=True, help_text="The id of the post it answers.")


class EditSerializer(WordsSerializer):
    user = serializers.CharField(max_length=LONGEST, help_text=f"The author: {NAMED}")
    text = serializers.CharField(max_length=LONGEST_POST, required=False)


class ActorSerializer(serializers.Serializer[Any]):
    user = serializers.CharField(max_length=LONGEST, help_text=NAMED)


class ReaderQuery(StrictQuery):
    reader = serializers.CharField(
        max_length=LONGEST, default=None, help_text=f"Who looks at it: {NAMED} Left out: a visitor."
    )


class ActorQuery(StrictQuery):
    user = serializers.CharField(max_length=LONGEST, help_text=f"Who does it: {NAMED}")


class PostsView(PartnerView):
    """Writing posts."""

    @documented(
        "Write a post",
        body=NewPostSerializer,
        answer=PostSerializer,
        example=EXAMPLE,
        tag="Feeds",
        operation="create_post",
    )
    def post(self, request: Request) -> Response:
        """A post or a reply. A reply to somebody's post for followers is for followers at most."""
        query(request)
        given = read_object(
            request,
            needs=("author", "text"),
            author=check_person("author"),
            external_id=check_free_name,
            visibility=check_text("visibility"),
            reply_to=check_number,
            **_WORDS,
        )
        if answered := given.pop("reply_to", None):
            given["reply_to"] = _answered(given["author"], answered)
        return _answer(given["author"], do_create_post(**given))


class PostView(PartnerView):
    """One post."""

    http_method_names = [*PartnerView.http_method_names, "patch"]

    @documented(
        "Show a post",
        answer=PostSerializer,
        parameters=ReaderQuery,
        problems=(404,),
        tag="Feeds",
        operation="get_post",
    )
    def get(self, request: Request, pk: int) -> Response:
        """As the reader sees it."""
        asked = query(request, ReaderQuery)
        reader = find_user(asked["reader"]) if asked["reader"] else None
        return Response(post_bodies(reader, [find_post(reader=reader, pk=pk)])[0])

    @documented(
        "Edit a post",
        body=EditSerializer,
        answer=PostSerializer,
        example={"user": "customer-4711", "text": "Better than I remembered! #heist"},
        problems=(403, 404),
        tag="Feeds",
        operation="edit_post",
    )
    def patch(self, request: Request, pk: int) -> Response:
        """What is left out stays; whom the post is for always does. Only its author may."""
        query(request)
        given = read_object(request, needs=("user",), user=check_person("user"), **_WORDS)
        author = given["user"]
        post = find_post(reader=author, pk=pk)
        words = {name: given.get(name, getattr(post, name)) for name in WORDS}
        return _answer(author, _permitted(do_edit_post, post=post, by=author, **words))

    @documented(
        "Delete a post",
        answer=None,
        parameters=ActorQuery,
        problems=(403, 404),
        tag="Feeds",
        operation="delete_post",
    )
    def delete(self, request: Request, pk: int) -> Response:
        """With its reposts, likes and bookmarks; replies stay. Only its author may, and no member of the staff."""
        user = find_user(query(request, ActorQuery)["user"])
        post = find_post(reader=user, pk=pk)
        # Partners name whom they like: the rights of staff are not theirs to use.
        if post.author_id != user.pk:
            raise PermissionDenied("Only the author may delete a post here; staff take posts down in the admin.")
        do_delete_post(post=post, by=user)
        return Response(status=204)


def deed_view(word: str, do: Deed, undo: Deed, *, summary: str, undoing: str) -> type[PartnerView]:
    """The endpoint of what a user does with a post, and takes back."""

    class DeedView(PartnerView):
        @documented(
            summary,
            body=ActorSerializer,
            answer=PostSerializer,
            example={"user": "customer-4711"},
            problems=(404,),
            tag="Feeds",
            operation=f"{word}_post",
        )
        def post(self, request: Request, pk: int) -> Response:
            """Done twice, it is done once. The answer is the post as the user sees it now."""
            query(request)
            user = read_object(request, needs=("user",), user=check_person("user"))["user"]
            found = find_post(reader=user, pk=pk)
            done = do(user=user, post=found)
            return _answer(user, done if isinstance(done, Post) else found)

        @documented(
            undoing,
            answer=None,
            parameters=ActorQuery,
            problems=(404,),
            tag="Feeds",
            operation=f"un{word}_post",
        )
        def delete(self, request: Request, pk: int) -> Response:
            """Where there is nothing to take back, that is no error."""
            user = find_user(query(request, ActorQuery)["user"])
            undo(user=user, post=find_post(reader=user, pk=pk))
            return Response(status=204)

    return DeedView


LikesView = deed_view("like", do_like_post, do_unlike_post, summary="Like a post", undoing="Take a like back")
RepostsView = deed_view("repost", do_repost, do_undo_repost, summary="Repost a post", undoing="Take a repost back")
BookmarksView = deed_view(
    "bookmark", do_bookmark, do_remove_bookmark, summary="Bookmark a post", undoing="Remove a bookmark"
)


def check_attached(name: Any) -> Item | None:
    """The item of that name; None for none."""
    if name is None or name == "":
        return None
    pk = find_ids(Item, [name]).get(name) if isinstance(name, str) else None
    item = Item.objects.filter(pk=pk).first() if pk else None
    if item is None:
        raise InputError([FieldError("attached", "There is no such item. Send the item first, or check the spelling.")])
    return item


def check_free_name(name: Any) -> str:
    """A name of the partner's own for a post."""
    if fault := text_fault(name, longest=LONGEST, required=True):
        raise InputError([FieldError("external_id", fault)])
    if name.strip().startswith(RESERVED):
        raise InputError([FieldError("external_id", f"Names that begin with “{RESERVED}” are reserved.")])
    return str(name).strip()


def check_number(value: Any) -> int | None:
    """The number of a post; None for none."""
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or not 0 < value <= LARGEST_ID:
        raise InputError([FieldError("reply_to", "This must be the id of a post.")])
    return value


_WORDS: dict[str, Callable[[Any], Any]] = {
    "text": check_text("text"),
    "attached": check_attached,
    "image_url": check_text("image_url"),
    "image_alt": check_text("image_alt"),
}


def _answered(author: User, pk: int) -> Post:
    try:
        return find_post(reader=author, pk=pk)
    except UnseenPost as error:
        raise InputError([FieldError("reply_to", "There is no such post, or its author may not see it.")]) from error


def _permitted(do: Callable[..., Any], **options: Any) -> Any:
    """Do it, or say in the API's words that this user may not."""
    try:
        return do(**options)
    except Refused as error:
        raise PermissionDenied(str(error)) from error


def _answer(reader: User, post: Post) -> Response:
    return Response(post_bodies(reader, [find_post(reader=reader, pk=post.pk)])[0])
