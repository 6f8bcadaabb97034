"""Why a post is in a timeline, as staff learn it."""

from __future__ import annotations

import pytest
from django.test import Client
from django.urls import reverse
from structlog.testing import capture_logs

from feeds.actions import do_create_post
from feeds.graph import do_block, do_follow
from feeds.models import Post
from recsys.accounts.models import User
from recsys.outbox import store
from tests.admin.conftest import allow
from tests.admin.test_pages import assert_clean

pytestmark = pytest.mark.django_db
PAGES = ("admin:feeds_why", "admin:feeds_timeline")


@pytest.fixture
def zoe() -> User:
    return User.objects.create(username="zoe")


@pytest.fixture
def post(zoe: User) -> Post:
    ana = User.objects.create(username="ana")
    do_follow(follower=zoe, followee=ana)
    return do_create_post(author=ana, text="hello <i>there</i>")


def why(client: Client, reader: str, post: int) -> str:
    response = client.get(reverse("admin:feeds_why"), {"reader": reader, "post": str(post)})
    assert_clean(response)
    return response.content.decode()


def test_an_entry(admin, post, drain_outbox):
    drain_outbox()
    html = why(admin, "zoe", post.pk)
    assert "It is in the timeline" in html
    assert "zoe has followed ana since" in html
    assert "hello &lt;i&gt;there" in html
    assert "Delivered to all followers at once" in html


def test_staff_see_who_blocked_whom(admin, zoe, post):
    do_block(blocker=post.author, blocked=zoe)
    assert "ana has blocked zoe." in why(admin, "zoe", post.pk)


def test_staff_see_the_error_of_a_parked_delivery(admin, post):
    store.park([row.id for row in store.lease(10)], "ValueError: <no>")
    assert "ValueError: &lt;no&gt;" in why(admin, "zoe", post.pk)


def test_a_post_that_is_gone(admin, zoe):
    assert "There is no such post: never, or deleted." in why(admin, "zoe", 10**9)


def test_a_timeline_links_the_why_of_each_entry(admin, zoe, post, drain_outbox):
    drain_outbox()
    response = admin.get(reverse("admin:feeds_timeline"), {"reader": "zoe"})
    assert_clean(response)
    assert f"?reader=zoe&amp;post={post.pk}" in response.content.decode()


@pytest.mark.parametrize("name", PAGES)
@pytest.mark.parametrize(
    "query",
    [
        {},
        {"reader": ""},
        {"reader": "nobody", "post": "1"},
        {"reader": "a\0", "post": "x"},
        {"reader": "x" * 5000, "post": "-1"},
        {"reader": "zoe", "post": "9" * 30},
        {"nonsense": "1"},
    ],
)
def test_nonsense_is_answered_with_the_form(admin, name, query):
    assert_clean(admin.get(reverse(name), query))


@pytest.mark.parametrize("name", PAGES)
def test_both_rights_are_needed(clerk_client, clerk, post, name):
    query = {"reader": "zoe", "post": post.pk}
    for rights in ([], ["feeds.view_post"]):
        allow(clerk, *rights)
        assert clerk_client.get(reverse(name), query).status_code == 403
    clerk.user_permissions.clear()
    allow(clerk, "accounts.view_user")
    assert clerk_client.get(reverse(name), query).status_code == 403
    allow(clerk, "feeds.view_post")
    assert clerk_client.get(reverse(name), query).status_code == 200


def test_nobody_outside_of_staff_gets_in(client, zoe, post):
    client.force_login(zoe)
    for name in PAGES:
        assert client.get(reverse(name)).status_code == 302


def test_who_looked_at_whose_timeline_is_logged(admin, boss, zoe, post):
    with capture_logs() as logs:
        why(admin, "zoe", post.pk)
    assert {"event": "timeline_looked_at", "log_level": "info", "staff": boss.pk, "reader": zoe.pk} in logs


def test_posts_and_users_lead_there(admin, zoe, post):
    html = admin.get(reverse("admin:feeds_post_change", args=[post.pk])).content.decode()
    assert f"{reverse('admin:feeds_why')}?post={post.pk}" in html
    html = admin.get(reverse("admin:accounts_user_change", args=[zoe.pk])).content.decode()
    assert f"{reverse('admin:feeds_timeline')}?reader=zoe" in html
