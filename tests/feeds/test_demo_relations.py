from __future__ import annotations

import pytest

from feeds.models import Block, Follow, FollowRequest, Mute
from recsys.accounts.models import User
from recsys.catalog.models import Item
from recsys.demo.community import DemoSize
from recsys.demo.load import load_demo
from tests.demo.conftest import NOW

pytestmark = pytest.mark.django_db


def test_the_demo_shows_every_relation():
    load_demo(DemoSize(users=400, items=60, interactions=500, posts=600, follows=4000, seed=1), now=NOW)
    ana, admin = (User.objects.get(username=name) for name in ("ana", "admin"))
    assert admin.is_private
    assert not ana.is_private
    assert FollowRequest.objects.filter(target=admin).count() == 3
    assert FollowRequest.objects.get(requester=ana).target.is_private
    muted = set(Mute.objects.filter(muter=ana).values_list("muted", flat=True))
    assert len(muted) == Follow.objects.filter(follower=ana, followee__in=muted).count() == 2
    assert Block.objects.filter(blocker=ana).count() == 1
    assert not FollowRequest.objects.exclude(target__is_private=True).exists()
    withheld = Item.objects.filter(kind="post", creator__is_private=True)
    assert withheld
    assert not withheld.exclude(is_withheld=True).exists()


def test_few_people_have_none():
    load_demo(DemoSize(users=5, items=5, interactions=10, posts=3, follows=5), now=NOW)
    assert not User.objects.filter(is_private=True).exists()
