"""Requests to follow, and the settings of privacy."""

from __future__ import annotations

import re

import pytest
from django.test import Client
from django.urls import reverse

from feeds.graph import do_block, do_follow, do_mute
from feeds.models import Follow, FollowRequest
from recsys.accounts.models import User
from tests.feeds.graph import make_people
from tests.web.pages import HTMX, assert_safe, queries_for, text_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def ana() -> User:
    return User.objects.create_user("ana", is_private=True)


@pytest.fixture
def as_ana(client: Client, ana: User) -> Client:
    client.force_login(ana)
    return client


@pytest.mark.parametrize("name", ["follow-requests", "sent-requests", "privacy", "blocked", "muted"])
def test_only_for_who_is_signed_in(client, name):
    assert client.get(reverse(name)).url.startswith(reverse("account_login"))
    assert client.post(reverse(name)).status_code in (302, 405)


class TestRequests:
    def test_are_listed_and_counted_in_the_navigation(self, as_ana, ana):
        for person in make_people(2, "fan"):
            do_follow(follower=person, followee=ana)
        page = as_ana.get("/follow-requests/")
        assert re.findall(r"@(fan\d)", text_of(page)) == ["fan1", "fan0"]
        assert reverse("approve-request", args=["fan1"]) in page.content.decode()
        assert re.search(r"Requests 2 waiting", text_of(page))
        assert_safe(page)

    def test_of_others_are_nobodys_business(self, as_ana, ana):
        other = User.objects.create_user("other", is_private=True)
        do_follow(follower=make_people(1, "fan")[0], followee=other)
        page = text_of(as_ana.get("/follow-requests/"))
        assert "@fan0" not in page
        assert "Nobody waits for your answer" in page
        assert "waiting" not in page

    def test_further_ones_come_by_keyset(self, as_ana, ana):
        for person in make_people(33, "fan"):
            do_follow(follower=person, followee=ana)
        first = as_ana.get("/follow-requests/")
        (address,) = re.findall(r'hx-get="([^"]+before=\d+)"', first.content.decode())
        second = as_ana.get(address, headers=HTMX)
        assert re.findall(r"@(fan\d+)", text_of(second)) == ["fan2", "fan1", "fan0"]
        assert "<html" not in second.content.decode()

    def test_queries_do_not_grow_with_them(self, as_ana, ana):
        counts = []
        for person in make_people(8, "fan"):
            do_follow(follower=person, followee=ana)
            counts.append(len(queries_for(as_ana, "/follow-requests/")))
        assert len(set(counts)) == 1, counts

    def test_a_public_account_has_none_and_pays_for_no_badge(self, as_ana, ana):
        User.objects.update(is_private=False)
        assert "anybody can follow you without asking" in text_of(as_ana.get("/follow-requests/"))
        assert not [sql for sql in queries_for(as_ana, "/accounts/privacy/") if "feeds_followrequest" in sql]


class TestSentRequests:
    @pytest.fixture
    def cy(self, ana) -> User:
        """A private account that Ana has asked to follow."""
        cy = User.objects.create_user("cy", is_private=True)
        do_follow(follower=ana, followee=cy)
        return cy

    def test_are_listed_and_withdrawn_with_and_without_scripts(self, as_ana, ana, cy):
        page = as_ana.get("/follow-requests/sent/")
        assert "@cy" in text_of(page)
        assert "Withdraw" in text_of(page)
        assert_safe(page)
        assert as_ana.post("/@cy/unfollow/", {"next": "/follow-requests/sent/"}).url == "/follow-requests/sent/"
        assert "You are not waiting for anybody’s answer" in text_of(as_ana.get("/follow-requests/sent/"))
        do_follow(follower=ana, followee=cy)
        assert as_ana.post("/@cy/unfollow/", {"part": "row"}, headers=HTMX).content == b""
        assert not FollowRequest.objects.exists()

    def test_to_an_account_that_was_suspended_meanwhile_are_withdrawn_too(self, as_ana, cy):
        User.objects.filter(pk=cy.pk).update(is_active=False)
        assert "This account is not active" in text_of(as_ana.get("/follow-requests/sent/"))
        as_ana.post("/@cy/unfollow/")
        assert not FollowRequest.objects.exists()

    def test_are_nobodys_business_but_the_senders(self, client, cy):
        client.force_login(cy)
        page = text_of(client.get("/follow-requests/sent/"))
        assert "@ana" not in page
        assert "You are not waiting for anybody’s answer" in page

    def test_further_ones_come_by_keyset(self, as_ana, ana):
        for person in make_people(33, "star"):
            FollowRequest.objects.create(requester=ana, target=person)
        first = as_ana.get("/follow-requests/sent/")
        (address,) = re.findall(r'hx-get="([^"]+before=\d+)"', first.content.decode())
        second = as_ana.get(address, headers=HTMX)
        assert re.findall(r"@(star\d+)", text_of(second)) == ["star2", "star1", "star0"]
        assert "<html" not in second.content.decode()

    @pytest.mark.parametrize("private", [True, False])
    def test_settings_and_the_other_requests_lead_there(self, as_ana, ana, private):
        User.objects.filter(pk=ana.pk).update(is_private=private)
        for address in ("/accounts/privacy/", "/follow-requests/"):
            assert 'href="/follow-requests/sent/"' in as_ana.get(address).content.decode()


