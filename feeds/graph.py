"""Writes to the social graph: follows, requests to follow, blocks, mutes, and who must be asked first.

Every write about two people locks both of their rows first, in the order of their ids. So a follow and a block at the
same moment come one after the other, and so do a request and the decision to ask for none any more.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import Any

from django.db import connection, transaction
from django.db.models import Q, QuerySet

from feeds.actions import do_withhold_posts
from feeds.models import Block, Follow, FollowRequest, ListMember, Mute
from recsys.accounts.models import User
from recsys.inputs import FieldError, InputError

MOST_FOLLOWS = 10_000  # of one person: a timeline is made of them, and nobody reads more
MOST_REQUESTS = 1_000  # of one person that wait for an answer
MOST_HIDDEN = 10_000  # accounts that one person blocks, or mutes

_APPROVE_ALL = """
    WITH approved AS (
        DELETE FROM feeds_followrequest r USING accounts_user u
        WHERE u.id = r.target_id AND NOT u.is_private AND r.target_id = ANY(%s)
        RETURNING r.requester_id, r.target_id
    )
    INSERT INTO feeds_follow (follower_id, followee_id)
    SELECT requester_id, target_id FROM approved ORDER BY 2, 1 ON CONFLICT DO NOTHING
"""


class FollowState(StrEnum):
    """What somebody has come to who wanted to follow an account."""

    FOLLOWING = "following"
    REQUESTED = "requested"


def do_follow(*, follower: User, followee: User) -> FollowState:
    """Let `follower` read `followee`, or ask a private account for it. Twice is once.

    InputError for following oneself, where one of the two has blocked the other, for an account that is not active,
    and beyond MOST_FOLLOWS and MOST_REQUESTS. It tells the blocked no more than that they cannot.
    """
    _refuse_oneself(follower, followee, "follow")
    with transaction.atomic():
        _, target = _lock(follower, followee)
        if Follow.objects.filter(follower=follower, followee=followee).exists():
            return FollowState.FOLLOWING
        _refuse_apart(follower, target)
        if not target.is_private:
            _refuse_more(Follow.objects.filter(follower=follower), MOST_FOLLOWS, "follows", "Unfollow somebody first.")
            FollowRequest.objects.filter(requester=follower, target=followee).delete()
            Follow.objects.get_or_create(follower=follower, followee=followee)
            return FollowState.FOLLOWING
        waiting = FollowRequest.objects.filter(requester=follower)
        if not waiting.filter(target=followee).exists():
            _refuse_more(waiting, MOST_REQUESTS, "requests", "Wait for answers, or withdraw some.")
            FollowRequest.objects.create(requester=follower, target=followee)
        return FollowState.REQUESTED


def do_unfollow(*, follower: User, followee: User) -> bool:
    """End a follow, or withdraw the request for one; False where there was neither."""
    with transaction.atomic():
        _lock(follower, followee)
        ended, _ = Follow.objects.filter(follower=follower, followee=followee).delete()
        withdrawn, _ = FollowRequest.objects.filter(requester=follower, target=followee).delete()
    return bool(ended or withdrawn)


def do_remove_follower(*, user: User, follower: User) -> bool:
    """End that `follower` reads `user`, who is not asked again unless the account is private; False: nobody did."""
    with transaction.atomic():
        ended, _ = Follow.objects.filter(follower=follower, followee=user).delete()
    return bool(ended)


def do_approve_request(*, target: User, requester: User) -> bool:
    """Let somebody who asked follow `target`; False where they did not ask, or not any more."""
    with transaction.atomic():
        _lock(target, requester)
        asked, _ = FollowRequest.objects.filter(requester=requester, target=target).delete()
        if asked:
            Follow.objects.get_or_create(follower=requester, followee=target)
    return bool(asked)


def do_reject_request(*, target: User, requester: User) -> bool:
    """Send somebody away who asked to follow `target`; False where they did not ask. They may ask again."""
    with transaction.atomic():
        asked, _ = FollowRequest.objects.filter(requester=requester, target=target).delete()
    return bool(asked)


def do_approve_all(*, targets: Sequence[int]) -> int:
    """Let everybody follow who waits for one of these accounts, of those that are not private any more; how many."""
    with transaction.atomic():
        list(User.objects.select_for_update(no_key=True).filter(pk__in=targets).order_by("pk").values_list("pk"))
        with connection.cursor() as cursor:
            cursor.execute(_APPROVE_ALL, [list(targets)])
            return cursor.rowcount


def do_change_privacy(*, user: User, is_private: bool) -> bool:
    """Ask `user` before anybody follows them, or no more, which lets in those who wait; whether it was a change.

    What a private account wrote is withheld from recommendations at once, whether or not workers run.
    """
    with transaction.atomic():
        changed = User.objects.filter(pk=user.pk).exclude(is_private=is_private).update(is_private=is_private)
        if changed and not is_private:
            do_approve_all(targets=[user.pk])
        if changed:
            do_withhold_posts(authors=[user.pk])
    user.is_private = is_private
    return bool(changed)


def do_block(*, blocker: User, blocked: User) -> bool:
    """Keep two people apart; False where `blocker` had done so before.

    Their follows and requests end (a trigger's work, whoever writes a block), and neither stays in a list of the other.
    """
    _refuse_oneself(blocker, blocked, "block")
    with transaction.atomic():
        _lock(blocker, blocked)
        blocks = Block.objects.filter(blocker=blocker)
        if blocks.filter(blocked=blocked).exists():
            return False
        _refuse_more(blocks, MOST_HIDDEN, "blocks", "Unblock somebody first.")
        Block.objects.create(blocker=blocker, blocked=blocked)
        one, other = Q(list__owner=blocker, member=blocked), Q(list__owner=blocked, member=blocker)
        ListMember.objects.filter(one | other).delete()
    return True


def do_unblock(*, blocker: User, blocked: User) -> bool:
    """Let them meet again; False where there was no block. What the block ended stays ended."""
    with transaction.atomic():
        ended, _ = Block.objects.filter(blocker=blocker, blocked=blocked).delete()
    return bool(ended)


def do_mute(*, muter: User, muted: User) -> bool:
    """Keep what somebody writes from `muter`'s timeline; False where that was so. A follow stays."""
    _refuse_oneself(muter, muted, "mute")
    with transaction.atomic():
        _lock(muter)
        mutes = Mute.objects.filter(muter=muter)
        if mutes.filter(muted=muted).exists():
            return False
        _refuse_more(mutes, MOST_HIDDEN, "mutes", "Unmute somebody first.")
        Mute.objects.create(muter=muter, muted=muted)
    return True


def do_unmute(*, muter: User, muted: User) -> bool:
    """Read them again; False where they were not muted."""
    with transaction.atomic():
        ended, _ = Mute.objects.filter(muter=muter, muted=muted).delete()
    return bool(ended)


def _lock(*people: User) -> list[User]:
    """The people as they are now, in the order given, and nobody else's to write about until the transaction ends."""
    rows = User.objects.select_for_update(no_key=True).filter(pk__in=[one.pk for one in people]).order_by("pk")
    found = {row.pk: row for row in rows}
    if missing := [one for one in people if one.pk not in found]:
        raise InputError([FieldError("user", f"There is no {missing[0].username} any more.")])
    return [found[one.pk] for one in people]


def _refuse_oneself(one: User, other: User, verb: str) -> None:
    if one.pk == other.pk:
        raise InputError([FieldError("user", f"Nobody can {verb} themselves.")])


def _refuse_apart(follower: User, target: User) -> None:
    if Block.objects.filter(blocker=follower, blocked=target).exists():
        raise InputError([FieldError("user", "You have blocked this account. Unblock it first.")])
    if not target.is_active or Block.objects.filter(blocker=target, blocked=follower).exists():
        raise InputError([FieldError("user", "You cannot follow this account.")])


def _refuse_more(rows: QuerySet[Any], most: int, what: str, advice: str) -> None:
    if rows[:most].count() == most:
        raise InputError([FieldError("user", f"{most:,} {what} are the most that one person can have. {advice}")])
