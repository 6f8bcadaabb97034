"""Lists of accounts: their writes and reads. A list is its owner's alone; for everybody else it does not exist.

A list may be deleted at any moment, in another tab say. Whoever then changes it is told that there is none (`NoList`).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from django.db import IntegrityError, transaction
from django.db.models import Count, Exists, OuterRef, QuerySet
from django.http import Http404

from feeds.models import AccountList, ListMember
from recsys.accounts.models import User
from recsys.inputs import FieldError, InputError, text_fault

MOST_LISTS = 100  # of one owner
MOST_MEMBERS = 500  # of one list
LONGEST_NAME = AccountList._meta.get_field("name").max_length or 80


@dataclass(frozen=True, slots=True)
class Membership:
    """One of the reader's lists, and whether somebody is in it."""

    account_list: AccountList
    is_member: bool


class NoList(Http404):
    """There is no such list, or none any more."""

    def __init__(self) -> None:
        super().__init__("There is no such list.")


def check_name(name: object) -> str:
    """A list's name with single spaces; InputError where it cannot be one."""
    plain = " ".join(name.split()) if isinstance(name, str) else name
    fault = text_fault(plain, longest=LONGEST_NAME, required=True)
    if fault is None and not any(character.isprintable() and not character.isspace() for character in str(plain)):
        fault = "This must not be empty."
    if fault:
        raise InputError([FieldError("name", fault)])
    return str(plain)


def do_create_list(*, owner: User, name: object) -> AccountList:
    """Make a list. InputError for a name that cannot be one or is taken, and beyond MOST_LISTS."""
    plain = check_name(name)
    with transaction.atomic():
        # One at a time for each owner, as below.
        if not User.objects.select_for_update(no_key=True).filter(pk=owner.pk).first():
            raise InputError([FieldError("", f"There is no {owner.username} any more.")])
        if AccountList.objects.filter(owner=owner).count() >= MOST_LISTS:
            raise InputError([FieldError("", f"You have {MOST_LISTS} lists, which is the most. Delete one first.")])
        with _each_name_once():
            return AccountList.objects.create(owner=owner, name=plain)


@contextmanager
def _each_name_once() -> Iterator[None]:
    try:
        with transaction.atomic():
            yield
    except IntegrityError as error:
        if "list_name_once" not in str(error):
            raise
        raise InputError([FieldError("name", "You have a list of this name.")]) from error


def do_rename_list(*, account_list: AccountList, name: object) -> None:
    """Give a list another name. InputError for a name that cannot be one or is taken; NoList where it is gone."""
    plain = check_name(name)
    with _each_name_once():
        renamed = AccountList.objects.filter(pk=account_list.pk).update(name=plain)
    if not renamed:
        raise NoList
    account_list.name = plain


def do_delete_list(*, account_list: AccountList) -> None:
    """Delete a list, if it is still there; its members are not told, as they never knew."""
    with transaction.atomic():
        # First the list, so that nobody is put into it between the members' going and its own.
        for found in AccountList.objects.select_for_update().filter(pk=account_list.pk):
            found.delete()


def do_add_member(*, account_list: AccountList, member: User) -> bool:
    """Put somebody into a list; False where they are in it already. InputError beyond MOST_MEMBERS, NoList where it is
    gone.
    """
    with transaction.atomic():
        # One at a time for each list, so that two cannot both be the last one that fits.
        if not _locked(AccountList.objects.filter(pk=account_list.pk)):
            raise NoList
        members = ListMember.objects.filter(list=account_list)
        if members.filter(member=member).exists():
            return False
        if members.count() >= MOST_MEMBERS:
            raise InputError([FieldError("member", f"A list has at most {MOST_MEMBERS} members. Take one out first.")])
        members.create(list=account_list, member=member)
    return True


def _locked(lists: QuerySet[AccountList]) -> list[AccountList]:
    """Those of the lists that there are. Until the transaction ends, nobody else fills or deletes them."""
    return list(lists.select_for_update(no_key=True).order_by("pk"))


def do_remove_member(*, account_list: AccountList, member: User) -> bool:
    """Take somebody out of a list; False where they were not in it."""
    deleted, _ = ListMember.objects.filter(list=account_list, member=member).delete()
    return bool(deleted)


def do_set_memberships(*, owner: User, person: User, lists: Collection[int], new: str = "") -> None:
    """Let somebody be in exactly these lists of the owner, and in a new one of that name unless "". All or nothing.

    InputError as for making a list and adding a member. A list that is gone is one they are not in.
    """
    with transaction.atomic():
        inside = ListMember.objects.filter(list__owner=owner, member=person)
        inside.exclude(list__in=lists).delete()
        missing = set(lists) - set(inside.values_list("list", flat=True))
        for one in _locked(AccountList.objects.filter(owner=owner, pk__in=missing)):
            do_add_member(account_list=one, member=person)
        if new.strip():
            do_add_member(account_list=do_create_list(owner=owner, name=new), member=person)


def lists_of(owner: User) -> QuerySet[AccountList]:
    """The owner's lists by name, each with `member_count`."""
    return AccountList.objects.filter(owner=owner).annotate(member_count=Count("members")).order_by("name", "pk")


def find_list(owner: User, pk: int) -> AccountList | None:
    """The owner's list of this number; None also where it is somebody else's."""
    return AccountList.objects.filter(owner=owner, pk=pk).first()


def members_of(account_list: AccountList) -> list[User]:
    """Whoever is in the list, the last one added first; suspended accounts too, which count and can be taken out."""
    found = ListMember.objects.filter(list=account_list).select_related("member")
    return [one.member for one in found.order_by("-pk")]


def memberships(*, owner: User, person: User) -> list[Membership]:
    """All lists of the owner, and in which of them the person is. One query."""
    inside = ListMember.objects.filter(list=OuterRef("pk"), member=person)
    found: Iterable[AccountList] = AccountList.objects.filter(owner=owner).annotate(inside=Exists(inside))
    return [Membership(one, one.inside) for one in found.order_by("name", "pk")]  # type: ignore[attr-defined]
