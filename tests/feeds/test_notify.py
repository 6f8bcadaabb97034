"""What is written of what people do, what is taken back, and what nobody is told."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest
from django.db import connection, transaction
from django.utils import timezone

from feeds import notify
from feeds.models import (
    Block,
    Follow,
    FollowRequest,
    Like,
    Mention,
    Mute,
    Notification,
    NotificationPreference,
    Post,
)
from recsys.accounts.models import User
from recsys.catalog.models import Item
from recsys.outbox.capture import capture_off
from tests.feeds.graph import make_people

pytestmark = pytest.mark.django_db


@pytest.fixture
def ana() -> User:
    return User.objects.create_user("ana", display_name="Ana")


@pytest.fixture
def ben() -> User:
    return User.objects.create_user("ben", display_name="Ben")


@pytest.fixture
def post(ana) -> Post:
    return write(ana, "Hello")


def write(author: User, text: str = "", **fields) -> Post:
    """A post, as anybody's SQL might write it."""
    item = Item.objects.create(kind="post", title=text[:80] or "post", creator=author)
    return Post.objects.create(item=item, author=author, text=text, **fields)


def repost(author: User, post: Post) -> Post:
    return write(author, repost_of=post)


def told(recipient: User) -> list[tuple[str, str, int | None]]:
    """What somebody is told of: kind, who, about which post; the newest first."""
    found = Notification.objects.filter(recipient=recipient).order_by("-pk")
    return list(found.values_list("kind", "actor__username", "post"))


class TestKinds:
    def test_a_like(self, ana, ben, post, drain_outbox):
        like = Like.objects.create(user=ben, post=post)
        drain_outbox()
        assert told(ana) == [("like", "ben", post.pk)]
        like.refresh_from_db()
        assert Notification.objects.get().created_at == like.created_at
        assert told(ben) == []

    def test_a_repost_is_about_what_was_reposted(self, ana, ben, post, drain_outbox):
        repost(ben, post)
        drain_outbox()
        assert told(ana) == [("repost", "ben", post.pk)]

    def test_a_reply(self, ana, ben, post, drain_outbox):
        reply = write(ben, "Hello you", reply_to=post)
        drain_outbox()
        assert told(ana) == [("reply", "ben", reply.pk)]

    def test_a_mention(self, ana, ben, drain_outbox):
        theirs = write(ben, "Hello @ana")
        Mention.objects.get_or_create(post=theirs, user=ana)
        drain_outbox()
        assert told(ana) == [("mention", "ben", theirs.pk)]

    def test_who_is_answered_and_named_is_told_once(self, ana, ben, post, drain_outbox):
        reply = write(ben, "Hello @ana", reply_to=post)
        Mention.objects.get_or_create(post=reply, user=ana)
        drain_outbox()
        assert told(ana) == [("reply", "ben", reply.pk)]

    def test_a_follow(self, ana, ben, drain_outbox):
        Follow.objects.create(follower=ben, followee=ana)
        drain_outbox()
        assert told(ana) == [("follow", "ben", None)]

    def test_a_request_which_becomes_a_follow_that_its_owner_knows_of(self, ana, ben, drain_outbox):
        User.objects.filter(pk=ana.pk).update(is_private=True)
        request = FollowRequest.objects.create(requester=ben, target=ana)
        drain_outbox()
        assert told(ana) == [("request", "ben", None)]
        with transaction.atomic():
            request.delete()
            Follow.objects.create(follower=ben, followee=ana)
        drain_outbox()
        assert told(ana) == []


