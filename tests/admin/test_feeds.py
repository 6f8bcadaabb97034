from __future__ import annotations

import pytest
from django.test import Client
from django.urls import reverse

from feeds.actions import do_create_post
from feeds.models import AuthorOverride, AuthorStats, FanoutPolicy, Post
from recsys.accounts.models import User
from recsys.catalog.models import Item
from tests.admin.conftest import allow

pytestmark = pytest.mark.django_db
POLICY = "/admin/feeds/fanoutpolicy/1/change/"


def save_policy(client: Client, upper: object, lower: object):
    return client.post(POLICY, {"celebrity_threshold": upper, "lower_bound": lower})


def test_the_list_of_policies_is_the_form_of_the_only_one(admin: Client):
    assert admin.get(reverse("admin:feeds_fanoutpolicy_changelist")).headers["Location"] == POLICY
    assert FanoutPolicy.objects.count() == 1


def test_a_saved_threshold_decides_the_next_post(admin: Client, drain_outbox):
    author = User.objects.create(username="ana")
    AuthorStats.objects.create(author=author, follower_count=50)
    before = do_create_post(author=author, text="Before")
    drain_outbox()
    assert save_policy(admin, 40, 30).status_code == 302
    after = do_create_post(author=author, text="After")
    drain_outbox()
    assert Post.objects.get(pk=before.pk).mode == "push"
    assert Post.objects.get(pk=after.pk).mode == "pull"


def test_who_changed_what_is_on_the_form(admin: Client):
    save_policy(admin, 10_000, 8_000)
    save_policy(admin, 500, 400)
    page = admin.get(POLICY).content.decode()
    assert "boss: Celebrity threshold: 10000 → 500; Lower bound: 8000 → 400" in page


@pytest.mark.parametrize(
    ("upper", "lower", "message"),
    [
        (100, 101, "The lower bound cannot be above the threshold (100)."),
        (-1, 0, "greater than or equal to 0"),
        ("many", 0, "Enter a whole number."),
        (2**31, 0, "less than or equal to 2147483647"),
    ],
)
def test_a_policy_that_makes_no_sense_is_refused(admin: Client, upper, lower, message):
    admin.get(reverse("admin:feeds_fanoutpolicy_changelist"))
    response = save_policy(admin, upper, lower)
    assert message in response.content.decode()
    assert FanoutPolicy.objects.get().celebrity_threshold == 10_000


def test_the_policy_is_neither_added_to_nor_deleted(admin: Client):
    admin.get(reverse("admin:feeds_fanoutpolicy_changelist"))
    assert admin.get("/admin/feeds/fanoutpolicy/add/").status_code == 403
    assert admin.post("/admin/feeds/fanoutpolicy/1/delete/", {"post": "yes"}).status_code == 403


def test_an_override_decides_whatever_the_followers(admin: Client, drain_outbox):
    author = User.objects.create(username="ana")
    response = admin.post(
        "/admin/feeds/authoroverride/add/", {"author": author.pk, "mode": "pull", "reason": "spam wave"}
    )
    assert response.status_code == 302, response.context["errors"]
    post = do_create_post(author=author, text="Hello")
    drain_outbox()
    assert Post.objects.get(pk=post.pk).mode == "pull"
    assert AuthorOverride.objects.get().reason == "spam wave"


def test_author_stats_say_what_comes_next_in_a_bounded_number_of_queries(admin: Client, django_assert_max_num_queries):
    authors = User.objects.bulk_create(User(username=f"author{n}") for n in range(30))
    AuthorStats.objects.bulk_create(AuthorStats(author=one, follower_count=n * 1000) for n, one in enumerate(authors))
    AuthorOverride.objects.create(author=authors[0], mode="pull")
    with django_assert_max_num_queries(8):
        page = admin.get(reverse("admin:feeds_authorstats_changelist")).content.decode()
    # From 10,000 followers on: 20 authors; and the one with an override.
    assert page.count('<td class="field-next_mode">pull</td>') == 21
    assert page.count('<td class="field-next_mode">push</td>') == 9


def test_staff_take_a_post_down_with_its_item(clerk_client: Client, clerk: User):
    post = do_create_post(author=User.objects.create(username="ana"), text="Hello")
    allow(clerk, "feeds.view_post", "feeds.delete_post")
    page = f"/admin/feeds/post/{post.pk}/delete/"
    assert "its item, its interactions" in clerk_client.get(page).content.decode()
    assert clerk_client.post(page, {"post": "yes"}).status_code == 302
    assert not Post.objects.exists()
    assert not Item.objects.exists()


def test_who_may_only_look_takes_no_post_down(clerk_client: Client, clerk: User):
    post = do_create_post(author=User.objects.create(username="ana"), text="Hello")
    allow(clerk, "feeds.view_post")
    assert clerk_client.get(f"/admin/feeds/post/{post.pk}/change/").status_code == 200
    assert clerk_client.post(f"/admin/feeds/post/{post.pk}/delete/", {"post": "yes"}).status_code == 403
    assert Post.objects.exists()
