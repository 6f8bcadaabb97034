from __future__ import annotations

import pytest

from feeds import lists
from feeds.lists import (
    NoList,
    do_add_member,
    do_create_list,
    do_delete_list,
    do_remove_member,
    do_rename_list,
    do_set_memberships,
    find_list,
    lists_of,
    members_of,
    memberships,
)
from feeds.models import AccountList, ListMember
from recsys.accounts.models import User
from recsys.inputs import InputError
from tests.feeds.graph import make_people

pytestmark = pytest.mark.django_db


@pytest.fixture
def people() -> list[User]:
    return make_people(4)


@pytest.fixture
def mine(people) -> AccountList:
    return do_create_list(owner=people[0], name="friends")


class TestNames:
    @pytest.mark.parametrize(
        ("name", "fault"),
        [
            ("", "must not be empty"),
            (" \n ", "must not be empty"),
            ("\u200b\u2060", "must not be empty"),
            ("x" * 81, "at most 80"),
            ("a\x00b", "NUL"),
            (None, "must be text"),
            (5, "must be text"),
        ],
    )
    def test_what_cannot_be_one_is_refused(self, people, name, fault):
        with pytest.raises(InputError, match=fault):
            do_create_list(owner=people[0], name=name)

    def test_spaces_are_single(self, people):
        assert do_create_list(owner=people[0], name="  near \n and  dear ").name == "near and dear"

    def test_each_owner_has_a_name_once(self, people, mine):
        with pytest.raises(InputError, match="You have a list of this name"):
            do_create_list(owner=people[0], name="friends")
        other = do_create_list(owner=people[0], name="others")
        with pytest.raises(InputError, match="You have a list of this name"):
            do_rename_list(account_list=other, name="friends")
        do_create_list(owner=people[1], name="friends")
        do_rename_list(account_list=mine, name="friends")
        do_rename_list(account_list=mine, name="close friends")
        assert [one.name for one in lists_of(people[0])] == ["close friends", "others"]


class TestBounds:
    def test_of_lists(self, people, monkeypatch):
        monkeypatch.setattr(lists, "MOST_LISTS", 2)
        for name in ("one", "two"):
            do_create_list(owner=people[0], name=name)
        with pytest.raises(InputError, match="2 lists"):
            do_create_list(owner=people[0], name="three")
        do_create_list(owner=people[1], name="three")

    def test_of_members(self, people, mine, monkeypatch):
        monkeypatch.setattr(lists, "MOST_MEMBERS", 2)
        for member in people[1:3]:
            assert do_add_member(account_list=mine, member=member)
        with pytest.raises(InputError, match="at most 2 members"):
            do_add_member(account_list=mine, member=people[3])
        assert not do_add_member(account_list=mine, member=people[1])  # is in it already


def test_members_come_and_go(people, mine):
    assert do_add_member(account_list=mine, member=people[1])
    assert do_add_member(account_list=mine, member=people[2])
    assert members_of(mine) == [people[2], people[1]]
    assert [one.member_count for one in lists_of(people[0])] == [2]
    assert do_remove_member(account_list=mine, member=people[1])
    assert not do_remove_member(account_list=mine, member=people[1])
    assert members_of(mine) == [people[2]]


def test_a_list_is_its_owners_alone(people, mine):
    assert find_list(people[0], mine.pk) == mine
    assert find_list(people[1], mine.pk) is None
    assert not lists_of(people[1])


def test_deleting_takes_the_members_along(people, mine):
    do_add_member(account_list=mine, member=people[1])
    do_delete_list(account_list=mine)
    assert not AccountList.objects.exists()
    assert not ListMember.objects.exists()


class TestGone:
    """What somebody does to a list that was deleted since they looked at it."""

    @pytest.fixture
    def gone(self, mine) -> AccountList:
        AccountList.objects.filter(pk=mine.pk).delete()
        return mine

    def test_renaming_does_not_bring_it_back(self, gone):
        with pytest.raises(NoList):
            do_rename_list(account_list=gone, name="close friends")
        assert not AccountList.objects.exists()
        assert gone.name == "friends"

    def test_nobody_can_be_put_into_it(self, people, gone):
        with pytest.raises(NoList):
            do_add_member(account_list=gone, member=people[1])
        assert not ListMember.objects.exists()

    def test_taking_out_and_deleting_are_done_already(self, people, gone):
        assert not do_remove_member(account_list=gone, member=people[1])
        do_delete_list(account_list=gone)

    def test_its_owner_may_be_gone_too(self, people):
        User.objects.filter(pk=people[0].pk).delete()
        with pytest.raises(InputError, match="no p0 any more"):
            do_create_list(owner=people[0], name="friends")


class TestMemberships:
    def inside(self, owner: User, person: User) -> dict[str, bool]:
        return {one.account_list.name: one.is_member for one in memberships(owner=owner, person=person)}

    def test_are_set_all_at_once(self, people, mine):
        other = do_create_list(owner=people[0], name="others")
        do_add_member(account_list=mine, member=people[1])
        do_add_member(account_list=mine, member=people[2])
        do_set_memberships(owner=people[0], person=people[1], lists={other.pk}, new="third")
        assert self.inside(people[0], people[1]) == {"friends": False, "others": True, "third": True}
        assert self.inside(people[0], people[2]) == {"friends": True, "others": False, "third": False}

    def test_never_touch_lists_of_others(self, people, mine):
        do_add_member(account_list=mine, member=people[2])
        do_set_memberships(owner=people[1], person=people[2], lists=set())
        do_set_memberships(owner=people[1], person=people[3], lists={mine.pk})
        assert members_of(mine) == [people[2]]

    def test_fail_as_a_whole(self, people, mine):
        do_add_member(account_list=mine, member=people[1])
        with pytest.raises(InputError):
            do_set_memberships(owner=people[0], person=people[1], lists=set(), new="friends")
        assert self.inside(people[0], people[1]) == {"friends": True}