class TestTakenBack:
    def test_a_like_takes_its_notification_along_and_brings_a_new_one(self, ana, ben, post, drain_outbox):
        for _ in range(2):
            like = Like.objects.create(user=ben, post=post)
            drain_outbox()
            assert told(ana) == [("like", "ben", post.pk)]
            like.delete()
            drain_outbox()
            assert told(ana) == []

    def test_an_unfollow(self, ana, ben, drain_outbox):
        edge = Follow.objects.create(follower=ben, followee=ana)
        drain_outbox()
        edge.delete()
        drain_outbox()
        assert told(ana) == []

    def test_a_rejected_request(self, ana, ben, drain_outbox):
        request = FollowRequest.objects.create(requester=ben, target=ana)
        drain_outbox()
        request.delete()
        drain_outbox()
        assert told(ana) == []

    def test_an_undone_repost(self, ana, ben, post, drain_outbox):
        again = repost(ben, post)
        drain_outbox()
        Item.objects.filter(pk=again.pk).delete()
        drain_outbox()
        assert told(ana) == []

    def test_a_deleted_post_takes_all_along(self, ana, ben, post, drain_outbox):
        Like.objects.create(user=ben, post=post)
        repost(ben, post)
        reply = write(ben, "Hello", reply_to=post)
        drain_outbox()
        assert len(told(ana)) == 3
        Item.objects.filter(pk=post.pk).delete()
        drain_outbox()
        assert told(ana) == [("reply", "ben", reply.pk)]
        Item.objects.filter(pk=reply.pk).delete()
        drain_outbox()
        assert told(ana) == []

    def test_an_edit_that_names_somebody_else(self, ana, ben, drain_outbox):
        (carla,) = make_people(1, "carla")
        theirs = write(ben, "Hello @ana")
        mention, _ = Mention.objects.get_or_create(post=theirs, user=ana)
        drain_outbox()
        mention.delete()
        Mention.objects.create(post=theirs, user=carla)
        notify.notify_of_posts([theirs.pk])
        assert (told(ana), told(carla)) == ([], [("mention", "ben", theirs.pk)])

    def test_also_of_somebody_who_is_inactive_for_a_while(self, ana, ben, post, drain_outbox):
        like = Like.objects.create(user=ben, post=post)
        drain_outbox()
        User.objects.filter(pk=ana.pk).update(is_active=False)
        like.delete()
        drain_outbox()
        assert told(ana) == []


class TestRepetition:
    def test_handled_twice_is_written_once(self, ana, ben, post):
        reply = write(ben, "Hello", reply_to=post)
        Like.objects.create(user=ben, post=post)
        repost(ben, post)
        Follow.objects.create(follower=ben, followee=ana)
        FollowRequest.objects.create(requester=ben, target=ana)
        for _ in range(2):
            notify.notify_of_likes([(ben.pk, post.pk), (ben.pk, post.pk)])
            notify.notify_of_reposts([(ben.pk, post.pk)])
            notify.notify_of_posts([reply.pk, reply.pk])
            notify.notify_of_follows([(ben.pk, ana.pk)])
            notify.notify_of_requests([(ben.pk, ana.pk)])
        assert sorted(kind for kind, *_ in told(ana)) == ["follow", "like", "reply", "repost", "request"]

    def test_out_of_order_is_what_is(self, ana, ben, post):
        like = Like.objects.create(user=ben, post=post)
        like.delete()
        notify.notify_of_likes([(ben.pk, post.pk)])  # of its taking back, say
        notify.notify_of_likes([(ben.pk, post.pk)])  # of the like, late
        assert told(ana) == []

    def test_marks_survive_a_repetition(self, ana, ben, post, drain_outbox):
        Like.objects.create(user=ben, post=post)
        drain_outbox()
        Notification.objects.update(seen_at=timezone.now())
        notify.notify_of_likes([(ben.pk, post.pk)])
        assert Notification.objects.get().seen_at is not None

    def test_what_has_gone_meanwhile_is_no_error(self, ana, ben):
        for function in (notify.notify_of_likes, notify.notify_of_reposts, notify.notify_of_follows):
            function([(ben.pk, 999_999_999), (999_999_999, ana.pk)])
        notify.notify_of_posts([999_999_999])
        notify.notify_of_likes([])
        assert not Notification.objects.exists()


