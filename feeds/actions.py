"""Writes to posts, and what people do with them. What follows from them happens through the outbox.

Whoever may not see a post is told that there is none (`UnseenPost`), whatever they wanted to do with it.
"""

from __future__ import annotations

import unicodedata
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from django.contrib.admin.models import DELETION, LogEntry
from django.contrib.contenttypes.models import ContentType
from django.core.exceptions import PermissionDenied
from django.db import IntegrityError, connection, transaction
from django.db.models.functions import Now

from feeds.models import Bookmark, Like, Post, Visibility
from feeds.triggers import WITHHELD
from feeds.visibility import UnseenPost, may_be_seen
from feeds.words import do_index_posts, title_of
from recsys.accounts.models import User
from recsys.catalog.models import Item
from recsys.events.actions import EventInput, do_record_events
from recsys.events.models import InteractionKind
from recsys.inputs import FieldError, InputError, text_fault

_WITHHOLD = f"""
    UPDATE catalog_item i SET is_withheld = ({WITHHELD}) FROM feeds_post p JOIN accounts_user u ON u.id = p.author_id
    WHERE i.id = p.item_id AND p.author_id = ANY(%s) AND i.is_withheld IS DISTINCT FROM ({WITHHELD})
"""  # noqa: S608 (of our own texts)
_KEEP = "INSERT INTO feeds_bookmark (user_id, post_id) VALUES (%s, %s) ON CONFLICT DO NOTHING"
LONGEST_POST = Post._meta.get_field("text").max_length or 2000
LONGEST_ADDRESS = Post._meta.get_field("image_url").max_length or 1000
LONGEST_ALT = Post._meta.get_field("image_alt").max_length or 500
OPENNESS = (Visibility.PRIVATE, Visibility.FOLLOWERS, Visibility.PUBLIC)


@dataclass(frozen=True, slots=True)
class Words:
    """What a post says: what its author writes, and may write anew."""

    text: str
    attached: Item | None = None
    image_url: str = ""
    image_alt: str = ""

    def fields(self) -> dict[str, Any]:
        return {
            "text": self.text,
            "attached": self.attached,
            "image_url": self.image_url,
            "image_alt": self.image_alt,
        }


def check_text(text: str) -> str:
    """The text of a post with plain line ends and nothing around it; InputError where it cannot be one."""
    plain = text.replace("\r\n", "\n").replace("\r", "\n").strip() if isinstance(text, str) else text
    if fault := text_fault(plain, longest=LONGEST_POST, required=True) or _invisible_fault(plain):
        raise InputError([FieldError("text", fault)])
    return plain


def check_words(*, text: str, attached: Item | None, image_url: str, image_alt: str) -> Words:
    """What a post says, in the form in which it is stored; InputError that names everything that is wrong with it."""
    faults: list[FieldError] = []
    try:
        text = check_text(text)
    except InputError as error:
        faults += error.errors
    address, alt = (value.strip() if isinstance(value, str) else value for value in (image_url, image_alt))
    if fault := _address_fault(address):
        faults.append(FieldError("image_url", fault))
    elif fault := text_fault(alt, longest=LONGEST_ALT) or (_invisible_fault(alt) if alt else None):
        faults.append(FieldError("image_alt", fault))
    elif address and not alt:
        faults.append(FieldError("image_alt", "Say what the image shows, for those who cannot see it."))
    elif alt and not address:
        faults.append(FieldError("image_url", "This description has no image; give its address too."))
    if attached is not None and (attached.kind == "post" or attached.is_withheld):
        faults.append(FieldError("attached", "Attach something from the catalogue; to posts one links."))
    if faults:
        raise InputError(faults)
    return Words(text, attached, address, alt)


def _address_fault(address: str) -> str | None:
    if fault := text_fault(address, longest=LONGEST_ADDRESS):
        return fault
    if not address:
        return None
    try:
        parts = urlsplit(address)
        is_web = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_web = False
    if not is_web or any(map(str.isspace, address)) or _invisible_fault(address):
        return "This must be the complete address of an image, beginning with https:// (or http://)."
    return None


