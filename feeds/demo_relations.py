"""What else stands between the people of the demo: private accounts, requests, mutes and a block."""

from __future__ import annotations

from feeds.models import Block, Follow, FollowRequest, Mute
from recsys.accounts.models import User
from recsys.demo.community import Community
from recsys.demo.logins import DEMO_LOGINS

PRIVATE_EVERY = 50  # one account in so many
LEAST_PEOPLE = 40  # fewer have no strangers among them
WAITING, MUTED = 3, 2


def write_relations(community: Community) -> None:
    """Make some accounts private, that of "admin" among them, for which some wait; "ana" waits, mutes and blocks.

    To be called between follows and posts: whether a post may be recommended is decided when it is written.
    """
    people = [int(one) for one in community.people.ids]
    if len(people) < LEAST_PEOPLE:
        return
    ids = dict(zip((login.username for login in DEMO_LOGINS), people, strict=False))
    ana, admin, others = ids["ana"], ids["admin"], people[len(DEMO_LOGINS) :]
    private = others[::PRIVATE_EVERY]
    User.objects.filter(pk__in=[admin, *private]).update(is_private=True)
    followed = set(Follow.objects.filter(follower=ana).values_list("followee", flat=True))
    following = set(Follow.objects.filter(followee=ana).values_list("follower", flat=True))
    let_in = set(Follow.objects.filter(followee=admin).values_list("follower", flat=True))
    asking = [(one, admin) for one in others if one not in let_in][:WAITING]
    asking += [(ana, one) for one in private if one not in followed][:1]
    FollowRequest.objects.bulk_create([FollowRequest(requester_id=one, target_id=other) for one, other in asking])
    muted = [one for one in others if one in followed][:MUTED]
    Mute.objects.bulk_create([Mute(muter_id=ana, muted_id=one) for one in muted])
    strangers = [one for one in reversed(others) if one not in followed | following and one not in private]
    Block.objects.bulk_create([Block(blocker_id=ana, blocked_id=one) for one in strangers[:1]])