class TestNobodyIsTold:
    def everything(self, recipient: User, actor: User) -> list[str]:
        """The kinds that `recipient` is told of where `actor` does all that can be done."""
        post = write(recipient, "Mine")
        reply = write(actor, "Yours", reply_to=post)
        theirs = write(actor, "@ana")
        Mention.objects.get_or_create(post=theirs, user=recipient)
        Like.objects.create(user=actor, post=post)
        repost(actor, post)
        pair = (actor.pk, recipient.pk)
        if actor != recipient and not Block.objects.exists():
            Follow.objects.create(follower=actor, followee=recipient)
            FollowRequest.objects.create(requester=actor, target=recipient)
        notify.notify_of_likes([(actor.pk, post.pk)])
        notify.notify_of_reposts([(actor.pk, post.pk)])
        notify.notify_of_posts([reply.pk, theirs.pk])
        notify.notify_of_follows([pair])
        notify.notify_of_requests([pair])
        return sorted(kind for kind, *_ in told(recipient))

    ALL = ["follow", "like", "mention", "reply", "repost", "request"]

    def test_unless_there_is_a_reason(self, ana, ben):
        assert self.everything(ana, ben) == self.ALL

    def test_of_what_they_do_themselves(self, ana):
        assert self.everything(ana, ana) == []

    @pytest.mark.parametrize("other_way", [False, True])
    def test_across_a_block(self, ana, ben, other_way):
        blocker, blocked = (ana, ben) if other_way else (ben, ana)
        Block.objects.create(blocker=blocker, blocked=blocked)
        assert self.everything(ana, ben) == []

    def test_of_those_they_muted(self, ana, ben):
        Mute.objects.create(muter=ana, muted=ben)
        assert self.everything(ana, ben) == []

    def test_but_of_those_who_muted_them(self, ana, ben):
        Mute.objects.create(muter=ben, muted=ana)
        assert self.everything(ana, ben) == self.ALL

    @pytest.mark.parametrize("who", ["ana", "ben"])
    def test_while_an_account_is_inactive(self, ana, ben, who):
        User.objects.filter(username=who).update(is_active=False)
        assert self.everything(ana, ben) == []

    @pytest.mark.parametrize("kind", ALL)
    def test_of_kinds_they_do_not_want(self, ana, ben, kind):
        NotificationPreference.objects.create(user=ana, unwanted=[kind])
        assert self.everything(ana, ben) == [other for other in self.ALL if other != kind]

    @pytest.mark.parametrize("visibility", ["private", "followers"])
    def test_of_posts_they_may_not_see_until_they_may(self, ana, ben, post, drain_outbox, visibility):
        reply = write(ben, "Hello", reply_to=post, visibility=visibility)
        theirs = write(ben, "Hello @ana", visibility=visibility)
        Mention.objects.get_or_create(post=theirs, user=ana)
        drain_outbox()
        assert told(ana) == []
        Post.objects.filter(pk__in=[reply.pk, theirs.pk]).update(visibility="public")
        drain_outbox()
        assert sorted(told(ana)) == [("mention", "ben", theirs.pk), ("reply", "ben", reply.pk)]

    def test_of_posts_for_followers_only_they_are_if_they_follow(self, ana, ben, post, drain_outbox):
        Follow.objects.create(follower=ana, followee=ben)
        reply = write(ben, "Hello", reply_to=post, visibility="followers")
        drain_outbox()
        assert told(ana) == [("reply", "ben", reply.pk)]

    def test_of_reposts_by_private_accounts_they_do_not_follow(self, ana, ben, post, drain_outbox):
        User.objects.filter(pk=ben.pk).update(is_private=True)
        repost(ben, post)
        drain_outbox()
        assert told(ana) == []

    def test_of_history_that_is_imported(self, ana, ben, post, drain_outbox):
        drain_outbox()
        with transaction.atomic(), capture_off():
            Like.objects.create(user=ben, post=post)
            Follow.objects.create(follower=ben, followee=ana)
            write(ben, "Hello", reply_to=post)
        drain_outbox()
        assert told(ana) == []


