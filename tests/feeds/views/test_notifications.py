"""The page of notifications as a browser with and without scripts sees it, its marks, and the choice of kinds."""

from __future__ import annotations

import re

import pytest
from django.test import Client
from django.urls import reverse

from feeds import notify
from feeds.models import Follow, FollowRequest, Like, Notification
from feeds.notifications import unread_count, unwanted_kinds
from recsys.accounts.models import User
from tests.feeds.test_notify import write
from tests.web.pages import HTMX, assert_safe, queries_for, text_of

pytestmark = pytest.mark.django_db

PAGE_QUERIES = 7  # session, user, groups, people, posts, the badge, and the site's own


@pytest.fixture
def ana() -> User:
    return User.objects.create_user("ana", display_name="Ana")


@pytest.fixture
def ben() -> User:
    return User.objects.create_user("ben", display_name="Ben <b>")


@pytest.fixture
def as_ana(client: Client, ana: User) -> Client:
    client.force_login(ana)
    return client


@pytest.fixture
def post(ana, ben):
    """A post of Ana's that Ben likes."""
    return liked(ana, ben, "Hello")


def liked(author: User, by: User, text: str):
    post = write(author, text)
    Like.objects.create(user=by, post=post)
    notify.notify_of_likes([(by.pk, post.pk)])
    return post


def groups_in(response) -> list[str]:
    return re.findall(r'data-group="([^"]+)"', response.content.decode())


class TestPage:
    def test_says_what_happened(self, as_ana, post):
        response = as_ana.get("/notifications/")
        assert groups_in(response) == [f"like-{post.pk}"]
        assert "Ben <b> liked your post" in text_of(response)
        assert "Hello" in text_of(response)
        assert "Ben &lt;b&gt;" in response.content.decode()
        assert_safe(response)

    def test_an_empty_page_says_what_will_come(self, as_ana):
        response = as_ana.get("/notifications/")
        assert "Nothing yet" in text_of(response)
        assert "Mark all as read" not in text_of(response)
        assert_safe(response)

    def test_looking_changes_nothing(self, as_ana, ana, post):
        """Browsers fetch pages ahead of any click."""
        for headers in ({}, HTMX, {"Sec-Purpose": "prefetch"}):
            as_ana.get("/notifications/", headers=headers)
        assert unread_count(ana) == 1
        for name in ("notifications-seen", "notifications-read", "notification-open"):
            assert as_ana.get(reverse(name)).status_code == 405

    def test_older_ones_come_by_cursor_with_and_without_scripts(self, as_ana, ana, ben):
        keys = [f"like-{liked(ana, ben, f'Post {number}').pk}" for number in range(25)][::-1]
        first = as_ana.get("/notifications/")
        assert groups_in(first) == keys[:20]
        (address,) = re.findall(r'href="(/notifications/\?before=[^"]+)"', first.content.decode())
        whole = as_ana.get(address)
        assert groups_in(whole) == keys[20:]
        assert "Mark all as read" not in text_of(whole)
        part = as_ana.get(address, headers=HTMX)
        assert groups_in(part) == keys[20:]
        assert "<form" not in part.content.decode()
        assert "HX-Request" in part["Vary"]

    def test_htmx_gets_the_list_without_the_page(self, as_ana, post):
        response = as_ana.get("/notifications/", headers=HTMX)
        assert groups_in(response) == [f"like-{post.pk}"]
        assert "<html" not in response.content.decode()
        assert 'id="notifications"' in response.content.decode()

    @pytest.mark.parametrize("before", ["x", "1-", "-5", "9" * 60, "1;drop"])
    def test_a_nonsense_cursor_gives_the_first_page(self, as_ana, post, before):
        assert groups_in(as_ana.get("/notifications/", {"before": before})) == [f"like-{post.pk}"]

    def test_a_page_beyond_the_last_leads_back(self, as_ana, post):
        assert "no older notifications" in text_of(as_ana.get("/notifications/?before=1-1"))

    def test_queries_do_not_grow(self, as_ana, ana, ben, post):
        few = queries_for(as_ana, "/notifications/")
        for number in range(10):
            liked(ana, ben, f"Post {number}")
        many = queries_for(as_ana, "/notifications/")
        assert len(many) <= len(few) <= PAGE_QUERIES, many

    @pytest.mark.parametrize("name", ["notifications", "notifications-unseen", "notification-preferences"])
    def test_a_visitor_is_sent_to_log_in(self, client, name):
        assert client.get(reverse(name)).url.startswith(reverse("account_login"))


