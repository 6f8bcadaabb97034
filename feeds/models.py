from __future__ import annotations

from typing import Any

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models.functions import Now
from django.urls import reverse

from feeds.triggers import (
    capture_first_pull,
    count_followers,
    count_rows,
    keep_apart,
    note_parent,
    take_items_along,
    withhold_items,
)
from recsys.catalog.models import Item
from recsys.outbox.capture import capture


class DeliveryMode(models.TextChoices):
    PUSH = "push"
    PULL = "pull"


def link_to_post(**options: Any) -> models.ForeignKey:
    """A foreign key to a post that the database alone holds, with its ON DELETE (see the migrations 0003 and 0004).

    Django's way, to look for such rows and then delete them, fails when one more is written between the two.
    """
    return models.ForeignKey("Post", on_delete=models.DO_NOTHING, db_constraint=False, **options)


class Visibility(models.TextChoices):
    """Whom a post is for. The rules are SQL (see `visibility.py`); blocks and private accounts narrow them further."""

    PUBLIC = "public"
    FOLLOWERS = "followers"
    PRIVATE = "private", "only me"


class Post(models.Model):
    """A post is an item (same primary key), so it can be recommended like any other. Deleting it deletes both.

    A repost is a post without words of its own that shows another one (`repost_of`). A reply keeps whom it answers
    (`reply_to_author`, set by a trigger) even when what it answers has gone, since that decides who sees it.
    `mode` is decided once, by the fan-out when it first handles the post, whoever inserted the row; NULL until then.
    """

    item = models.OneToOneField(Item, primary_key=True, on_delete=models.CASCADE, related_name="post")
    author = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="posts", db_index=False)
    text = models.TextField(max_length=2000, blank=True)
    visibility = models.CharField(
        max_length=9, choices=Visibility, default=Visibility.PUBLIC, db_default=Visibility.PUBLIC
    )
    reply_to = link_to_post(null=True, blank=True, related_name="replies", db_index=False)
    reply_to_author = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        null=True,
        blank=True,
        editable=False,
        on_delete=models.DO_NOTHING,
        related_name="+",
        db_index=False,
        db_constraint=False,
    )
    repost_of = link_to_post(null=True, blank=True, related_name="reposts", db_index=False)
    attached = models.ForeignKey(
        Item,
        null=True,
        blank=True,
        on_delete=models.DO_NOTHING,  # the database sets it to NULL, as with links to posts
        db_constraint=False,
        related_name="+",
        help_text="What the post is about.",
    )
    image_url = models.URLField(max_length=1000, blank=True, default="", db_default="")
    image_alt = models.CharField(max_length=500, blank=True, default="", db_default="")
    mode = models.CharField(max_length=4, choices=DeliveryMode, null=True, editable=False)
    created_at = models.DateTimeField(db_default=Now())
    edited_at = models.DateTimeField(null=True, blank=True, editable=False)

    class Meta:
        indexes = [
            # What decides about a post lies inside, so that a page is found in the index alone.
            models.Index(
                fields=["author", "-item"],
                include=["visibility", "reply_to_author", "repost_of", "created_at"],
                name="post_author_newest",
            ),
            models.Index(fields=["reply_to", "item"], name="post_replies", condition=models.Q(reply_to__isnull=False)),
            models.Index(
                fields=["repost_of", "item"], name="post_reposts", condition=models.Q(repost_of__isnull=False)
            ),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["author", "repost_of"], name="repost_once", condition=models.Q(repost_of__isnull=False)
            ),
            models.CheckConstraint(
                name="repost_has_no_words",
                condition=models.Q(repost_of__isnull=True)
                | models.Q(text="", reply_to__isnull=True, attached__isnull=True, image_url="", visibility="public"),
            ),
            models.CheckConstraint(
                name="post_visibility_known", condition=models.Q(visibility__in=["public", "followers", "private"])
            ),
        ]
        triggers = [
            *capture(
                topic="feeds.post",
                key="item_id",
                payload=["author_id", "mode", "visibility", "repost_of_id", "reply_to_id", "reply_to_author_id"],
                update_of=["text", "visibility", "image_url", "image_alt", "attached_id"],
            ),
            note_parent(),
            take_items_along(),
            *withhold_items(),
            *count_rows("reply_count", column="reply_to_id"),
            *count_rows("repost_count", column="repost_of_id"),
        ]

    def __str__(self) -> str:
        return self.text[:60]

    def get_absolute_url(self) -> str:
        return reverse("post", args=[self.pk])


class PostStats(models.Model):
    """How often a post was liked, reposted and answered; kept exact by triggers on those rows. No row: never."""

    post = models.OneToOneField(
        Post, primary_key=True, on_delete=models.DO_NOTHING, db_constraint=False, related_name="stats"
    )
    like_count = models.BigIntegerField(default=0, db_default=0)
    repost_count = models.BigIntegerField(default=0, db_default=0)
    reply_count = models.BigIntegerField(default=0, db_default=0)


