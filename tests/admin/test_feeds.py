from __future__ import annotations

import pytest
from django.test import Client
from django.urls import reverse

from feeds.actions import do_create_post
from feeds.models import AuthorOverride, AuthorStats, Notification, Post
from recsys.accounts.models import User
from recsys.catalog.models import Item
from tests.admin.conftest import allow

pytestmark = pytest.mark.django_db


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


def test_who_changed_an_override_stays_known_after_its_deletion(admin: Client, boss: User):
    ana, pages = User.objects.create(username="ana"), "/admin/feeds/authoroverride/"
    AuthorStats.objects.create(author=ana)
    admin.post(f"{pages}add/", {"author": ana.pk, "mode": "pull", "reason": "spam <wave>"})
    admin.post(f"{pages}{ana.pk}/change/", {"mode": "push", "reason": ""})
    history = "boss: Mode: pull → push; Reason: spam &lt;wave&gt; → nothing<br>"
    assert history in admin.get(f"{pages}{ana.pk}/change/").content.decode()
    admin.post(f"{pages}{ana.pk}/delete/", {"post": "yes"})
    assert not AuthorOverride.objects.exists()
    past = admin.get(f"/admin/feeds/authorstats/{ana.pk}/change/").content.decode()
    assert history in past
    assert "boss: Added: Mode pull; Reason spam &lt;wave&gt;" in past
    assert "boss: Deleted: Mode push; Reason nothing<br>" in past


def test_overrides_deleted_from_the_list_are_remembered_too(admin: Client):
    for name in ("ana", "bob"):
        author = User.objects.create(username=name)
        AuthorStats.objects.create(author=author)
        AuthorOverride.objects.create(author=author, mode="pull", reason=f"because of {name}")
    chosen = list(AuthorOverride.objects.values_list("pk", flat=True))
    response = admin.post(
        reverse("admin:feeds_authoroverride_changelist"),
        {"action": "delete_selected", "_selected_action": chosen, "post": "yes"},
    )
    assert response.status_code == 302
    assert not AuthorOverride.objects.exists()
    for stats in AuthorStats.objects.all():
        page = admin.get(f"/admin/feeds/authorstats/{stats.pk}/change/").content.decode()
        assert page.count("Deleted: ") == 1
        assert f"boss: Deleted: Mode pull; Reason because of {stats.author}" in page


def test_an_override_that_is_deleted_decides_no_further_post(admin: Client, drain_outbox):
    author = User.objects.create(username="ana")
    AuthorOverride.objects.create(author=author, mode="pull")
    admin.post(f"/admin/feeds/authoroverride/{author.pk}/delete/", {"post": "yes"})
    post = do_create_post(author=author, text="Hello")
    drain_outbox()
    assert Post.objects.get(pk=post.pk).mode == "push"


def test_who_may_only_look_changes_no_override(clerk_client: Client, clerk: User):
    author = User.objects.create(username="ana")
    AuthorOverride.objects.create(author=author, mode="pull")
    allow(clerk, "feeds.view_authoroverride")
    page = f"/admin/feeds/authoroverride/{author.pk}"
    assert clerk_client.get(f"{page}/change/").status_code == 200
    assert clerk_client.post(f"{page}/change/", {"mode": "push"}).status_code == 403
    assert clerk_client.post(f"{page}/delete/", {"post": "yes"}).status_code == 403
    assert AuthorOverride.objects.get().mode == "pull"


def test_an_override_with_an_unknown_mode_is_refused(admin: Client):
    author = User.objects.create(username="ana")
    page = admin.post("/admin/feeds/authoroverride/add/", {"author": author.pk, "mode": "sideways"})
    assert "not one of the available choices" in page.content.decode()
    assert not AuthorOverride.objects.exists()


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


@pytest.mark.parametrize("way", ["page", "list", "site"])
def test_who_took_a_post_down_is_told_once_wherever_they_did_it(admin: Client, way: str):
    author = User.objects.create(username="ana")
    post = do_create_post(author=author, text="Secret words")
    if way == "page":
        admin.post(f"/admin/feeds/post/{post.pk}/delete/", {"post": "yes"})
    elif way == "list":
        admin.post("/admin/feeds/post/", {"action": "delete_selected", "_selected_action": [post.pk], "post": "yes"})
    else:
        admin.post(f"/posts/{post.pk}/delete/")
    assert not Post.objects.exists()
    admin.get("/admin/")  # shows, once, what was done
    history = admin.get("/admin/admin/logentry/", {"q": f"user {author.pk}"})
    assert history.context["cl"].result_count == 1
    page = history.content.decode()
    assert f"post {post.pk}" in page
    assert f"Taken down; its author is user {author.pk}." in page
    assert "Secret" not in page


def test_who_may_only_look_takes_no_post_down(clerk_client: Client, clerk: User):
    post = do_create_post(author=User.objects.create(username="ana"), text="Hello")
    allow(clerk, "feeds.view_post")
    assert clerk_client.get(f"/admin/feeds/post/{post.pk}/change/").status_code == 200
    assert clerk_client.post(f"/admin/feeds/post/{post.pk}/delete/", {"post": "yes"}).status_code == 403
    assert Post.objects.exists()


def test_support_finds_what_somebody_was_told_and_changes_nothing(admin: Client):
    ana, ben, eve = (User.objects.create(username=name) for name in ("ana", "ben", "ana2"))
    told = Notification.objects.create(recipient=ana, actor=ben, kind="follow")
    Notification.objects.create(recipient=eve, actor=ben, kind="follow")
    page = admin.get("/admin/feeds/notification/", {"q": "ana"})
    assert page.context["cl"].result_count == 1
    address = f"/admin/feeds/notification/{told.pk}/change/"
    assert admin.get(address).status_code == 200
    admin.post(address, {"kind": "like"})
    assert admin.post(f"/admin/feeds/notification/{told.pk}/delete/", {"post": "yes"}).status_code == 403
    assert Notification.objects.get(pk=told.pk).kind == "follow"