class TestPeople:
    @pytest.fixture
    def crowd(self, post) -> list[User]:
        """33 people who like the post, too."""
        crowd = User.objects.bulk_create([User(username=f"fan{number}") for number in range(33)])
        for person in crowd:
            Like.objects.create(user=person, post=post)
            notify.notify_of_likes([(person.pk, post.pk)])
        return crowd

    def address(self, post) -> str:
        return reverse("notification-people", args=[f"like-{post.pk}"])

    def test_the_others_lead_to_all_of_them(self, as_ana, post, crowd):
        page = as_ana.get("/notifications/")
        assert f'<a href="{self.address(post)}">32 others</a>' in page.content.decode()
        assert "fan32, fan31 and 32 others liked your post" in text_of(page)
        assert_safe(page)
        first = as_ana.get(self.address(post))
        assert "fan32, fan31 and 32 others liked your post" in text_of(first)
        assert "Hello" in text_of(first)
        assert 'action="/@fan32/follow/"' in first.content.decode()
        assert_safe(first)
        (address,) = re.findall(r'hx-get="([^"]+before=\d+)"', first.content.decode())
        for headers in ({}, HTMX):
            second = as_ana.get(address, headers=headers)
            seen = re.findall(r"@(fan\d+|ben)", text_of(first) + text_of(second))
            assert seen == [*(f"fan{number}" for number in range(32, -1, -1)), "ben"]
        assert "<html" not in second.content.decode()

    def test_where_all_are_named_nothing_more_is_offered(self, as_ana, post):
        assert self.address(post) not in as_ana.get("/notifications/").content.decode()
        assert "Ben <b>" in text_of(as_ana.get(self.address(post)))

    def test_looking_marks_nothing(self, as_ana, ana, post):
        as_ana.get(self.address(post))
        assert unread_count(ana) == 1

    def test_several_follows_lead_there(self, as_ana, ana, ben):
        for person in (ben, User.objects.create_user("cy")):
            Follow.objects.create(follower=person, followee=ana)
            notify.notify_of_follows([(person.pk, ana.pk)])
        (key,) = groups_in(as_ana.get("/notifications/"))
        page = as_ana.post(reverse("notification-open"), {"group": key}, follow=True)
        assert page.redirect_chain == [(reverse("notification-people", args=[key]), 302)]
        assert "cy and Ben <b> followed you" in text_of(page)
        assert "Follow back" in text_of(page)
        assert 'href="/@ana/followers/"' in page.content.decode()

    def test_who_asks_can_be_answered(self, as_ana, ana, ben):
        User.objects.filter(pk=ana.pk).update(is_private=True)
        FollowRequest.objects.create(requester=ben, target=ana)
        notify.notify_of_requests([(ben.pk, ana.pk)])
        (key,) = groups_in(as_ana.get("/notifications/"))
        address = reverse("notification-people", args=[key])
        assert "Let in" in text_of(as_ana.get(address))
        as_ana.post("/@ben/approve/", {"next": address})
        assert "Let in" not in text_of(as_ana.get(address)), "answered, though its notification is still there"
        notify.notify_of_requests([(ben.pk, ana.pk)])
        assert as_ana.get(address).url == "/notifications/"

    @pytest.mark.parametrize("group", ["spam", "like-x", "like-", "follow-7", "like-" + "9" * 30])
    def test_what_names_no_group_is_not_found(self, as_ana, group):
        assert as_ana.get(reverse("notification-people", args=[group])).status_code == 404

    def test_of_others_are_as_little_there_as_none(self, client, ben, post):
        assert client.get(self.address(post)).url.startswith(reverse("account_login"))
        client.force_login(ben)
        assert client.get(self.address(post)).url == "/notifications/"
        assert client.get(reverse("notification-people", args=["like-1"])).url == "/notifications/"
        assert "@" not in text_of(client.get(self.address(post), headers=HTMX))


class TestBadge:
    def badge(self, client: Client, address: str = "/items/trending/") -> str:
        """In the navigation and, for small screens, in the bar."""
        found = re.findall(r'<span class="badge unseen-badge".*?</span>', client.get(address).content.decode())
        assert len(found) == 2
        assert found[0] == found[1]
        return str(found[0])

    def test_every_page_counts_what_is_unseen(self, as_ana, ana, ben, post):
        assert 'aria-label="1 new">1<' in self.badge(as_ana)
        as_ana.post(reverse("notifications-seen"))
        assert " hidden>" in self.badge(as_ana)

    def test_it_stops_counting(self, as_ana, ana):
        people = User.objects.bulk_create([User(username=f"p{number}") for number in range(101)])
        Follow.objects.bulk_create([Follow(follower=one, followee=ana) for one in people])
        notify.notify_of_follows([(one.pk, ana.pk) for one in people])
        assert 'aria-label="99+ new">99+<' in self.badge(as_ana)

    def test_a_page_that_may_have_missed_an_event_asks(self, as_ana, ben, post):
        response = as_ana.get(reverse("notifications-unseen"))
        assert response.json() == {"unseen": 1}
        assert response["Cache-Control"] == "no-store"

    def test_fragments_do_not_count(self, as_ana, post):
        assert not [sql for sql in queries_for(as_ana, "/timeline/", headers=HTMX) if "seen_at" in sql]

    def test_visitors_have_none(self, client):
        assert "unseen-badge" not in client.get("/").content.decode()


