"""The buttons of the social graph, as a browser with and without scripts presses them."""

from __future__ import annotations

import pytest
from django.test import Client
from django.urls import reverse

from feeds.actions import do_create_post
from feeds.graph import do_block, do_follow, do_mute
from feeds.models import Block, Follow, FollowRequest, Mute
from recsys.accounts.models import User
from tests.web.pages import HTMX, assert_safe, text_of

pytestmark = pytest.mark.django_db
ACTS = ["follow", "unfollow", "mute", "unmute", "remove-follower", "block", "unblock"]
ACTS += ["approve-request", "reject-request"]
ENDS = ["unfollow", "unmute", "remove-follower", "unblock"]
NEWS = {"timeline:reload", "tastes:changed"}


@pytest.fixture
def ana() -> User:
    return User.objects.create_user("ana", display_name="Ana Souza")


@pytest.fixture
def ben() -> User:
    return User.objects.create_user("ben", display_name="Ben")


@pytest.fixture
def as_ana(client: Client, ana: User) -> Client:
    client.force_login(ana)
    return client


@pytest.fixture
def as_ben(ben: User) -> Client:
    client = Client()
    client.force_login(ben)
    return client


def act(client: Client, name: str, person: User, *, htmx: bool = False, **data: str):
    return client.post(reverse(name, args=[person.username]), data, headers=HTMX if htmx else {})


def make_private(person: User) -> None:
    User.objects.filter(pk=person.pk).update(is_private=True)


@pytest.mark.parametrize("name", ACTS)
class TestEveryAct:
    def test_only_by_post_only_signed_in_and_never_towards_oneself_or_nobody(self, as_ana, ana, ben, name):
        address = reverse(name, args=["ben"])
        assert as_ana.get(address).status_code == (200 if name == "block" else 405)
        assert as_ana.post(reverse(name, args=["ana"])).status_code == 403
        assert as_ana.post(reverse(name, args=["nobody"])).status_code == 404
        assert Client().post(address).url.startswith(reverse("account_login"))
        assert Client().post(address, headers=HTMX).status_code == 401
        strict = Client(enforce_csrf_checks=True)
        strict.force_login(ana)
        assert strict.post(address).status_code == 403
        for model in (Follow, FollowRequest, Block, Mute):
            assert not model.objects.exists()

    def test_without_scripts_it_goes_back_to_where_it_was_pressed_and_nowhere_else(self, as_ana, ben, name):
        assert act(as_ana, name, ben, next="/@ben/").url == "/@ben/"
        assert act(as_ana, name, ben, next="https://evil.example/").url == "/"

    def test_a_second_time_is_no_error(self, as_ana, ben, name):
        for _ in range(2):
            assert act(as_ana, name, ben, htmx=True).status_code == 200

    def test_an_account_that_is_not_active_is_found_only_to_end_something(self, as_ana, ben, name):
        User.objects.filter(pk=ben.pk).update(is_active=False)
        assert act(as_ana, name, ben, htmx=True).status_code == (200 if name in ENDS else 404)
        assert act(as_ana, name, ben).status_code == (302 if name in ENDS else 404)


class TestFollow:
    def test_the_button_of_a_list_becomes_the_other_one(self, as_ana, ben):
        response = act(as_ana, "follow", ben, htmx=True)
        assert reverse("unfollow", args=["ben"]) in response.content.decode()
        assert "Following" in text_of(response)
        assert set(response["HX-Trigger"].split(", ")) == NEWS

    def test_a_private_account_is_asked_and_the_request_withdrawn(self, as_ana, ana, ben):
        make_private(ben)
        assert "Ask to follow" in text_of(as_ana.get("/@ben/"))
        response = act(as_ana, "follow", ben, htmx=True, part="profile")
        assert "Requested" in text_of(response)
        assert FollowRequest.objects.filter(requester=ana, target=ben).exists()
        assert not Follow.objects.exists()
        page = text_of(as_ana.get("/@ben/"))
        assert "You asked to follow Ben" in page
        response = act(as_ana, "unfollow", ben, htmx=True, part="profile")
        assert "Ask to follow" in text_of(response)
        assert not FollowRequest.objects.exists()

    def test_leaving_a_private_account_loads_its_page_anew_since_the_posts_go(self, as_ana, ana, ben):
        Follow.objects.create(follower=ana, followee=ben)
        make_private(ben)
        response = act(as_ana, "unfollow", ben, htmx=True, part="profile")
        assert response["HX-Refresh"] == "true"

    def test_what_cannot_be_done_is_said_with_and_without_scripts(self, as_ana, ana, ben):
        do_block(blocker=ben, blocked=ana)
        response = act(as_ana, "follow", ben, htmx=True)
        assert response["HX-Refresh"] == "true"
        assert "You cannot follow this account." in text_of(as_ana.get("/"))
        act(as_ana, "follow", ben)
        assert "You cannot follow this account." in text_of(as_ana.get("/"))
        assert not Follow.objects.exists()