class TestPrivacy:
    def test_an_account_is_made_private_and_public_again(self, as_ana, ana):
        do_follow(follower=make_people(1)[0], followee=ana)
        assert "checked" in as_ana.get("/accounts/privacy/").content.decode()
        response = as_ana.post("/accounts/privacy/", {}, follow=True)
        assert "Your account is public now" in text_of(response)
        ana.refresh_from_db()
        assert not ana.is_private
        assert Follow.objects.exists()
        assert not FollowRequest.objects.exists()
        response = as_ana.post("/accounts/privacy/", {"is_private": "on"}, follow=True)
        assert "Your account is private now" in text_of(response)
        ana.refresh_from_db()
        assert ana.is_private

    def test_others_are_shown_when_one_is_online_until_one_hides_it(self, as_ana, ana):
        page = as_ana.get("/accounts/privacy/")
        assert "Your followers see when you are online" in text_of(page)
        assert re.search(r'name="shows_presence"[^>]* checked', page.content.decode())
        response = as_ana.post("/accounts/privacy/", {"is_private": "on"}, follow=True)
        assert "Nobody sees when you are online." in text_of(response)
        assert "account is" not in text_of(response).partition("Nobody sees")[0], "the other choice stayed"
        ana.refresh_from_db()
        assert (ana.is_private, ana.shows_presence) == (True, False)
        assert not re.search(r'name="shows_presence"[^>]* checked', response.content.decode())
        response = as_ana.post("/accounts/privacy/", {"is_private": "on", "shows_presence": "on"}, follow=True)
        assert "Your followers see when you are online." in text_of(response)
        ana.refresh_from_db()
        assert ana.shows_presence

    def test_saving_it_unchanged_says_so(self, as_ana):
        response = as_ana.post("/accounts/privacy/", {"is_private": "on", "shows_presence": "on"}, follow=True)
        assert "Your settings are saved." in text_of(response)

    def test_the_page_is_safe_and_among_the_settings(self, as_ana):
        page = as_ana.get("/accounts/privacy/")
        assert_safe(page)
        assert 'aria-current="page">Privacy' in page.content.decode()
        assert reverse("privacy") in as_ana.get("/accounts/profile/").content.decode()


class TestHidden:
    @pytest.mark.parametrize(("name", "undo"), [("blocked", "unblock"), ("muted", "unmute")])
    def test_are_listed_with_the_way_back(self, as_ana, ana, name, undo):
        ben, cy = make_people(2)
        do_block(blocker=ana, blocked=ben)
        do_mute(muter=ana, muted=cy)
        shown, other = (ben, cy) if name == "blocked" else (cy, ben)
        page = as_ana.get(reverse(name))
        assert f"@{shown.username}" in text_of(page)
        assert f"@{other.username}" not in text_of(page)
        assert_safe(page)
        as_ana.post(reverse(undo, args=[shown.username]), {"next": reverse(name)})
        assert re.search(r"You have (blocked|muted) nobody", text_of(as_ana.get(reverse(name))))

    @pytest.mark.parametrize(("name", "undo"), [("blocked", "unblock"), ("muted", "unmute")])
    def test_an_account_that_was_suspended_meanwhile_is_marked_and_let_go(self, as_ana, ana, name, undo):
        (ben,) = make_people(1)
        do_block(blocker=ana, blocked=ben)
        do_mute(muter=ana, muted=ben)
        User.objects.filter(pk=ben.pk).update(is_active=False)
        page = as_ana.get(reverse(name))
        assert "This account is not active" in text_of(page)
        assert ben.get_absolute_url() + '"' not in page.content.decode(), "there is no such page"
        assert as_ana.post(reverse(undo, args=["p0"]), {"next": reverse(name)}).url == reverse(name)
        assert "@p0" not in text_of(as_ana.get(reverse(name)))

    def test_who_blocks_the_reader_is_not_told(self, as_ana, ana):
        (ben,) = make_people(1)
        do_block(blocker=ben, blocked=ana)
        assert "@p0" not in text_of(as_ana.get(reverse("blocked")))
