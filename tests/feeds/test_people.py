"""How people stand to each other, and the lists of people that pages show."""

from __future__ import annotations

import pytest

from feeds.graph import do_block, do_follow, do_mute
from feeds.models import Block, Follow
from feeds.people import (
    MOST_COUNTED,
    Relation,
    blocked_page,
    followers_page,
    following_page,
    muted_page,
    relations,
    request_count,
    requests_page,
    sent_requests_page,
    standing,
    unwanted_people,
)
from recsys.accounts.models import User
from tests.feeds.graph import let_follow, make_people

pytestmark = pytest.mark.django_db


@pytest.fixture
def people() -> list[User]:
    return [User.objects.create_user(name) for name in ("ana", "ben", "cy", "dee")]


def set_private(person: User) -> None:
    person.is_private = True
    person.save()


def names(page) -> list[str]:
    return [entry.person.username for entry in page.entries]


class TestStanding:
    def test_counts_both_directions_and_says_how_the_reader_stands(self, people):
        ana, ben, cy, _ = people
        let_follow([ana, cy], [ben])
        let_follow([ben], [cy])
        seen = standing(person=ben, reader=ana)
        assert (seen.follower_count, seen.following_count, seen.open) == (2, 1, True)
        assert seen.relation == Relation(follows=True)
        assert standing(person=ben, reader=None).relation == Relation()
        assert standing(person=ana, reader=ben).relation == Relation(followed_by=True)
        assert standing(person=ana, reader=ben).follower_count == 0

    def test_every_relation_is_told_from_every_other(self, people):
        ana, ben, cy, dee = people
        set_private(cy)
        do_follow(follower=ana, followee=cy)
        do_mute(muter=ana, muted=ben)
        do_block(blocker=dee, blocked=ana)
        towards = relations(reader=ana, people=[one.pk for one in people])
        assert towards == {
            ana.pk: Relation(),
            ben.pk: Relation(mutes=True),
            cy.pk: Relation(requested=True),
            dee.pk: Relation(blocked_by=True),
        }
        assert relations(reader=cy, people=[ana.pk]) == {ana.pk: Relation(asked_by=True)}
        assert relations(reader=dee, people=[ana.pk]) == {ana.pk: Relation(blocks=True)}

    def test_a_private_account_is_open_to_itself_and_its_followers_only(self, people):
        ana, ben, cy, _ = people
        let_follow([ana], [ben])
        set_private(ben)
        assert [standing(person=ben, reader=one).open for one in (ana, ben, cy, None)] == [True, True, False, False]

    def test_a_block_closes_it_both_ways(self, people):
        ana, ben, *_ = people
        do_block(blocker=ana, blocked=ben)
        assert not standing(person=ana, reader=ben).open
        assert not standing(person=ben, reader=ana).open
        assert standing(person=ben, reader=None).open

    def test_takes_two_queries_and_one_for_a_visitor(self, people, django_assert_num_queries):
        with django_assert_num_queries(2):
            standing(person=people[1], reader=people[0])
        with django_assert_num_queries(1):
            standing(person=people[1], reader=None)


