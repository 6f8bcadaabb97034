"""Reading notifications: groups and what they say, cursors, marks, counts, preferences."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.utils import timezone

from feeds import notifications, notify
from feeds.models import Block, Follow, Like, Mute, Notification, NotificationKind, Post, PostStats
from feeds.notifications import (
    Cursor,
    GroupKey,
    do_mark_read,
    do_mark_seen,
    do_save_preferences,
    group_people,
    notification_group,
    notification_page,
    unread_count,
    unread_counts,
    unwanted_kinds,
)
from feeds.subscriptions import user_stream
from realtime import streams
from recsys.accounts.models import User
from recsys.inputs import InputError
from tests.feeds.test_notify import repost, write

pytestmark = pytest.mark.django_db


@pytest.fixture
def ana() -> User:
    return User.objects.create_user("ana", display_name="Ana")


@pytest.fixture
def people() -> list[User]:
    names = ["Ben", "Carla", "Dan", "Eva", "Finn", "Gil"]
    return User.objects.bulk_create([User(username=name.lower(), display_name=name) for name in names])


@pytest.fixture
def post(ana) -> Post:
    return write(ana, "Hello  world")


def like(post: Post, *people: User) -> None:
    """One after the other."""
    for user in people:
        Like.objects.create(user=user, post=post)
        notify.notify_of_likes([(user.pk, post.pk)])


def follow(recipient: User, *people: User) -> None:
    for user in people:
        Follow.objects.create(follower=user, followee=recipient)
        notify.notify_of_follows([(user.pk, recipient.pk)])


def texts(recipient: User, **options) -> list[str]:
    return [f"{group.who} {group.did}" for group in notification_page(recipient=recipient, **options).groups]


class TestWords:
    @pytest.mark.parametrize(
        ("count", "who"),
        [
            (1, "Ben"),
            (2, "Carla and Ben"),
            (3, "Dan, Carla and Ben"),
            (4, "Eva, Dan and 2 others"),
            (6, "Gil, Finn and 4 others"),
        ],
    )
    def test_people_are_named_as_one_would_say_it(self, ana, people, post, count, who):
        like(post, *people[:count])
        assert texts(ana) == [f"{who} liked your post"]

    def test_thousands_are_set_apart(self, ana, people, post, monkeypatch):
        monkeypatch.setattr(notifications, "KEPT", 4)
        like(post, *people[:4])
        PostStats.objects.filter(post=post).update(like_count=100_000)
        assert texts(ana) == ["Eva, Dan and 99,998 others liked your post"]

    def test_somebody_who_has_no_display_name(self, ana, post):
        like(post, User.objects.create_user("zoe"))
        assert texts(ana) == ["zoe liked your post"]

    def test_one_and_many(self, ana, people, post):
        ben, carla, *_ = people
        reply = write(ben, "Yes", reply_to=post)
        notify.notify_of_posts([reply.pk])
        follow(ana, ben, carla)
        for user in (ben, carla):
            repost(user, post)
            notify.notify_of_reposts([(user.pk, post.pk)])
        assert texts(ana) == [
            "Carla and Ben reposted your post",
            "Carla and Ben followed you",
            "Ben replied to you",
        ]

    def test_every_kind_has_its_words_and_its_picture(self):
        assert set(notifications.DEEDS) == set(notifications.ICONS) == set(NotificationKind)
        assert notifications.DEEDS[NotificationKind.REQUEST] == ("wants to follow you", "want to follow you")


class TestPeople:
    def names(self, page) -> list[str]:
        return [entry.person.username for entry in page.entries]

    def key(self, post: Post) -> GroupKey:
        return GroupKey(NotificationKind.LIKE, post.pk)

    def test_all_of_a_group_come_by_keyset_the_latest_first(self, ana, people, post):
        like(post, *people)
        like(write(ana, "Other"), people[0])
        seen, before = [], None
        for _ in range(3):
            page = group_people(recipient=ana, key=self.key(post), before=before, limit=2)
            seen += self.names(page)
            before = page.next_before
        assert seen == ["gil", "finn", "eva", "dan", "carla", "ben"]
        assert before is None

    def test_say_how_the_recipient_stands_to_each(self, ana, people, post):
        like(post, *people[:2])
        Follow.objects.create(follower=ana, followee=people[0])
        page = group_people(recipient=ana, key=self.key(post))
        assert [entry.relation.follows for entry in page.entries] == [False, True]

    def test_follows_of_one_day_are_a_group(self, ana, people):
        follow(ana, *people[:3])
        recent = timezone.now().replace(hour=12)
        Notification.objects.update(created_at=recent)
        Notification.objects.filter(actor=people[0]).update(created_at=recent - timedelta(days=1))
        for group in notification_page(recipient=ana).groups:
            assert len(group_people(recipient=ana, key=group.key).entries) == group.count

    def test_are_shown_by_the_same_rule_as_the_group(self, ana, people, post):
        ben, carla, dan, eva, finn, _ = people
        like(post, *people)
        Block.objects.create(blocker=ben, blocked=ana)
        Block.objects.create(blocker=ana, blocked=carla)
        Mute.objects.create(muter=ana, muted=dan)
        User.objects.filter(pk=eva.pk).update(is_active=False)
        old = timezone.now() - timedelta(days=91)
        Notification.objects.filter(actor=finn).update(created_at=old)
        assert self.names(group_people(recipient=ana, key=self.key(post))) == ["gil"]
        do_save_preferences(user=ana, unwanted=[NotificationKind.LIKE])
        assert self.names(group_people(recipient=ana, key=self.key(post))) == []

    def test_of_a_post_that_is_not_to_be_seen_any_more_are_nobody(self, ana, people, post):
        ben = people[0]
        reply = write(ben, "Yes", reply_to=post)
        notify.notify_of_posts([reply.pk])
        key = GroupKey(NotificationKind.REPLY, reply.pk)
        assert self.names(group_people(recipient=ana, key=key)) == ["ben"]
        Post.objects.filter(pk=reply.pk).update(visibility="private")
        assert self.names(group_people(recipient=ana, key=key)) == []

    def test_are_for_the_recipient_alone(self, ana, people, post):
        like(post, *people)
        assert self.names(group_people(recipient=people[0], key=self.key(post))) == []

    def test_take_two_queries(self, ana, people, post, django_assert_num_queries):
        like(post, *people)
        with django_assert_num_queries(2):
            assert len(group_people(recipient=ana, key=self.key(post)).entries) == 6


class TestGroups:
    def test_what_a_group_holds(self, ana, people, post):
        like(post, *people[:4])
        (group,) = notification_page(recipient=ana).groups
        newest = Notification.objects.latest("pk")
        assert (group.key, group.count) == (GroupKey(NotificationKind.LIKE, post.pk), 4)
        assert [actor.username for actor in group.actors] == ["eva", "dan", "carla"]
        assert (group.newest, group.at, group.post) == (newest.pk, newest.created_at, post)
        assert (group.is_seen, group.is_read, group.excerpt) == (False, False, "Hello world")

    def test_posts_and_kinds_stay_apart(self, ana, people, post):
        other = write(ana, "Other")
        ben = people[0]
        like(post, ben)
        like(other, ben)
        repost(ben, post)
        notify.notify_of_reposts([(ben.pk, post.pk)])
        kinds = [(group.key.kind, group.key.post) for group in notification_page(recipient=ana).groups]
        assert kinds == [("repost", post.pk), ("like", other.pk), ("like", post.pk)]

    def test_follows_are_grouped_by_day(self, ana, people):
        follow(ana, *people[:3])
        first = Notification.objects.earliest("pk")
        day = datetime(2026, 1, 2, 23, 59, 59, tzinfo=UTC)
        recent = timezone.now().replace(hour=12)
        Notification.objects.filter(pk=first.pk).update(created_at=recent - timedelta(days=1))
        Notification.objects.exclude(pk=first.pk).update(created_at=recent)
        assert texts(ana) == ["Dan and Carla followed you", "Ben followed you"]
        assert GroupKey(NotificationKind.FOLLOW, day=day.date()).holds()
        keys = [group.key for group in notification_page(recipient=ana).groups]
        assert [key.day for key in keys] == [recent.date(), recent.date() - timedelta(days=1)]

    def test_a_new_like_brings_its_group_to_the_top_and_makes_it_new(self, ana, people, post):
        other = write(ana, "Other")
        like(post, people[0])
        like(other, people[0])
        do_mark_read(recipient=ana)
        like(post, people[1])
        groups = notification_page(recipient=ana).groups
        assert [group.key.post for group in groups] == [post.pk, other.pk]
        assert [(group.is_seen, group.is_read) for group in groups] == [(False, False), (True, True)]

    def test_long_and_wordless_posts(self, ana, people):
        long, picture = write(ana, "word " * 100), write(ana, image_url="https://x.example/a.png", image_alt="A cat")
        like(long, people[0])
        like(picture, people[0])
        by_post = {group.key.post: group.excerpt for group in notification_page(recipient=ana).groups}
        assert by_post[picture.pk] == "A cat"
        assert len(by_post[long.pk]) == notifications.EXCERPT
        assert by_post[long.pk].endswith("…")

    def test_the_number_of_queries_is_constant(self, ana, people, post, django_assert_num_queries):
        like(post, people[0])
        with django_assert_num_queries(3):
            notification_page(recipient=ana)
        for number in range(5):
            like(write(ana, f"Post {number}"), *people)
        follow(ana, *people)
        with django_assert_num_queries(3):
            assert len(notification_page(recipient=ana).groups) == 7

    def test_where_the_bound_has_cut_likes_are_counted_on_the_post(self, ana, people, post, monkeypatch):
        monkeypatch.setattr(notify, "KEPT", 3)
        monkeypatch.setattr(notifications, "KEPT", 3)
        like(post, *people)
        assert Notification.objects.count() == 3
        assert texts(ana) == ["Gil, Finn and 4 others liked your post"]


class TestHidden:
    """What is not for the recipient any more is not shown and not counted, and comes back with its reason."""

    def hidden_while(self, ana: User) -> bool:
        page, count = texts(ana), unread_count(ana)
        assert bool(page) == bool(count)
        return not page

    def test_blocks_and_mutes(self, ana, people, post):
        ben = people[0]
        like(post, ben)
        for edge in (
            Block(blocker=ana, blocked=ben),
            Block(blocker=ben, blocked=ana),
            Mute(muter=ana, muted=ben),
        ):
            assert not self.hidden_while(ana)
            edge.save()
            assert self.hidden_while(ana)
            edge.delete()

    def test_the_others_of_a_group_stay(self, ana, people, post):
        like(post, *people[:2])
        Mute.objects.create(muter=ana, muted=people[1])
        assert texts(ana) == ["Ben liked your post"]

    def test_inactive_people(self, ana, people, post):
        like(post, people[0])
        User.objects.filter(username="ben").update(is_active=False)
        assert self.hidden_while(ana)

    def test_a_reply_that_was_made_private(self, ana, people, post):
        reply = write(people[0], "Yes", reply_to=post)
        notify.notify_of_posts([reply.pk])
        Post.objects.filter(pk=reply.pk).update(visibility="private")
        assert self.hidden_while(ana)

    def test_a_kind_that_is_not_wanted_any_more(self, ana, people, post):
        like(post, people[0])
        do_save_preferences(user=ana, unwanted=[NotificationKind.LIKE])
        assert self.hidden_while(ana)

    def test_what_is_too_old_and_not_swept_yet(self, ana, people, post):
        like(post, people[0])
        Notification.objects.update(created_at=timezone.now() - timedelta(days=91))
        assert self.hidden_while(ana)

    def test_anothers(self, ana, people, post):
        like(post, people[0])
        assert texts(people[0]) == []
        assert unread_count(people[0]) == 0


class TestPages:
    def walk(self, ana: User, limit: int, between=lambda: None) -> list[int | None]:
        """The posts of all pages, one after the other; `between` happens after each."""
        found, before = [], None
        while True:
            page = notification_page(recipient=ana, before=before, limit=limit)
            found += [group.key.post for group in page.groups]
            if page.next_before is None:
                return found
            before = Cursor.parse(str(page.next_before))
            between()

    def test_all_groups_once_newest_first(self, ana, people):
        posts = [write(ana, f"Post {number}") for number in range(7)]
        for post in posts:
            like(post, *people[:2])
        for limit in (1, 2, 3, 6, 7, 8):
            assert self.walk(ana, limit) == [post.pk for post in reversed(posts)]

    def test_they_stay_while_new_ones_arrive(self, ana, people):
        """Also where what arrives belongs to a group further down, which would leap over the reader."""
        posts = [write(ana, f"Post {number}") for number in range(7)]
        for post in posts:
            like(post, people[0])
        arriving = iter([(posts[0], people[1]), (posts[6], people[1]), (posts[2], people[2]), (posts[0], people[3])])
        assert self.walk(ana, 2, lambda: like(*next(arriving))) == [post.pk for post in reversed(posts)]

    def test_a_page_further_down_knows_its_own_newest(self, ana, people):
        for number in range(3):
            like(write(ana, f"Post {number}"), people[0])
        first = notification_page(recipient=ana, limit=2)
        second = notification_page(recipient=ana, limit=2, before=first.next_before)
        assert first.newest == first.groups[0].newest > second.newest == second.groups[0].newest
        assert notification_page(recipient=people[0]).newest == 0

    @pytest.mark.parametrize("limit", [-1, 0, 10**9])
    def test_the_size_is_bounded(self, ana, people, limit, monkeypatch):
        monkeypatch.setattr(notifications, "LONGEST_PAGE", 2)
        for number in range(3):
            like(write(ana, f"Post {number}"), people[0])
        assert len(notification_page(recipient=ana, limit=limit).groups) == (1 if limit < 1 else 2)

    @pytest.mark.parametrize("text", ["", "1", "1-", "-", "a-b", "1-2-3", "-1-2", "1-2\n", "²-3", "9" * 19 + "-1"])
    def test_nonsense_is_no_cursor(self, text):
        assert Cursor.parse(text) is None


class TestKeys:
    def test_a_key_is_found_again_by_its_text(self, ana, people, post):
        like(post, people[0])
        follow(ana, people[0])
        for group in notification_page(recipient=ana).groups:
            assert GroupKey.parse(str(group.key)) == group.key
            found = notification_group(recipient=ana, key=group.key)
            assert (found.key, found.newest) == (group.key, group.newest)
            assert notification_group(recipient=people[0], key=group.key) is None

    @pytest.mark.parametrize(
        "text", ["", "like", "like-", "like-x", "like-2026-01-01", "follow-5", "follow-2026-13-01", "spam-1", "like-²"]
    )
    def test_nonsense_says_what_a_key_is(self, text):
        with pytest.raises(InputError, match="such as like-17"):
            GroupKey.parse(text)

    @pytest.mark.parametrize("day", ["0001-01-01", "9999-12-31"])
    def test_the_first_and_the_last_of_all_days_are_days(self, ana, people, day):
        follow(ana, people[0])
        do_mark_read(recipient=ana, group=GroupKey.parse(f"follow-{day}"))
        assert unread_count(ana) == 1


class TestMarks:
    def test_seen_is_not_read(self, ana, people, post):
        like(post, people[0])
        do_mark_seen(recipient=ana)
        (group,) = notification_page(recipient=ana).groups
        assert (group.is_seen, group.is_read, unread_count(ana)) == (True, False, 0)

    def test_seen_up_to_what_was_shown(self, ana, people, post):
        like(post, people[0])
        page = notification_page(recipient=ana)
        like(post, people[1])
        do_mark_seen(recipient=ana, up_to=page.newest)
        assert unread_count(ana) == 1

    def test_one_group_is_read_and_thereby_seen(self, ana, people, post):
        other = write(ana, "Other")
        like(post, *people[:2])
        like(other, people[0])
        do_mark_read(recipient=ana, group=GroupKey(NotificationKind.LIKE, post.pk))
        marks = {group.key.post: (group.is_seen, group.is_read) for group in notification_page(recipient=ana).groups}
        assert marks == {post.pk: (True, True), other.pk: (False, False)}

    def test_one_day_of_follows_is_read(self, ana, people):
        follow(ana, *people[:2])
        first = Notification.objects.earliest("pk")
        Notification.objects.filter(pk=first.pk).update(created_at=timezone.now() - timedelta(days=1))
        newer, _ = notification_page(recipient=ana).groups
        do_mark_read(recipient=ana, group=newer.key)
        assert [group.is_read for group in notification_page(recipient=ana).groups] == [True, False]

    def test_all_are_read_up_to_what_was_shown(self, ana, people, post):
        like(post, people[0])
        up_to = notification_page(recipient=ana).newest
        like(write(ana, "Other"), people[0])
        do_mark_read(recipient=ana, up_to=up_to)
        assert [group.is_read for group in notification_page(recipient=ana).groups] == [False, True]

    def test_the_first_mark_stays(self, ana, people, post):
        like(post, people[0])
        do_mark_seen(recipient=ana)
        seen = Notification.objects.get().seen_at
        do_mark_read(recipient=ana)
        read = Notification.objects.get().read_at
        do_mark_seen(recipient=ana)
        do_mark_read(recipient=ana)
        assert (Notification.objects.get().seen_at, Notification.objects.get().read_at) == (seen, read)

    def test_nobody_elses(self, ana, people, post):
        like(post, people[0])
        do_mark_read(recipient=people[0])
        assert unread_count(ana) == 1


class TestCounts:
    def test_of_many_people_in_one_query(self, ana, people, post, django_assert_num_queries):
        like(post, *people[:3])
        follow(people[0], ana)
        with django_assert_num_queries(1):
            assert unread_counts([ana.pk, *(user.pk for user in people[:2])]) == {
                ana.pk: 3,
                people[0].pk: 1,
                people[1].pk: 0,
            }

    def test_it_is_bounded(self, ana, people, post, monkeypatch):
        monkeypatch.setattr(notifications, "COUNTED", 2)
        like(post, *people)
        assert unread_count(ana) == 2


class TestPreferences:
    def test_all_are_wanted_at_first(self, ana):
        assert unwanted_kinds(ana) == []

    def test_are_replaced_and_put_in_order(self, ana):
        do_save_preferences(user=ana, unwanted=[NotificationKind.REPOST, NotificationKind.LIKE])
        assert unwanted_kinds(ana) == ["like", "repost"]
        do_save_preferences(user=ana, unwanted=[])
        assert unwanted_kinds(ana) == []


class TestEvents:
    def events_of(self, user: User, token: str) -> list[dict]:
        return streams.read([user_stream(user.pk)], token).events

    def test_a_batch_is_one_event_with_what_is_unseen(self, ana, people, post, drain_outbox):
        drain_outbox()
        token = streams.positions([user_stream(ana.pk)])
        Like.objects.bulk_create([Like(user=user, post=post) for user in people])
        drain_outbox()
        assert self.events_of(ana, token) == [{"type": "notifications", "unseen": 6}]

    def test_marks_and_what_is_taken_back_are_told_as_well(self, ana, people, post, drain_outbox):
        Like.objects.bulk_create([Like(user=user, post=post) for user in people])
        drain_outbox()
        token = streams.positions([user_stream(ana.pk)])
        Like.objects.filter(user=people[0]).delete()
        drain_outbox()
        do_mark_seen(recipient=ana)
        drain_outbox()
        do_mark_seen(recipient=ana)  # nothing to tell
        drain_outbox()
        assert [event["unseen"] for event in self.events_of(ana, token)] == [5, 0]
