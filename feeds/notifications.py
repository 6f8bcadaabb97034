"""Reading notifications: in groups, newest first; and the marks that say which were seen and read."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from functools import cached_property
from typing import Any, NamedTuple

from django.db import connection
from django.db.models import BooleanField, F, Q
from django.db.models.expressions import RawSQL
from django.db.models.functions import Coalesce, Now
from django.urls import reverse
from django.utils.text import Truncator

from feeds.models import Notification, NotificationKind, NotificationPreference, Post
from feeds.notify import IS_RECENT, KEPT, is_for
from feeds.people import PAGE as PEOPLE_PAGE
from feeds.people import PeoplePage, people_page
from recsys.accounts.models import User
from recsys.inputs import FieldError, InputError

PAGE, LONGEST_PAGE = 20, 50  # groups
FACES = 3  # people named of a group
COUNTED = 100  # at most, of what is unseen: "99+"
EXCERPT = 140  # characters
LARGEST_ID = 2**63 - 1
BY_DAY = (NotificationKind.FOLLOW, NotificationKind.REQUEST)
# Where one's notifications have reached their bound, likes and reposts are counted on the post itself.
TALLIES = {NotificationKind.LIKE: "like_count", NotificationKind.REPOST: "repost_count"}
DEEDS = {  # done by one, done by several
    NotificationKind.FOLLOW: ("followed you", "followed you"),
    NotificationKind.REQUEST: ("wants to follow you", "want to follow you"),
    NotificationKind.REPLY: ("replied to you", "replied to you"),
    NotificationKind.MENTION: ("mentioned you", "mentioned you"),
    NotificationKind.LIKE: ("liked your post", "liked your post"),
    NotificationKind.REPOST: ("reposted your post", "reposted your post"),
}
ICONS = {
    NotificationKind.FOLLOW: "people",
    NotificationKind.REQUEST: "lock",
    NotificationKind.REPLY: "reply",
    NotificationKind.MENTION: "at",
    NotificationKind.LIKE: "heart",
    NotificationKind.REPOST: "repost",
}


@dataclass(frozen=True, slots=True)
class Cursor:
    """Where a page goes on: with groups whose newest entry is below `before`, as they were up to `top`.

    What came after the first page stays out of the next ones, so that no group moves away from under a reader.
    """

    before: int
    top: int

    def __str__(self) -> str:
        return f"{self.before}-{self.top}"

    @classmethod
    def parse(cls, text: str) -> Cursor | None:
        """None where the text is no cursor."""
        found = re.fullmatch(r"([0-9]{1,18})-([0-9]{1,18})", text, re.ASCII)
        return cls(int(found[1]), int(found[2])) if found else None


@dataclass(frozen=True, slots=True)
class GroupKey:
    """What makes notifications one group: the kind and the post, or the day."""

    kind: NotificationKind
    post: int | None = None
    day: date | None = None

    def __str__(self) -> str:
        return f"{self.kind.value}-{self.post or self.day}"

    @classmethod
    def parse(cls, text: str) -> GroupKey:
        """InputError where the text names no group."""
        kind, _, rest = text.partition("-")
        try:
            if NotificationKind(kind) in BY_DAY:
                return cls(NotificationKind(kind), day=date.fromisoformat(rest))
            if re.fullmatch(r"[0-9]{1,18}", rest, re.ASCII):
                return cls(NotificationKind(kind), post=int(rest))
        except ValueError:
            pass
        message = "This names no group of notifications; send a `key` from the list, such as like-17."
        raise InputError([FieldError("group", message)])

    def holds(self) -> Q:
        """The condition on `Notification`."""
        if self.day is None:
            return Q(kind=self.kind, post=self.post)
        day = (datetime.combine(self.day, time.min, UTC), datetime.combine(self.day, time.max, UTC))
        return Q(kind=self.kind, created_at__range=day)


@dataclass(frozen=True)
class Group:
    """Notifications of one kind about one post (or of one day): "Ana, Ben and 3 others liked your post".

    `actors` are the newest, `count` is how many there are in all, `newest` the id of the newest notification.
    """

    recipient: User
    key: GroupKey
    newest: int
    at: datetime
    count: int
    is_seen: bool
    is_read: bool
    actors: Sequence[User]
    post: Post | None

    @cached_property
    def named(self) -> str:
        """The people whom it names, as one would say it: "Ana and Ben", or "Ana, Ben" where there are `others`."""
        names = [actor.name for actor in self.actors]
        if self.others:
            return ", ".join(names[: FACES - 1])
        return " and ".join(filter(None, [", ".join(names[:-1]), names[-1]]))

    @property
    def others(self) -> str:
        """The rest of them: "12 others"; "" where all are named."""
        if self.count <= len(self.actors):
            return ""
        rest = self.count - len(self.actors[: FACES - 1])
        return f"{rest:,} other{'' if rest == 1 else 's'}"

    @property
    def who(self) -> str:
        """The people, as one would say it."""
        return " and ".join(filter(None, [self.named, self.others]))

    @property
    def did(self) -> str:
        return DEEDS[self.key.kind][self.count > 1]

    @property
    def icon(self) -> str:
        """The name of its picture in the sprite."""
        return ICONS[self.key.kind]

    @property
    def excerpt(self) -> str:
        """The beginning of the post that it is about."""
        if self.post is None:
            return ""
        return Truncator(" ".join((self.post.text or self.post.image_alt).split())).chars(EXCERPT)

    def get_absolute_url(self) -> str:
        """Where one goes to see it."""
        if self.post is not None:
            return self.post.get_absolute_url()
        if self.key.kind == NotificationKind.REQUEST:
            return reverse("follow-requests")
        return self.people_url if self.count > 1 else self.actors[0].get_absolute_url()

    @property
    def people_url(self) -> str:
        """Where all its people are listed."""
        return reverse("notification-people", args=[str(self.key)])


@dataclass(frozen=True, slots=True)
class NotificationPage:
    """Groups, newest first; `next_before` asks for the next page. `newest` is the newest id that the page knows of."""

    groups: list[Group]
    next_before: Cursor | None
    newest: int


class _Row(NamedTuple):
    """What SQL says of a group. `is_full`: the recipient's notifications are at their bound, so some have gone."""

    kind: str
    post: int | None
    day: date | None
    newest: int
    at: datetime
    size: int
    is_seen: bool
    is_read: bool
    actors: list[int]
    is_full: bool


