"""The form of the fan-out policy: what it shows, refuses, saves and remembers."""

from __future__ import annotations

import pytest
from django.contrib.admin.models import LogEntry
from django.test import Client
from django.urls import reverse

from feeds.actions import do_create_post
from feeds.models import AuthorStats, FanoutPolicy, Post
from recsys.accounts.models import User
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
    save_policy(admin, 500, 400)
    assert "boss: Saved without a change.<br>" in admin.get(POLICY).content.decode()


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


@pytest.fixture
def ana(db: None) -> User:
    """Ana, with 50 followers and a post."""
    ana = User.objects.create(username="ana")
    AuthorStats.objects.create(author=ana, follower_count=50)
    do_create_post(author=ana, text="Hello")
    return ana


def press_preview(client: Client, upper: object, lower: object):
    return client.post(POLICY, {"celebrity_threshold": upper, "lower_bound": lower, "_preview": "Preview"})


def test_the_page_tells_what_the_saved_bounds_mean(admin: Client, ana: User):
    save_policy(admin, 50, 40)
    page = admin.get(POLICY)
    assert page.context["preview"].now.pulled_authors == 1
    assert "What the saved bounds mean" in page.content.decode()
    assert "nothing has been saved" not in page.content.decode()


def test_a_preview_tells_who_moves_and_saves_nothing(admin: Client, ana: User, drain_outbox):
    page = press_preview(admin, 50, 40)
    text = page.content.decode()
    assert page.status_code == 200
    assert page.context["preview"].to_pull.authors == 1
    assert "A preview: nothing has been saved" in text
    assert "10,000 / 8,000 still hold" in text
    assert 'value="50"' in text, "the form keeps what was entered"
    assert "pull from 10,000 followers" in text, "the title names what is saved"
    assert reverse("admin:feeds_authorstats_change", args=[ana.pk]) in text
    assert FanoutPolicy.objects.get().celebrity_threshold == 10_000
    assert not LogEntry.objects.exists()
    drain_outbox()
    assert Post.objects.get().mode == "push"


@pytest.mark.parametrize(
    ("upper", "lower", "message"),
    [
        (100, 101, "The lower bound cannot be above the threshold (100)."),
        (-1, 0, "greater than or equal to 0"),
        ("many", 0, "Enter a whole number."),
        ("", "", "This field is required."),
        (2**31, 0, "less than or equal to 2147483647"),
    ],
)
def test_a_preview_of_nonsense_says_what_is_wrong(admin: Client, upper, lower, message):
    page = press_preview(admin, upper, lower)
    assert page.status_code == 200
    assert message in page.content.decode()
    assert page.context["previewed"] is None
    assert FanoutPolicy.objects.get().celebrity_threshold == 10_000


@pytest.mark.parametrize("button", ["_preview", "_save"])
def test_who_may_only_look_neither_previews_nor_saves(clerk_client: Client, clerk: User, button: str):
    values = {"celebrity_threshold": 5, "lower_bound": 5, button: "pressed"}
    assert clerk_client.post(POLICY, values).status_code == 403
    allow(clerk, "feeds.view_fanoutpolicy")
    assert clerk_client.post(POLICY, values).status_code == 403
    page = clerk_client.get(POLICY).content.decode()
    assert "What the saved bounds mean" in page
    assert "_preview" not in page
    assert FanoutPolicy.objects.get().celebrity_threshold == 10_000


def test_who_may_change_previews_and_saves(clerk_client: Client, clerk: User):
    allow(clerk, "feeds.change_fanoutpolicy")
    assert "_preview" in clerk_client.get(POLICY).content.decode()
    sly = AuthorStats.objects.create(author=User.objects.create(username="sly"), follower_count=5)
    page = press_preview(clerk_client, 5, 5).content.decode()
    assert "sly" in page
    assert f"authorstats/{sly.pk}/" not in page, "a link that would be refused"
    assert save_policy(clerk_client, 5, 5).status_code == 302
    assert FanoutPolicy.objects.get().celebrity_threshold == 5


def test_names_are_shown_as_text(admin: Client):
    sly = User.objects.create(username="<b>sly</b>")
    AuthorStats.objects.create(author=sly, follower_count=50)
    page = press_preview(admin, 50, 40).content.decode()
    assert "&lt;b&gt;sly&lt;/b&gt;" in page
    assert "<b>sly" not in page


def test_a_preview_takes_as_many_queries_for_many_as_for_one(admin: Client, django_assert_max_num_queries):
    authors = User.objects.bulk_create(User(username=f"author{n}") for n in range(30))
    AuthorStats.objects.bulk_create(AuthorStats(author=one, follower_count=100 + n) for n, one in enumerate(authors))
    with django_assert_max_num_queries(15):
        page = press_preview(admin, 50, 40).content.decode()
    assert "the 20 most followed of them" in page
    assert "author29" in page
    assert "author9<" not in page