class TestBounds:
    def test_the_newest_are_kept(self, ana, ben, post, monkeypatch):
        monkeypatch.setattr(notify, "KEPT", 10)
        other = write(ben, "Not hers")
        people = make_people(15)
        Like.objects.bulk_create([Like(user=one, post=where) for where in (post, other) for one in people])
        for one in people:
            notify.notify_of_likes([(one.pk, post.pk), (one.pk, other.pk)])
        for recipient in (ana, ben):
            assert [who for _, who, _ in told(recipient)] == [one.username for one in reversed(people[5:])]

    def test_nothing_old_is_written_and_what_grows_old_is_dropped(self, ana, ben, post, drain_outbox, monkeypatch):
        monkeypatch.setattr(notify, "SWEPT_AT_ONCE", 2)
        old, edge = timezone.now() - timedelta(days=90, minutes=1), timezone.now() - timedelta(days=89)
        people = make_people(6)
        Like.objects.bulk_create([Like(user=one, post=post) for one in people])
        Like.objects.create(user=ben, post=post, created_at=old)
        drain_outbox()
        assert "ben" not in [who for _, who, _ in told(ana)]
        written = list(Notification.objects.order_by("pk"))
        Notification.objects.filter(pk__in=[one.pk for one in written[:4]]).update(created_at=old)
        Notification.objects.filter(pk=written[4].pk).update(created_at=edge)
        assert notify.do_drop_old_notifications() == 4
        assert set(Notification.objects.all()) == set(written[4:])
        assert notify.do_drop_old_notifications() == 0

    def test_dropping_from_nothing(self):
        assert notify.do_drop_old_notifications() == 0

    def test_statements_do_not_grow_with_the_batch(self, ana, ben, post, django_assert_num_queries):
        people = make_people(30)
        Like.objects.bulk_create([Like(user=one, post=post) for one in people])
        with django_assert_num_queries(9):  # two locks, two writes, the bound with its two switches, a savepoint's two
            notify.notify_of_likes([(people[0].pk, post.pk)])
        with django_assert_num_queries(9):
            notify.notify_of_likes([(one.pk, post.pk) for one in people[1:]])
        assert Notification.objects.count() == 30


@pytest.mark.django_db(transaction=True)
class TestRaces:
    def test_a_like_and_its_taking_back_against_their_handlers(self, ana, ben, post):
        """Whatever the interleaving, in the end there is a notification exactly where there is a like."""
        faults = []

        def toggle_and_handle(start: threading.Barrier) -> None:
            try:
                start.wait()
                for _ in range(15):
                    if not Like.objects.filter(user=ben, post=post).delete()[0]:
                        Like.objects.bulk_create([Like(user=ben, post=post)], ignore_conflicts=True)
                    notify.notify_of_likes([(ben.pk, post.pk)])
            except Exception as error:  # a thread's error must reach the test
                faults.append(error)
            finally:
                connection.close()

        for _ in range(8):
            start = threading.Barrier(3)
            threads = [threading.Thread(target=toggle_and_handle, args=[start]) for _ in range(3)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            assert not faults
            assert Notification.objects.count() == Like.objects.count()

    def test_a_post_that_goes_while_it_is_handled(self, ana, ben):
        """Neither side fails or waits for ever."""
        faults = []

        def delete(posts: list[int], start: threading.Barrier) -> None:
            try:
                start.wait()
                for post in posts:
                    Item.objects.filter(pk=post).delete()
            except Exception as error:
                faults.append(error)
            finally:
                connection.close()

        people = make_people(5)
        for _ in range(4):
            posts = [write(ana, f"Post {number}").pk for number in range(10)]
            Like.objects.bulk_create([Like(user=one, post_id=post) for post in posts for one in people])
            pairs = [(one.pk, post) for post in posts for one in people]
            notify.notify_of_likes(pairs[::2])
            Like.objects.filter(user=people[0]).delete()
            start = threading.Barrier(2)
            thread = threading.Thread(target=delete, args=[posts, start])
            thread.start()
            start.wait()
            for place in range(0, len(pairs), 10):
                notify.notify_of_likes(pairs[place : place + 20])
            thread.join()
            assert not faults
            assert not Notification.objects.exists()