class TestMute:
    def test_is_shown_and_undone_on_the_profile(self, as_ana, ana, ben):
        do_follow(follower=ana, followee=ben)
        response = act(as_ana, "mute", ben, htmx=True, part="profile")
        assert "Muted" in text_of(response)
        assert reverse("unmute", args=["ben"]) in response.content.decode()
        assert set(response["HX-Trigger"].split(", ")) == NEWS
        assert Follow.objects.exists()
        response = act(as_ana, "unmute", ben, htmx=True, part="profile")
        assert "Muted" not in text_of(response)
        assert not Mute.objects.exists()

    def test_keeps_posts_from_the_timeline_not_from_the_profile(self, as_ana, ana, ben):
        do_follow(follower=ana, followee=ben)
        do_create_post(author=ben, text="Good morning")
        assert "Good morning" in text_of(as_ana.get("/timeline/", headers=HTMX))
        act(as_ana, "mute", ben)
        assert "Good morning" not in text_of(as_ana.get("/timeline/", headers=HTMX))
        assert "Good morning" in text_of(as_ana.get("/@ben/"))


class TestBlock:
    def test_asks_first(self, as_ana, ben):
        response = as_ana.get(reverse("block", args=["ben"]))
        assert "Block Ben?" in text_of(response)
        assert_safe(response)
        assert not Block.objects.exists()

    def test_hides_each_from_the_other(self, as_ana, as_ben, ana, ben):
        for author in (ana, ben):
            do_create_post(author=author, text=f"Words of {author.username}")
        do_follow(follower=ben, followee=ana)
        act(as_ana, "block", ben, next="/@ben/")
        page = as_ana.get("/@ben/")
        assert "You have blocked Ben" in text_of(page)
        assert "Words of ben" not in text_of(page)
        assert reverse("unblock", args=["ben"]) in page.content.decode()
        assert_safe(page)
        page = as_ben.get("/@ana/")
        assert "Words of ana" not in text_of(page)
        assert "blocked" not in text_of(page).lower().replace("block", "", 1), "no more than that it cannot be"
        for name in ("follow", "unfollow", "unblock"):
            assert reverse(name, args=["ana"]) not in page.content.decode()

    def test_undoing_it_shows_the_posts_again(self, as_ana, ana, ben):
        do_create_post(author=ben, text="Words of ben")
        do_block(blocker=ana, blocked=ben)
        response = act(as_ana, "unblock", ben, htmx=True, part="profile")
        assert response["HX-Refresh"] == "true"
        assert "Words of ben" in text_of(as_ana.get("/@ben/"))


