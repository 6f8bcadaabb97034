"""The writes of the social graph: what each changes, what it refuses, and that none depends on the order of others."""

from __future__ import annotations

import pytest

from feeds import graph
from feeds.actions import do_create_post
from feeds.graph import (
    FollowState,
    do_approve_all,
    do_approve_request,
    do_block,
    do_change_privacy,
    do_follow,
    do_mute,
    do_reject_request,
    do_remove_follower,
    do_unblock,
    do_unfollow,
    do_unmute,
)
from feeds.models import AccountList, AuthorStats, Block, Follow, FollowRequest, ListMember, Mute
from recsys.accounts.models import User
from recsys.inputs import InputError
from recsys.outbox.models import OutboxRow
from tests.feeds.graph import make_people

pytestmark = pytest.mark.django_db


@pytest.fixture
def people() -> list[User]:
    return make_people(3)


@pytest.fixture
def private() -> User:
    return User.objects.create_user("private", is_private=True)


def edges(model=Follow) -> set[tuple[int, ...]]:
    fields = [field.attname for field in model._meta.concrete_fields if field.is_relation]
    return set(model.objects.values_list(*fields))


def followers_of(person: User) -> int:
    return AuthorStats.objects.get(author=person).follower_count


class TestFollow:
    def test_following_twice_is_following_once(self, people):
        ana, ben, _ = people
        for _ in range(2):
            assert do_follow(follower=ana, followee=ben) == FollowState.FOLLOWING
        assert edges() == {(ana.pk, ben.pk)}
        assert followers_of(ben) == 1

    def test_unfollowing_twice_is_unfollowing_once(self, people):
        ana, ben, _ = people
        do_follow(follower=ana, followee=ben)
        assert do_unfollow(follower=ana, followee=ben)
        assert not do_unfollow(follower=ana, followee=ben)
        assert followers_of(ben) == 0

    def test_nobody_follows_themselves(self, people):
        with pytest.raises(InputError, match="themselves"):
            do_follow(follower=people[0], followee=people[0])

    def test_the_count_is_exact_whoever_writes(self, people):
        ana, ben, cy = people
        Follow.objects.bulk_create([Follow(follower=ana, followee=cy), Follow(follower=ben, followee=cy)])
        assert followers_of(cy) == 2
        ana.delete()
        assert followers_of(cy) == 1
        Follow.objects.all().delete()
        assert followers_of(cy) == 0

    def test_an_account_that_is_switched_off_cannot_be_followed(self, people):
        ana, ben, _ = people
        User.objects.filter(pk=ben.pk).update(is_active=False)
        with pytest.raises(InputError, match="You cannot follow this account"):
            do_follow(follower=ana, followee=ben)

    def test_somebody_who_has_gone_is_told_of_in_words(self, people):
        ana, ben, _ = people
        User.objects.filter(pk=ben.pk).delete()
        with pytest.raises(InputError, match="There is no p1 any more"):
            do_follow(follower=ana, followee=ben)

    def test_a_follow_has_a_bound(self, people, monkeypatch):
        ana, ben, cy = people
        monkeypatch.setattr(graph, "MOST_FOLLOWS", 1)
        do_follow(follower=ana, followee=ben)
        assert do_follow(follower=ana, followee=ben) == FollowState.FOLLOWING, "no new one"
        with pytest.raises(InputError, match=r"1 follows are the most .* Unfollow somebody first"):
            do_follow(follower=ana, followee=cy)

    def test_a_follower_is_removed_by_the_followed(self, people):
        ana, ben, _ = people
        do_follow(follower=ana, followee=ben)
        do_follow(follower=ben, followee=ana)
        assert do_remove_follower(user=ben, follower=ana)
        assert not do_remove_follower(user=ben, follower=ana)
        assert edges() == {(ben.pk, ana.pk)}