_UNSEEN = f"""
    SELECT r.id, (
        SELECT count(*) FROM (
            SELECT FROM feeds_notification n WHERE n.recipient_id = r.id AND n.seen_at IS NULL
              AND n.created_at {IS_RECENT} AND {is_for("n", "r.id")} LIMIT %(most)s
        ) counted
    ) FROM unnest(%(recipients)s::bigint[]) r (id)
"""  # noqa: S608 (of our own texts)


def unread_counts(recipients: Iterable[int]) -> dict[int, int]:
    """How many notifications each of these people has not seen, COUNTED at most. One query."""
    with connection.cursor() as cursor:
        cursor.execute(_UNSEEN, {"recipients": list(recipients), "most": COUNTED})
        return dict(cursor.fetchall())


def unread_count(recipient: User) -> int:
    """How many notifications somebody has not seen, COUNTED at most."""
    return unread_counts([recipient.pk])[recipient.pk]


def notification_page(*, recipient: User, before: Cursor | None = None, limit: int = PAGE) -> NotificationPage:
    """A page of somebody's notifications, as far as they are for them now. Three queries, however many there are."""
    limit = max(1, min(limit, LONGEST_PAGE))
    cursor = before or Cursor(LARGEST_ID, LARGEST_ID)
    rows = _group_rows(recipient.pk, cursor, limit + 1)
    more, rows = len(rows) > limit, rows[:limit]
    groups = _groups(recipient, rows)
    newest = rows[0].newest if rows else 0
    top = newest if before is None else before.top
    return NotificationPage(groups, Cursor(rows[-1].newest, top) if more else None, newest)


def notification_group(*, recipient: User, key: GroupKey) -> Group | None:
    """One group as it is now; None where there is none of that key."""
    rows = _group_rows(recipient.pk, Cursor(LARGEST_ID, LARGEST_ID), 1, key)
    return next(iter(_groups(recipient, rows)), None)


def group_people(*, recipient: User, key: GroupKey, before: int | None = None, limit: int = PEOPLE_PAGE) -> PeoplePage:
    """A page of the people of a group, the latest first, by the same rule as the group itself. Two queries.

    Where the recipient's notifications have reached their bound, these are fewer than the group counts.
    """
    row = Notification._meta.db_table
    is_shown = RawSQL(f"{row}.created_at {IS_RECENT} AND {is_for(row, recipient.pk)}", [], BooleanField())  # noqa: S611
    rows = Notification.objects.filter(key.holds(), is_shown, recipient=recipient).select_related("actor")
    return people_page(rows, "actor", recipient, before, limit, hide=False)