def _invisible_fault(text: str) -> str | None:
    """Say what is wrong with characters that nobody sees: controls, and a text of nothing but joiners and spaces."""
    for character in text:
        if unicodedata.category(character) == "Cc" and character not in "\n\t":
            return f"This holds the control character U+{ord(character):04X}; remove it."
    if all(unicodedata.category(character)[0] in "CZ" for character in text):
        return "This must not be empty."
    return None


def do_create_post(
    *,
    author: User,
    text: str,
    visibility: str = Visibility.PUBLIC,
    reply_to: Post | None = None,
    attached: Item | None = None,
    image_url: str = "",
    image_alt: str = "",
    external_id: str | None = None,
) -> Post:
    """Write a post, which is an item too. InputError names what cannot be; UnseenPost where `reply_to` is not for them.

    A reply is no more open than what it answers: to somebody's post for followers it is for followers at most. The same
    `external_id` again gives the post that it named first, unchanged.
    """
    words = check_words(text=text, attached=attached, image_url=image_url, image_alt=image_alt)
    if visibility not in Visibility.values:
        raise InputError([FieldError("visibility", f"This must be one of {', '.join(Visibility.values)}.")])
    if external_id is not None and (known := _posted_as(external_id, author)):
        return known
    parent = _seen_original(author, reply_to) if reply_to else None
    if parent and parent.author_id != author.pk:
        visibility = _no_more_open(visibility, parent)
    try:
        post = _store_post(author, words, visibility, parent, external_id)
    except IntegrityError:
        if external_id is None or not (known := _posted_as(external_id, author)):
            raise
        return known  # somebody was faster
    post.refresh_from_db(fields=["created_at", "reply_to_author"])
    return post


@transaction.atomic
def _store_post(author: User, words: Words, visibility: str, parent: Post | None, external_id: str | None) -> Post:
    if parent:
        _hold(parent)
    item = Item.objects.create(
        kind="post", title=title_of(words.text), description=words.text, creator=author, external_id=external_id
    )
    post = Post.objects.create(item=item, author=author, visibility=visibility, reply_to=parent, **words.fields())
    do_index_posts(posts=[post.pk])
    return post


def _posted_as(external_id: str, author: User) -> Post | None:
    """The author's post of that external id; InputError where it names something else."""
    item = Item.objects.filter(external_id=external_id).select_related("post").first()
    if item is None:
        return None
    post: Post | None = getattr(item, "post", None)
    if post is None or post.author_id != author.pk or post.repost_of_id is not None:
        raise InputError([FieldError("external_id", "Something else has this name already; choose another.")])
    return post


def _no_more_open(visibility: str, parent: Post) -> str:
    limit = Visibility.FOLLOWERS if parent.author.is_private else Visibility(parent.visibility)
    return min(Visibility(visibility), limit, key=OPENNESS.index)