class TestRequests:
    def test_a_private_account_is_asked_once(self, people, private):
        for _ in range(2):
            assert do_follow(follower=people[0], followee=private) == FollowState.REQUESTED
        assert edges(FollowRequest) == {(people[0].pk, private.pk)}
        assert not edges()

    def test_what_counts_is_what_the_account_is_now(self, people):
        """The object in hand may be older than the account's being private."""
        ana, ben, _ = people
        User.objects.filter(pk=ben.pk).update(is_private=True)
        assert do_follow(follower=ana, followee=ben) == FollowState.REQUESTED

    def test_who_follows_already_need_not_ask(self, people, private):
        Follow.objects.create(follower=people[0], followee=private)
        assert do_follow(follower=people[0], followee=private) == FollowState.FOLLOWING
        assert not edges(FollowRequest)

    def test_a_request_is_withdrawn(self, people, private):
        do_follow(follower=people[0], followee=private)
        assert do_unfollow(follower=people[0], followee=private)
        assert not edges(FollowRequest)

    def test_a_request_is_approved_once(self, people, private):
        do_follow(follower=people[0], followee=private)
        assert do_approve_request(target=private, requester=people[0])
        assert not do_approve_request(target=private, requester=people[0])
        assert edges() == {(people[0].pk, private.pk)}
        assert not edges(FollowRequest)

    def test_nobody_is_let_in_who_did_not_ask(self, people, private):
        assert not do_approve_request(target=private, requester=people[0])
        assert not edges()

    def test_a_request_is_rejected_and_may_be_made_again(self, people, private):
        do_follow(follower=people[0], followee=private)
        assert do_reject_request(target=private, requester=people[0])
        assert not do_reject_request(target=private, requester=people[0])
        assert not edges()
        assert do_follow(follower=people[0], followee=private) == FollowState.REQUESTED

    def test_requests_have_a_bound(self, people, private, monkeypatch):
        monkeypatch.setattr(graph, "MOST_REQUESTS", 1)
        do_follow(follower=people[0], followee=private)
        do_follow(follower=people[0], followee=private)
        other = User.objects.create_user("other", is_private=True)
        with pytest.raises(InputError, match="1 requests are the most"):
            do_follow(follower=people[0], followee=other)


class TestPrivacy:
    def test_making_an_account_public_lets_in_who_waits(self, people, private):
        for person in people:
            do_follow(follower=person, followee=private)
        assert do_change_privacy(user=private, is_private=False)
        assert edges() == {(person.pk, private.pk) for person in people}
        assert not edges(FollowRequest)
        assert private.is_private is False

    def test_making_it_private_keeps_the_followers(self, people):
        ana, ben, cy = people
        do_follow(follower=ana, followee=ben)
        assert do_change_privacy(user=ben, is_private=True)
        assert not do_change_privacy(user=ben, is_private=True)
        assert do_follow(follower=cy, followee=ben) == FollowState.REQUESTED
        assert edges() == {(ana.pk, ben.pk)}

    def test_what_a_private_account_wrote_is_withheld_at_once(self, people):
        ana, ben, _ = people
        post = do_create_post(author=ben, text="Hello").item
        others = do_create_post(author=ana, text="Hello").item
        for is_private in (True, False):
            do_change_privacy(user=ben, is_private=is_private)
            post.refresh_from_db()
            others.refresh_from_db()
            assert (post.is_withheld, others.is_withheld) == (is_private, False)

    def test_a_public_account_with_a_request_left_over_is_followed_at_once(self, people, private):
        do_follow(follower=people[0], followee=private)
        User.objects.filter(pk=private.pk).update(is_private=False)
        assert do_follow(follower=people[0], followee=private) == FollowState.FOLLOWING
        assert not edges(FollowRequest)

    def test_raw_writes_are_followed_up_by_the_handler(self, people, private, drain_outbox):
        do_follow(follower=people[0], followee=private)
        drain_outbox()
        User.objects.filter(pk=private.pk).update(is_private=False)
        drain_outbox()
        assert edges() == {(people[0].pk, private.pk)}
        assert not edges(FollowRequest)

    def test_those_of_an_account_that_is_private_again_keep_waiting(self, people, private):
        do_follow(follower=people[0], followee=private)
        assert do_approve_all(targets=[private.pk]) == 0
        assert edges(FollowRequest)