def _groups_sql(recipient: int) -> str:
    """With the recipient's number in the text, blocks and mutes are each read once and not for each row."""
    return f"""
        WITH shown AS MATERIALIZED (
            SELECT n.*,
                   CASE WHEN n.kind IN ('follow', 'request') THEN (n.created_at AT TIME ZONE 'UTC')::date END AS day
            FROM (
                SELECT * FROM feeds_notification WHERE recipient_id = {recipient:d} AND id <= %(top)s
                ORDER BY id DESC LIMIT %(kept)s
            ) n WHERE n.created_at {IS_RECENT} AND {is_for("n", recipient)}
        )
        SELECT kind, post_id, day, max(id) AS newest, max(created_at), count(*), bool_and(seen_at IS NOT NULL),
               bool_and(read_at IS NOT NULL), (array_agg(actor_id ORDER BY id DESC))[1:%(faces)s],
               (SELECT count(*) FROM feeds_notification WHERE recipient_id = {recipient:d}) >= %(kept)s
        FROM shown WHERE %(kind)s::text IS NULL OR (kind, post_id, day) IS NOT DISTINCT FROM
            (%(kind)s::text, %(post)s::bigint, %(day)s::date)
        GROUP BY kind, post_id, day HAVING max(id) < %(before)s ORDER BY newest DESC LIMIT %(limit)s
    """  # noqa: S608 (of our own texts)


def _group_rows(recipient: int, cursor: Cursor, limit: int, key: GroupKey | None = None) -> list[_Row]:
    parameters: dict[str, Any] = {
        "top": cursor.top,
        "before": cursor.before,
        "kept": KEPT,
        "faces": FACES,
        "limit": limit,
    }
    parameters |= {name: getattr(key, name, None) for name in ("kind", "post", "day")}
    with connection.cursor() as database:
        database.execute(_groups_sql(recipient), parameters)
        return [_Row(*row) for row in database.fetchall()]


def _groups(recipient: User, rows: Sequence[_Row]) -> list[Group]:
    people = User.objects.in_bulk({actor for row in rows for actor in row.actors})
    posts = Post.objects.select_related("stats").in_bulk({row.post for row in rows if row.post})
    return [group for row in rows if (group := _group(recipient, row, people, posts))]


def _group(recipient: User, row: _Row, people: Mapping[int, User], posts: Mapping[int, Post]) -> Group | None:
    """None for what was deleted between the queries."""
    kind = NotificationKind(row.kind)
    post = posts.get(row.post) if row.post else None
    actors = [people[actor] for actor in row.actors if actor in people]
    if not actors or (row.post and post is None):
        return None
    stats = getattr(post, "stats", None) if row.is_full and kind in TALLIES else None
    count = max(row.size, getattr(stats, TALLIES[kind])) if stats else row.size
    key = GroupKey(kind, row.post, row.day)
    return Group(recipient, key, row.newest, row.at, count, row.is_seen, row.is_read, actors, post)


def do_mark_seen(*, recipient: User, up_to: int = LARGEST_ID) -> None:
    """Note that somebody has had a look at their notifications up to the id `up_to`."""
    Notification.objects.filter(recipient=recipient, id__lte=up_to, seen_at=None).update(seen_at=Now())


def do_mark_read(*, recipient: User, group: GroupKey | None = None, up_to: int = LARGEST_ID) -> None:
    """Note that somebody has read a group, or all, up to the id `up_to`; what is read is seen as well."""
    unread = Notification.objects.filter(recipient=recipient, id__lte=up_to, read_at=None)
    if group is not None:
        unread = unread.filter(group.holds())
    unread.update(read_at=Now(), seen_at=Coalesce(F("seen_at"), Now()))


def unwanted_kinds(user: User) -> list[NotificationKind]:
    """The kinds of notification that somebody does not want."""
    found = NotificationPreference.objects.filter(user=user).values_list("unwanted", flat=True).first()
    return [kind for kind in NotificationKind if kind in (found or ())]


def do_save_preferences(*, user: User, unwanted: Iterable[NotificationKind]) -> None:
    """Write no notifications of these kinds any more, and show none."""
    kept = [kind for kind in NotificationKind if kind in set(unwanted)]
    NotificationPreference.objects.update_or_create(user=user, defaults={"unwanted": kept})