class Like(models.Model):
    """`user` likes `post`. A trigger makes one of each event of kind like about a post, whoever sent the event."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+", db_index=False)
    post = link_to_post(related_name="likes", db_index=False)
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints = [models.UniqueConstraint(fields=["user", "post"], name="like_once")]
        indexes = [models.Index(fields=["post", "-id"], name="like_post_newest")]
        triggers = [
            *capture(topic="feeds.like", payload=["user_id", "post_id"]),
            *count_rows("like_count", column="post_id"),
        ]


class Bookmark(models.Model):
    """A post that `user` keeps for later; nobody else knows."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+", db_index=False)
    post = link_to_post(related_name="+")
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints = [models.UniqueConstraint(fields=["user", "post"], name="bookmark_once")]
        indexes = [models.Index(fields=["user", "-id"], name="bookmark_user_newest")]


class Hashtag(models.Model):
    """A word after # in a post, in the form that equal tags share (see `texts.py`)."""

    post = link_to_post(related_name="hashtags", db_index=False)
    tag = models.CharField(max_length=100)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["post", "tag"], name="hashtag_once"),
            models.UniqueConstraint(fields=["tag", "post"], name="hashtag_posts"),
        ]

    def __str__(self) -> str:
        return f"#{self.tag}"


class Mention(models.Model):
    """A person named with @ in a post."""

    post = link_to_post(related_name="mentions", db_index=False)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+", db_index=False)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["post", "user"], name="mention_once")]
        indexes = [models.Index(fields=["user", "-post"], name="mention_user_newest")]


class Follow(models.Model):
    """An edge of the social graph: `follower` reads `followee`."""

    follower = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="following", db_index=False
    )
    followee = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="followers", db_index=False
    )
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints = [
            # With the id inside, a reader's whole graph and its fingerprint come from the index alone.
            models.UniqueConstraint(fields=["follower", "followee"], include=["id"], name="follow_once"),
            models.CheckConstraint(condition=~models.Q(follower=models.F("followee")), name="follow_not_self"),
        ]
        indexes = [models.Index(fields=["followee", "follower"], name="follow_followee")]
        triggers = [*capture(topic="feeds.follow", payload=["follower_id", "followee_id"]), *count_followers()]


class FollowRequest(models.Model):
    """`requester` wants to follow `target`, whose account is private and who has not decided yet."""

    requester = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+", db_index=False)
    target = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+", db_index=False)
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["requester", "target"], name="request_once"),
            models.CheckConstraint(condition=~models.Q(requester=models.F("target")), name="request_not_self"),
        ]
        indexes = [models.Index(fields=["target", "-id"], name="request_target_newest")]
        triggers = capture(topic="feeds.request", payload=["requester_id", "target_id"])


class Block(models.Model):
    """Neither of the two sees, follows or reaches the other. A trigger ends their follows, both ways."""

    blocker = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+", db_index=False)
    blocked = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+", db_index=False)
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["blocker", "blocked"], name="block_once"),
            models.CheckConstraint(condition=~models.Q(blocker=models.F("blocked")), name="block_not_self"),
        ]
        indexes = [models.Index(fields=["blocked", "blocker"], name="block_blocked")]
        triggers = [*capture(topic="feeds.block", payload=["blocker_id", "blocked_id"]), keep_apart()]


class Mute(models.Model):
    """`muter` does not want to read `muted`; the follow stays, and nobody is told."""

    muter = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+", db_index=False)
    muted = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["muter", "muted"], include=["id"], name="mute_once"),
            models.CheckConstraint(condition=~models.Q(muter=models.F("muted")), name="mute_not_self"),
        ]
        triggers = capture(topic="feeds.mute", payload=["muter_id", "muted_id"])


class AccountList(models.Model):
    """A named set of accounts, whose posts its owner reads as one timeline. Nobody else sees it."""

    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+", db_index=False)
    name = models.CharField(max_length=80)
    created_at = models.DateTimeField(db_default=Now())
    members = models.ManyToManyField(settings.AUTH_USER_MODEL, through="ListMember", related_name="+")

    class Meta:
        verbose_name = "list"
        constraints = [models.UniqueConstraint(fields=["owner", "name"], name="list_name_once")]

    def __str__(self) -> str:
        return self.name

    def get_absolute_url(self) -> str:
        return reverse("list", args=[self.pk])


class ListMember(models.Model):
    list = models.ForeignKey(AccountList, on_delete=models.CASCADE, related_name="+", db_index=False)
    member = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints = [models.UniqueConstraint(fields=["list", "member"], name="list_member_once")]


class ReadingPosition(models.Model):
    """Up to where somebody has read their home timeline.

    `newest_seen` is the newest entry that a first page has shown. `unread_after` is what it was when this visit began:
    entries above are "new since your last visit". A visit ends after half an hour without a first page.

    `read_at` is also when their timeline was asked for in ways that are no visit: over the API, or as the ranked view.
    Who has read so alone has never visited (`visited_at` is NULL).
    """

    reader = models.OneToOneField(
        settings.AUTH_USER_MODEL, primary_key=True, on_delete=models.CASCADE, related_name="+"
    )
    newest_seen = models.BigIntegerField(default=0, db_default=0)
    unread_after = models.BigIntegerField(default=0, db_default=0)
    visited_at = models.DateTimeField(null=True)
    read_at = models.DateTimeField(db_default=Now())

    class Meta:
        indexes = [models.Index(fields=["-read_at"], name="reading_recent")]


