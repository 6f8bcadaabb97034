"""Lists of accounts: their writes and reads. A list is its owner's alone; for everybody else it does not exist."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from django.db import IntegrityError, transaction
from django.db.models import Count, Exists, OuterRef, QuerySet

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
        User.objects.select_for_update(no_key=True).get(pk=owner.pk)
        if AccountList.objects.filter(owner=owner).count() >= MOST_LISTS:
            raise InputError([FieldError("", f"You have {MOST_LISTS} lists, which is the most. Delete one first.")])
        return _saved(AccountList(owner=owner, name=plain))


def _saved(account_list: AccountList) -> AccountList:
    try:
        with transaction.atomic():
            account_list.save()
    except IntegrityError as error:
        if "list_name_once" not in str(error):
            raise
        raise InputError([FieldError("name", "You have a list of this name.")]) from error
    return account_list


def do_rename_list(*, account_list: AccountList, name: object) -> None:
    """Give a list another name. InputError for a name that cannot be one or is taken."""
    account_list.name = check_name(name)
    with transaction.atomic():
        _saved(account_list)


def do_delete_list(*, account_list: AccountList) -> None:
    """Delete a list; its members are not told, as they never knew."""
    account_list.delete()


def do_add_member(*, account_list: AccountList, member: User) -> bool:
    """Put somebody into a list; False where they are in it already. InputError beyond MOST_MEMBERS."""
    with transaction.atomic():
        # One at a time for each list, so that two cannot both be the last one that fits.
        AccountList.objects.select_for_update(no_key=True).get(pk=account_list.pk)
        members = ListMember.objects.filter(list=account_list)
        if members.filter(member=member).exists():
            return False
        if members.count() >= MOST_MEMBERS:
            raise InputError([FieldError("member", f"A list has at most {MOST_MEMBERS} members. Take one out first.")])
        members.create(list=account_list, member=member)
    return True


def do_remove_member(*, account_list: AccountList, member: User) -> bool:
    """Take somebody out of a list; False where they were not in it."""
    deleted, _ = ListMember.objects.filter(list=account_list, member=member).delete()
    return bool(deleted)


def do_set_memberships(*, owner: User, person: User, lists: Collection[int], new: str = "") -> None:
    """Let somebody be in exactly these lists of the owner, and in a new one of that name unless "". All or nothing.

    InputError as for making a list and adding a member.
    """
    with transaction.atomic():
        inside = ListMember.objects.filter(list__owner=owner, member=person)
        inside.exclude(list__in=lists).delete()
        missing = set(lists) - set(inside.values_list("list", flat=True))
        for one in AccountList.objects.filter(owner=owner, pk__in=missing).order_by("pk"):
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