def _hold(post: Post) -> None:
    """Keep the post from being deleted until the transaction ends; UnseenPost where that has happened."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT FROM feeds_post WHERE item_id = %s FOR KEY SHARE", [post.pk])
        if not cursor.rowcount:
            raise UnseenPost


def _seen_original(reader: User, post: Post) -> Post:
    """What a post shows: itself, or what it reposts. UnseenPost unless the reader may see it."""
    if not may_be_seen(reader, post.pk):
        raise UnseenPost
    return post if post.repost_of is None else post.repost_of


def do_edit_post(
    *, post: Post, by: User, text: str, attached: Item | None = None, image_url: str = "", image_alt: str = ""
) -> Post:
    """Let its author say it anew; whom it is for stays. PermissionDenied for others, InputError for bad words."""
    if by.pk != post.author_id:
        raise PermissionDenied("Only the author may edit a post.")
    if post.repost_of_id is not None:
        raise InputError([FieldError("text", "A repost has no words of its own.")])
    # What was attached once may stay, whatever became of it.
    unchanged = attached is not None and attached.pk == post.attached_id
    words = check_words(text=text, attached=None if unchanged else attached, image_url=image_url, image_alt=image_alt)
    wanted = words.fields() | ({"attached": attached} if unchanged else {})
    with transaction.atomic():
        current = Post.objects.select_for_update(no_key=True).filter(pk=post.pk).first()
        if current is None:
            raise UnseenPost
        if any(getattr(current, name) != value for name, value in wanted.items()):
            Post.objects.filter(pk=post.pk).update(edited_at=Now(), **wanted)
            do_index_posts(posts=[post.pk])
    post.refresh_from_db(fields=[*wanted, "edited_at"])
    return post


def do_delete_post(*, post: Post, by: User) -> None:
    """Delete a post and its item; PermissionDenied unless `by` wrote it or `may_take_down` posts.

    Where staff take it down, the history of the admin remembers who, when and whose, not its words.
    """
    is_taken_down = by.pk != post.author_id
    if is_taken_down and not may_take_down(by):
        raise PermissionDenied("Only the author, and staff with the right to, may delete a post.")
    with transaction.atomic():
        deleted, _ = Item.objects.filter(pk=post.pk).delete()
        if deleted and is_taken_down:
            LogEntry.objects.create(
                user=by,
                content_type=ContentType.objects.get_for_model(Post),
                object_id=str(post.pk),
                object_repr=f"post {post.pk}",
                action_flag=DELETION,
                change_message=f"Taken down; its author is user {post.author_id}.",
            )


def may_take_down(user: User) -> bool:
    """Staff with the right to delete posts in the admin may do so everywhere; other staff nowhere."""
    return user.is_staff and user.has_perm("feeds.delete_post")


def do_repost(*, user: User, post: Post) -> Post:
    """Show a post to one's own followers, once. Reposting a repost reposts what that shows.

    InputError for what is not for everybody, for one's own, and where the account has been erased meanwhile.
    """
    original = _seen_original(user, post)
    if original.author_id == user.pk:
        raise InputError([FieldError("", "This is your own post; your followers have it already.")])
    if original.visibility != Visibility.PUBLIC or original.author.is_private:
        raise InputError([FieldError("", "Only posts that are for everybody can be reposted.")])
    with transaction.atomic():
        # One tab of a person after the other: another may have reposted it, or taken that back, at this moment.
        if not User.objects.select_for_update(no_key=True).filter(pk=user.pk).exists():
            raise InputError([FieldError("", "There is no such account any more.")])
        if known := Post.objects.filter(author=user, repost_of=original).first():
            return known
        _hold(original)
        item = Item.objects.create(kind="post", title=title_of(original.text), creator=user)
        return Post.objects.create(item=item, author=user, repost_of=original)


def do_undo_repost(*, user: User, post: Post) -> bool:
    """Take the user's repost of what the post shows back; False where there was none."""
    with transaction.atomic():
        reposts = Item.objects.filter(post__author=user, post__repost_of=_shown(post))
        return bool(reposts.delete()[0])


def do_like_post(*, user: User, post: Post, recommendation_id: uuid.UUID | None = None) -> bool:
    """Record that the user likes what the post shows; False where that was so already.

    It goes through the events, from which a trigger makes the `Like`, so that recommendations learn from it.
    """
    original = _seen_original(user, post)
    if Like.objects.filter(user=user, post=original).exists():
        return False
    event = EventInput(
        event_id=str(uuid.uuid4()),
        user_id=user.pk,
        item_id=original.pk,
        kind=InteractionKind.LIKE,
        recommendation_id=recommendation_id,
    )
    do_record_events(events=[event], scope=f"user:{user.pk}")
    return True


def do_unlike_post(*, user: User, post: Post) -> bool:
    """Take a like back; False where there was none."""
    return bool(Like.objects.filter(user=user, post=_shown(post)).delete()[0])


def do_bookmark(*, user: User, post: Post) -> bool:
    """Keep what the post shows for later; False where it is kept already."""
    original = _seen_original(user, post)
    with transaction.atomic(), connection.cursor() as cursor:
        _hold(original)
        # Not `get_or_create`, which fails where another tab keeps the post and lets it go meanwhile.
        cursor.execute(_KEEP, [user.pk, original.pk])
        return bool(cursor.rowcount)


def do_remove_bookmark(*, user: User, post: Post) -> bool:
    """Keep it no longer; False where it was not kept."""
    return bool(Bookmark.objects.filter(user=user, post=_shown(post)).delete()[0])


def _shown(post: Post) -> int:
    return post.repost_of_id or post.pk


def do_withhold_posts(*, authors: Sequence[int]) -> None:
    """Keep `Item.is_withheld` of all their posts true to whether their accounts are private or suspended."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(_WITHHOLD, [list(authors)])