class TestBlock:
    def test_ends_follows_requests_and_places_in_lists_both_ways(self, people):
        ana, ben, cy = people
        Follow.objects.bulk_create([Follow(follower=ana, followee=ben), Follow(follower=ben, followee=ana)])
        FollowRequest.objects.bulk_create(
            [FollowRequest(requester=ana, target=ben), FollowRequest(requester=ben, target=ana)]
        )
        lists = [AccountList.objects.create(owner=owner, name="x") for owner in (ana, ben, cy)]
        for one in lists:
            ListMember.objects.bulk_create([ListMember(list=one, member=member) for member in (ana, ben, cy)])
        assert do_block(blocker=ana, blocked=ben)
        assert not do_block(blocker=ana, blocked=ben)
        assert edges(Block) == {(ana.pk, ben.pk)}
        assert not edges()
        assert not edges(FollowRequest)
        assert edges(ListMember) == {(one.pk, member.pk) for one in lists for member in people} - {
            (lists[0].pk, ben.pk),
            (lists[1].pk, ana.pk),
        }

    def test_neither_can_follow_the_other_and_the_blocked_learns_no_more(self, people, private):
        ana, ben, _ = people
        do_block(blocker=ana, blocked=ben)
        with pytest.raises(InputError, match=r"^user: You cannot follow this account\.$"):
            do_follow(follower=ben, followee=ana)
        with pytest.raises(InputError, match="Unblock it first"):
            do_follow(follower=ana, followee=ben)
        do_block(blocker=private, blocked=ben)
        with pytest.raises(InputError, match="cannot follow"):
            do_follow(follower=ben, followee=private)
        assert not edges(FollowRequest)

    def test_undone_it_brings_nothing_back_and_they_may_follow_again(self, people):
        ana, ben, _ = people
        do_follow(follower=ben, followee=ana)
        do_block(blocker=ana, blocked=ben)
        assert do_unblock(blocker=ana, blocked=ben)
        assert not do_unblock(blocker=ana, blocked=ben)
        assert not edges()
        assert do_follow(follower=ben, followee=ana) == FollowState.FOLLOWING

    def test_each_may_block_the_other_and_one_undoing_it_is_not_enough(self, people):
        ana, ben, _ = people
        do_block(blocker=ana, blocked=ben)
        do_block(blocker=ben, blocked=ana)
        do_unblock(blocker=ana, blocked=ben)
        with pytest.raises(InputError, match="cannot follow"):
            do_follow(follower=ana, followee=ben)

    def test_nobody_blocks_themselves_or_without_end(self, people, monkeypatch):
        ana, ben, cy = people
        with pytest.raises(InputError, match="Nobody can block themselves"):
            do_block(blocker=ana, blocked=ana)
        monkeypatch.setattr(graph, "MOST_HIDDEN", 1)
        do_block(blocker=ana, blocked=ben)
        with pytest.raises(InputError, match="1 blocks are the most"):
            do_block(blocker=ana, blocked=cy)

    def test_a_request_from_before_a_raw_block_lets_nobody_in(self, people, private):
        do_follow(follower=people[0], followee=private)
        Block.objects.create(blocker=people[0], blocked=private)
        assert not do_approve_request(target=private, requester=people[0])


class TestMute:
    def test_keeps_the_follow_and_is_undone(self, people):
        ana, ben, _ = people
        do_follow(follower=ana, followee=ben)
        assert do_mute(muter=ana, muted=ben)
        assert not do_mute(muter=ana, muted=ben)
        assert edges(Mute) == {(ana.pk, ben.pk)}
        assert edges() == {(ana.pk, ben.pk)}
        assert do_unmute(muter=ana, muted=ben)
        assert not do_unmute(muter=ana, muted=ben)
        assert not edges(Mute)

    def test_nobody_mutes_themselves_or_without_end(self, people, monkeypatch):
        ana, ben, cy = people
        with pytest.raises(InputError, match="Nobody can mute themselves"):
            do_mute(muter=ana, muted=ana)
        monkeypatch.setattr(graph, "MOST_HIDDEN", 1)
        do_mute(muter=ana, muted=ben)
        with pytest.raises(InputError, match="1 mutes are the most"):
            do_mute(muter=ana, muted=cy)


def test_every_write_is_captured(people, private):
    ana, ben, _ = people
    do_follow(follower=ana, followee=ben)
    do_follow(follower=ana, followee=private)
    do_approve_request(target=private, requester=ana)
    do_mute(muter=ana, muted=ben)
    do_block(blocker=ben, blocked=ana)
    do_change_privacy(user=private, is_private=False)
    written = set(OutboxRow.objects.values_list("aggregatetype", "type"))
    assert written == {
        ("feeds.follow", "insert"),
        ("feeds.follow", "delete"),
        ("feeds.request", "insert"),
        ("feeds.request", "delete"),
        ("feeds.mute", "insert"),
        ("feeds.block", "insert"),
        ("accounts.user", "update"),
    }