class NotificationKind(models.TextChoices):
    FOLLOW = "follow"
    REQUEST = "request"
    REPLY = "reply"
    MENTION = "mention"
    LIKE = "like"
    REPOST = "repost"


class Notification(models.Model):
    """`actor` did something that concerns `recipient`, about `post` where it is about one. Pages group them.

    The rows follow what is: a like that is taken back takes its notification along.
    """

    recipient = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+", db_index=False)
    actor = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    kind = models.CharField(max_length=7, choices=NotificationKind)
    post = link_to_post(null=True, related_name="+")
    created_at = models.DateTimeField(db_default=Now())
    seen_at = models.DateTimeField(null=True)
    read_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["recipient", "kind", "actor", "post"], name="notification_once", nulls_distinct=False
            )
        ]
        indexes = [
            models.Index(fields=["recipient", "-id"], name="notification_newest"),
            models.Index(fields=["recipient"], name="notification_unseen", condition=models.Q(seen_at__isnull=True)),
        ]
        triggers = capture(topic="feeds.notification", payload=["recipient_id"], update_of=["seen_at", "read_at"])


class NotificationPreference(models.Model):
    """The kinds of notification that somebody does not want. No row: all are wanted."""

    user = models.OneToOneField(settings.AUTH_USER_MODEL, primary_key=True, on_delete=models.CASCADE, related_name="+")
    unwanted = ArrayField(models.CharField(max_length=7, choices=NotificationKind), default=list, blank=True)


class Delivery(models.Model):
    """What the fan-out did with a post: into how many windows of a bucket's readers, from when to when; cold ones get
    nothing. Kept for a bounded time.
    """

    class Bucket(models.TextChoices):
        ALL = "all", "all followers at once"
        CONNECTED = "connected", "followers who were connected"
        RECENT = "recent", "followers who had read lately"
        REST = "rest", "other followers"
        AUTHOR = "author", "author's list"

    post = link_to_post(related_name="deliveries", db_index=False)
    bucket = models.CharField(max_length=9, choices=Bucket)
    readers = models.BigIntegerField(default=0)
    first_at = models.DateTimeField(db_default=Now())
    last_at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints = [models.UniqueConstraint(fields=["post", "bucket"], name="delivery_once")]
        indexes = [models.Index(fields=["last_at"], name="delivery_age")]

    def __str__(self) -> str:
        return f"to {self.get_bucket_display()}"


class AuthorStats(models.Model):
    """What the fan-out knows about an author.

    `follower_count` is kept exact by a trigger on `Follow`. `is_celebrity` remembers the side of the threshold, between
    the two bounds of the policy. `has_pull_posts` tells readers that the author's own list holds posts for them: it is
    set in the transaction that gives a post the mode pull, and never taken back, because old posts keep their mode.
    """

    author = models.OneToOneField(
        settings.AUTH_USER_MODEL, primary_key=True, on_delete=models.CASCADE, related_name="author_stats"
    )
    follower_count = models.BigIntegerField(default=0)
    is_celebrity = models.BooleanField(default=False)
    has_pull_posts = models.BooleanField(default=False, db_default=False)

    class Meta:
        verbose_name_plural = "author stats"
        indexes = [
            models.Index(fields=["-follower_count"], name="authorstats_popular"),
            models.Index(fields=["author"], condition=models.Q(has_pull_posts=True), name="authorstats_pulled"),
        ]
        triggers = capture_first_pull()


class FanoutPolicy(models.Model):
    """The one row that says from how many followers on an author's posts are pulled instead of pushed."""

    id = models.PositiveSmallIntegerField(primary_key=True, default=1)
    celebrity_threshold = models.PositiveIntegerField(
        default=10_000, help_text="Authors with at least this many followers are pulled at reading time."
    )
    lower_bound = models.PositiveIntegerField(
        default=8_000, help_text="A celebrity is pushed again only below this, so that nobody flaps."
    )

    class Meta:
        verbose_name_plural = "fan-out policy"
        constraints = [
            models.CheckConstraint(condition=models.Q(id=1), name="one_fanout_policy"),
            models.CheckConstraint(
                condition=models.Q(lower_bound__lte=models.F("celebrity_threshold")), name="lower_bound_below_threshold"
            ),
        ]

    def __str__(self) -> str:
        return f"pull from {self.celebrity_threshold:,} followers"


class AuthorOverride(models.Model):
    """Staff's word on one author, whatever the follower count."""

    author = models.OneToOneField(
        settings.AUTH_USER_MODEL, primary_key=True, on_delete=models.CASCADE, related_name="+"
    )
    mode = models.CharField(max_length=4, choices=DeliveryMode)
    reason = models.CharField(max_length=200, blank=True)

    def __str__(self) -> str:
        return f"{self.author}: {self.mode}"
