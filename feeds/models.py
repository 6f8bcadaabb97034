from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models.functions import Now

from feeds.triggers import capture_first_pull, count_followers
from recsys.catalog.models import Item
from recsys.outbox.capture import capture


class DeliveryMode(models.TextChoices):
    PUSH = "push"
    PULL = "pull"


class Post(models.Model):
    """A post is an item (same primary key), so it can be recommended like any other. Deleting it deletes both.

    `mode` is decided once, by the fan-out when it first handles the post, whoever inserted the row; NULL until then.
    """

    item = models.OneToOneField(Item, primary_key=True, on_delete=models.CASCADE, related_name="post")
    author = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="posts", db_index=False)
    text = models.TextField(max_length=2000)
    mode = models.CharField(max_length=4, choices=DeliveryMode, null=True, editable=False)
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        indexes = [models.Index(fields=["author", "-item"], name="post_author_newest")]
        triggers = capture(topic="feeds.post", key="item_id", payload=["author_id", "mode"], update_of=["text"])

    def __str__(self) -> str:
        return self.text[:60]


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