class TestMarks:
    def test_what_came_after_the_page_stays_unseen(self, as_ana, ana, ben, post):
        (up_to,) = set(re.findall(r'name="up_to" value="(\d+)"', as_ana.get("/notifications/").content.decode()))
        liked(ana, ben, "Another")
        assert as_ana.post(reverse("notifications-seen"), {"up_to": up_to}, headers=HTMX).status_code == 204
        assert unread_count(ana) == 1

    @pytest.mark.parametrize("up_to", ["", "x", "-1", "9" * 30])
    def test_nonsense_means_all(self, as_ana, ana, post, up_to):
        assert as_ana.post(reverse("notifications-seen"), {"up_to": up_to}).url == "/notifications/"
        assert unread_count(ana) == 0

    def test_all_are_read(self, as_ana, post):
        assert "unread" in as_ana.get("/notifications/").content.decode()
        assert as_ana.post(reverse("notifications-read")).url == "/notifications/"
        assert not Notification.objects.filter(read_at=None).exists()
        assert "unread" not in as_ana.get("/notifications/").content.decode()

    def test_a_forged_form_is_refused(self, ana, post):
        client = Client(enforce_csrf_checks=True)
        client.force_login(ana)
        for name in ("notifications-seen", "notifications-read", "notification-open", "notification-preferences"):
            assert client.post(reverse(name)).status_code == 403
        assert unread_count(ana) == 1

    def test_a_visitor_marks_nothing(self, client):
        for name in ("notifications-seen", "notifications-read", "notification-open"):
            assert client.post(reverse(name)).url.startswith(reverse("account_login"))


class TestOpen:
    def test_leads_to_the_post_and_reads_its_group_only(self, as_ana, ana, ben, post):
        other = liked(ana, ben, "Another")
        response = as_ana.post(reverse("notification-open"), {"group": f"like-{post.pk}"})
        assert as_ana.get(response.url).status_code == 200
        assert str(post.pk) in response.url
        assert Notification.objects.get(read_at=None).post == other

    def test_leads_to_who_followed(self, as_ana, ana, ben):
        Follow.objects.create(follower=ben, followee=ana)
        notify.notify_of_follows([(ben.pk, ana.pk)])
        (key,) = groups_in(as_ana.get("/notifications/"))
        assert as_ana.post(reverse("notification-open"), {"group": key}).url == ben.get_absolute_url()

    @pytest.mark.parametrize("group", ["", "like-1", "spam", "follow-2026-01-01", "like-\x00"])
    def test_what_has_gone_leads_back_to_the_list(self, as_ana, post, group):
        assert as_ana.post(reverse("notification-open"), {"group": group}).url == "/notifications/"

    def test_anothers_is_not_to_be_opened(self, as_ana, ana, ben):
        theirs = liked(ben, ana, "Theirs")
        assert as_ana.post(reverse("notification-open"), {"group": f"like-{theirs.pk}"}).url == "/notifications/"
        assert Notification.objects.get().read_at is None


class TestPreferences:
    ADDRESS = "/accounts/notifications/"

    def test_all_boxes_are_ticked_at_first(self, as_ana):
        response = as_ana.get(self.ADDRESS)
        boxes = re.findall(r'<input type="checkbox"[^>]*>', response.content.decode())
        assert len(boxes) == 6
        assert all("checked" in box for box in boxes)
        assert_safe(response)

    def test_an_empty_box_is_an_unwanted_kind(self, as_ana, ana, post):
        wanted = {"follow": "on", "reply": "on", "mention": "on"}
        assert as_ana.post(self.ADDRESS, wanted).url == self.ADDRESS
        assert unwanted_kinds(ana) == ["request", "like", "repost"]
        assert "Your choice is saved" in text_of(as_ana.get(self.ADDRESS))
        assert groups_in(as_ana.get("/notifications/")) == []

    def test_all_may_be_empty(self, as_ana, ana):
        as_ana.post(self.ADDRESS, {})
        assert len(unwanted_kinds(ana)) == 6
        assert "checked" not in as_ana.get(self.ADDRESS).content.decode()

    def test_the_settings_lead_there(self, as_ana):
        assert self.ADDRESS in as_ana.get(reverse("profile-edit")).content.decode()
