from __future__ import annotations

import uuid
from datetime import UTC, datetime
from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.test import Client

from feeds.models import AuthorOverride, AuthorStats, Block, Follow, FollowRequest, Mute, Notification, Post
from feeds.policy import get_policy
from recsys.accounts.models import User
from recsys.catalog.models import Item
from recsys.experiments.models import Experiment, Variant
from recsys.outbox.models import OutboxRow
from recsys.partners.actions import do_create_key
from recsys.partners.models import ApiClient
from recsys.recommend.models import ModelVersion, Slate


@pytest.fixture
def boss(db: None) -> User:
    return User.objects.create_superuser("boss", password="a long password")


@pytest.fixture
def admin(boss: User) -> Client:
    """A browser in which a superuser is logged in."""
    client = Client()
    client.force_login(boss)
    return client


@pytest.fixture
def clerk(db: None) -> User:
    """Staff without any permission."""
    return User.objects.create(username="clerk", is_staff=True)


@pytest.fixture
def clerk_client(clerk: User) -> Client:
    client = Client()
    client.force_login(clerk)
    return client


def allow(user: User, *permissions: str) -> None:
    """Give `user` permissions, each as "app.codename"."""
    for permission in permissions:
        app, _, codename = permission.partition(".")
        user.user_permissions.add(Permission.objects.get(content_type__app_label=app, codename=codename))


@pytest.fixture
def rows(boss: User) -> dict[str, Any]:
    """A row of everything that the admin shows, by model label."""
    ana = User.objects.create(username="ana", region="GB", external_id="u-1")
    ben, cy = User.objects.create(username="ben"), User.objects.create(username="cy")
    heat = Item.objects.create(title="Heat", kind="film", external_id="m-6", tags=["crime"])
    post_item = Item.objects.create(title="Hello", kind="post", creator=ana)
    experiment = Experiment.objects.create(key="blend")
    for key in ("control", "more-cf"):
        Variant.objects.create(experiment=experiment, key=key)
    partner = ApiClient.objects.create(name="Shop")
    slate = Slate.objects.create(
        user=ana,
        surface="for_you",
        entries=[
            {
                "item": heat.pk,
                "source": "cf",
                "anchor": post_item.pk,
                "score": 0.5,
                "scores": {"cf": 0.4, "trending": 0.1},
                "propensity": 1.0,
                "reason": "Because you liked <Hello>",
            },
            {"item": 10**9, "source": "popular", "anchor": None, "score": 0.1, "reason": "Popular"},
        ],
        trace={
            "served_by": "cf,popular",
            "left_out": {"content": "no model"},
            "variants": {},
            "milliseconds": {"cf": 2},
        },
    )
    return {
        "accounts.user": ana,
        "catalog.item": heat,
        "experiments.experiment": experiment,
        "feeds.authoroverride": AuthorOverride.objects.create(author=ana, mode="pull"),
        "feeds.authorstats": AuthorStats.objects.create(author=ana, follower_count=12),
        "feeds.block": Block.objects.create(blocker=ben, blocked=cy),
        "feeds.fanoutpolicy": get_policy(),
        "feeds.follow": Follow.objects.create(follower=ben, followee=ana),
        "feeds.followrequest": FollowRequest.objects.create(requester=cy, target=ana),
        "feeds.mute": Mute.objects.create(muter=ana, muted=ben),
        "feeds.notification": Notification.objects.create(recipient=ana, actor=ana, kind="follow"),
        "feeds.post": Post.objects.create(item=post_item, author=ana, text="Hello"),
        "outbox.outboxrow": park(),
        "partners.apiclient": partner,
        "partners.apikey": do_create_key(client=partner, scopes=["read"]).key,
        "recommend.modelversion": ModelVersion.objects.create(
            kind="cf", metrics={"recall@20": 0.2}, artefact=b"x" * 3000
        ),
        "recommend.slate": slate,
    }


def park(topic: str = "feeds.post", error: str = "ValueError: <broken>", **fields: Any) -> OutboxRow:
    """A parked row."""
    row = OutboxRow.objects.create(
        id=uuid.uuid4(),
        aggregatetype=topic,
        aggregateid="7",
        type="insert",
        parked_at=datetime.now(UTC),
        last_error=error,
        attempts=8,
        **fields,
    )
    row.refresh_from_db()
    return row
