"""Two writes about one list at the same moment: one comes after the other, and neither fails."""

from __future__ import annotations

import pytest

from feeds.lists import NoList, do_add_member, do_create_list, do_delete_list, do_set_memberships
from feeds.models import AccountList, ListMember
from tests.feeds.graph import make_people
from tests.feeds.test_graph_races import in_background, while_it_waits

__all__ = ["in_background"]

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_list_that_is_deleted_takes_along_who_is_just_put_into_it(in_background):
    ana, ben = make_people(2)
    mine = do_create_list(owner=ana, name="friends")
    while_it_waits(
        in_background,
        lambda: do_add_member(account_list=mine, member=ben),
        lambda: do_delete_list(account_list=mine),
    )
    assert not AccountList.objects.exists()
    assert not ListMember.objects.exists()


def test_nobody_gets_into_a_list_that_is_just_deleted(in_background):
    ana, ben = make_people(2)
    mine = do_create_list(owner=ana, name="friends")
    with pytest.raises(NoList):
        while_it_waits(
            in_background,
            lambda: do_delete_list(account_list=mine),
            lambda: do_add_member(account_list=mine, member=ben),
        )
    assert not ListMember.objects.exists()


def test_of_all_that_somebody_is_put_into_the_one_that_is_just_deleted_is_left_out(in_background):
    ana, ben = make_people(2)
    gone, stays = (do_create_list(owner=ana, name=name) for name in ("gone", "stays"))
    while_it_waits(
        in_background,
        lambda: do_delete_list(account_list=gone),
        lambda: do_set_memberships(owner=ana, person=ben, lists=[gone.pk, stays.pk]),
    )
    assert list(ListMember.objects.values_list("list", "member")) == [(stays.pk, ben.pk)]