class TestLists:
    def test_followers_and_following_come_by_keyset_without_gap_or_repetition(self, people):
        ana, *_ = people
        crowd = make_people(7, "crowd")
        let_follow(crowd, [ana])
        let_follow([ana], crowd)
        for read, wanted in (
            (followers_page, [one.username for one in reversed(crowd)]),
            (following_page, [one.username for one in reversed(crowd)]),
        ):
            seen, before = [], None
            for _ in range(10):
                page = read(person=ana, reader=None, before=before, limit=3)
                assert len(page.entries) <= 3
                seen += names(page)
                before = page.next_before
                if before is None:
                    break
            assert seen == wanted

    def test_say_how_the_reader_stands_to_each(self, people):
        ana, ben, cy, dee = people
        let_follow([ben, cy], [dee])
        let_follow([ana], [ben])
        page = followers_page(person=dee, reader=ana)
        assert {entry.person: entry.relation.follows for entry in page.entries} == {ben: True, cy: False}

    def test_leave_out_who_is_apart_from_the_reader_or_switched_off(self, people):
        ana, ben, cy, dee = people
        let_follow([ben, cy, dee], [ana])
        let_follow([ana], [ben, cy, dee])
        do_block(blocker=ben, blocked=dee)
        User.objects.filter(pk=cy.pk).update(is_active=False)
        assert names(followers_page(person=ana, reader=ben)) == ["ben"]
        assert names(following_page(person=ana, reader=dee)) == ["dee"]
        assert names(followers_page(person=ana, reader=None)) == ["dee", "ben"]

    def test_show_who_was_switched_off_to_whom_they_are_about(self, people):
        ana, ben, cy, _ = people
        let_follow([ben, cy], [ana])
        let_follow([ana], [ben, cy])
        User.objects.filter(pk=cy.pk).update(is_active=False)
        for read, count in ((followers_page, "follower_count"), (following_page, "following_count")):
            mine = read(person=ana, reader=ana)
            assert names(mine) == ["cy", "ben"]
            assert len(mine.entries) == getattr(standing(person=ana, reader=ana), count)
            assert names(read(person=ana, reader=ben)) == names(read(person=ana, reader=None)) == ["ben"]

    def test_requests_blocked_and_muted_are_ones_own(self, people):
        ana, ben, cy, dee = people
        set_private(ana)
        do_follow(follower=ben, followee=ana)
        do_follow(follower=cy, followee=ana)
        do_block(blocker=ana, blocked=dee)
        do_mute(muter=ana, muted=ben)
        assert names(requests_page(target=ana)) == ["cy", "ben"]
        assert names(blocked_page(reader=ana)) == ["dee"]
        assert names(muted_page(reader=ana)) == ["ben"]
        for other in (ben, cy, dee):
            assert names(requests_page(target=other)) == names(blocked_page(reader=other)) == []
            assert names(muted_page(reader=other)) == []

    def test_requests_that_were_sent_are_the_senders_also_to_who_was_switched_off(self, people):
        ana, ben, cy, dee = people
        for private in (ben, cy):
            set_private(private)
            do_follow(follower=ana, followee=private)
        do_follow(follower=ana, followee=dee)
        User.objects.filter(pk=cy.pk).update(is_active=False)
        page = sent_requests_page(requester=ana)
        assert names(page) == ["cy", "ben"]
        assert all(entry.relation == Relation(requested=True) for entry in page.entries)
        first = sent_requests_page(requester=ana, limit=1)
        assert names(sent_requests_page(requester=ana, before=first.next_before)) == ["ben"]
        assert names(sent_requests_page(requester=ben)) == []

    def test_who_was_switched_off_can_still_be_unblocked_but_waits_no_more(self, people):
        ana, ben, cy, _ = people
        set_private(ana)
        do_follow(follower=ben, followee=ana)
        do_block(blocker=ana, blocked=cy)
        User.objects.update(is_active=False)
        assert names(requests_page(target=ana)) == []
        assert request_count(target=ana) == 0
        assert names(blocked_page(reader=ana)) == ["cy"]

    @pytest.mark.parametrize("count", [1, 12])
    def test_take_two_queries_however_many_people(self, people, count, django_assert_num_queries):
        ana, *_ = people
        let_follow(make_people(count, "crowd"), [ana])
        with django_assert_num_queries(2):
            assert len(followers_page(person=ana, reader=people[1]).entries) == count

    def test_a_badge_does_not_count_without_end(self, people, django_assert_max_num_queries):
        ana, *_ = people
        set_private(ana)
        for person in make_people(3, "crowd"):
            do_follow(follower=person, followee=ana)
        with django_assert_max_num_queries(1) as queries:
            assert request_count(target=ana) == 3
        assert f"LIMIT {MOST_COUNTED}" in queries.captured_queries[0]["sql"]


def test_a_block_written_while_a_follow_stays_still_hides(people):
    """Blocks are read where pages are: a row that slipped past the trigger (an import, say) shows nothing either."""
    ana, ben, cy, _ = people
    Block.objects.create(blocker=ana, blocked=ben)
    Follow.objects.create(follower=ben, followee=cy)
    Follow.objects.create(follower=ben, followee=ana)
    assert names(followers_page(person=cy, reader=ana)) == []
    assert not standing(person=ana, reader=ben).open


def test_nobody_is_proposed_whom_the_reader_muted_or_a_block_keeps_away(people):
    ana, ben, cy, dee = people
    do_mute(muter=ana, muted=ben)
    do_block(blocker=ana, blocked=cy)
    do_block(blocker=dee, blocked=ana)
    assert unwanted_people(ana.pk) == {ben.pk, cy.pk, dee.pk}
    assert unwanted_people(ben.pk) == frozenset(), "who is muted is not concerned"
    assert unwanted_people(cy.pk) == {ana.pk}