class TestFollowersOfOnesOwn:
    def test_a_follower_is_removed_from_their_profile(self, as_ana, ana, ben):
        do_follow(follower=ben, followee=ana)
        page = as_ana.get("/@ben/")
        assert "Follows you" in text_of(page)
        assert "Follow back" in text_of(page)
        response = act(as_ana, "remove-follower", ben, htmx=True, part="profile")
        assert "Follows you" not in text_of(response)
        assert not Follow.objects.exists()

    def test_a_follower_is_removed_from_the_list_of_ones_own(self, as_ana, as_ben, ana, ben):
        do_follow(follower=ben, followee=ana)
        page = as_ana.get("/@ana/followers/")
        assert 'action="/@ben/remove/"' in page.content.decode()
        assert 'action="/@ben/follow/"' in page.content.decode()
        assert_safe(page)
        for client, address in (
            (as_ben, "/@ana/followers/"),
            (Client(), "/@ana/followers/"),
            (as_ana, "/@ben/following/"),
        ):
            assert "/remove/" not in client.get(address).content.decode()
        assert act(as_ana, "remove-follower", ben, htmx=True, part="row").content == b"", "the row goes"
        assert "@ben" not in text_of(as_ana.get("/@ana/followers/"))

    def test_nobody_removes_the_followers_of_others(self, as_ana, ana, ben):
        cy = User.objects.create_user("cy")
        do_follow(follower=ben, followee=cy)
        do_follow(follower=ana, followee=ben)
        act(as_ana, "remove-follower", ben)
        assert Follow.objects.count() == 2

    @pytest.mark.parametrize(("name", "followed"), [("approve-request", True), ("reject-request", False)])
    def test_who_asks_is_let_in_or_sent_away(self, as_ana, ana, ben, name, followed):
        make_private(ana)
        do_follow(follower=ben, followee=ana)
        response = act(as_ana, name, ben, htmx=True, part="row")
        assert response.content == b"", "the row goes"
        assert Follow.objects.filter(follower=ben, followee=ana).exists() is followed
        assert not FollowRequest.objects.exists()

    @pytest.mark.parametrize(("name", "followed"), [("approve-request", True), ("reject-request", False)])
    def test_who_asks_is_answered_on_their_profile(self, as_ana, as_ben, ana, ben, name, followed):
        make_private(ana)
        do_follow(follower=ben, followee=ana)
        page = as_ana.get("/@ben/")
        assert "Asks to follow you" in text_of(page)
        assert f'hx-post="{reverse(name, args=["ben"])}"' in page.content.decode()
        assert_safe(page)
        for other in (as_ben.get("/@ana/"), as_ana.get("/@ana/")):
            assert "Asks to follow you" not in text_of(other)
        answer = text_of(act(as_ana, name, ben, htmx=True, part="profile"))
        assert "Asks to follow you" not in answer
        assert ("Follows you" in answer) is followed

    @pytest.mark.parametrize("name", ["approve-request", "reject-request"])
    def test_nobody_answers_for_others(self, as_ana, as_ben, ana, ben, name):
        """Neither who asks, nor who has nothing to do with it."""
        cy = User.objects.create_user("cy", is_private=True)
        do_follow(follower=ben, followee=cy)
        act(as_ben, name, cy)
        act(as_ana, name, ben)
        act(as_ana, name, cy)
        assert FollowRequest.objects.filter(requester=ben, target=cy).exists()
        assert not Follow.objects.exists()


def test_what_ties_one_to_an_account_that_is_not_active_can_be_ended(as_ana, ana, ben):
    Follow.objects.create(follower=ana, followee=ben)
    Follow.objects.create(follower=ben, followee=ana)
    cy = User.objects.create_user("cy", is_private=True)
    do_follow(follower=ana, followee=cy)
    do_mute(muter=ana, muted=ben)
    User.objects.exclude(pk=ana.pk).update(is_active=False)
    for name, person in (("unfollow", ben), ("remove-follower", ben), ("unmute", ben), ("unfollow", cy)):
        assert act(as_ana, name, person, htmx=True, part="row").content == b""
    do_block(blocker=ana, blocked=ben)
    assert "Follow" not in text_of(act(as_ana, "unblock", ben, htmx=True)), "nobody can follow such an account"
    assert not any(model.objects.exists() for model in (Follow, FollowRequest, Mute, Block))


def test_the_mute_of_others_is_not_to_be_seen(as_ana, as_ben, ana, ben):
    do_mute(muter=ana, muted=ben)
    assert "Muted" not in text_of(as_ben.get("/@ana/"))


def test_nobody_presses_faster_than_a_person_can(as_ana, ben, monkeypatch):
    monkeypatch.setattr("recsys.events.limits.EVENTS_A_MINUTE", 2)
    assert [act(as_ana, "follow", ben).status_code for _ in range(3)] == [302, 302, 429]
    refused = act(as_ana, "block", ben, htmx=True)
    assert refused.status_code == 429
    assert 0 < int(refused["Retry-After"]) <= 60
    assert not Block.objects.exists()
