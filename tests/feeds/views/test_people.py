"""Profiles and lists of people, for whom they are open and for whom not."""

from __future__ import annotations

import re

import pytest
from django.test import Client

from feeds.actions import do_create_post
from feeds.graph import do_block
from feeds.models import Follow
from realtime.keys import ONLINE
from realtime.valkey import get_client
from recsys.accounts.actions import do_show_presence
from recsys.accounts.models import User
from tests.feeds.graph import let_be_online, let_follow, make_people
from tests.web.pages import HTMX, assert_safe, queries_for, text_of

pytestmark = pytest.mark.django_db
PEOPLE_QUERIES = 8


@pytest.fixture
def ana() -> User:
    return User.objects.create_user("ana")


@pytest.fixture
def cy() -> User:
    """A private account that Ben follows, and that follows Dee."""
    cy = User.objects.create_user("cy", display_name="Cy", is_private=True)
    ben, dee = User.objects.create_user("ben"), User.objects.create_user("dee", display_name="Dee")
    let_follow([ben], [cy])
    let_follow([cy], [dee])
    do_create_post(author=cy, text="For friends")
    return cy


def client_of(person: User | None) -> Client:
    client = Client()
    if person:
        client.force_login(person)
    return client


class TestPrivateAccounts:
    def test_show_a_stranger_the_name_and_the_counts_and_nothing_else(self, ana, cy):
        for reader in (ana, None):
            page = client_of(reader).get("/@cy/")
            assert "This account is private" in text_of(page)
            assert "1 follower " in text_of(page)
            assert "1 following" in text_of(page)
            assert "For friends" not in text_of(page)
            assert 'href="/@cy/followers/"' not in page.content.decode()
            assert_safe(page)

    def test_give_a_stranger_no_posts_by_the_back_door(self, ana, cy):
        for address in ("/@cy/", "/@cy/?replies=1", "/@cy/?before=9999999"):
            assert "For friends" not in text_of(client_of(ana).get(address, headers=HTMX))

    @pytest.mark.parametrize("which", ["followers", "following"])
    def test_hide_their_people_from_strangers(self, ana, cy, which):
        for reader in (ana, None):
            for headers in ({}, HTMX):
                page = client_of(reader).get(f"/@cy/{which}/", headers=headers)
                assert page.status_code == 200
                assert "Dee" not in text_of(page)
                assert "@ben" not in text_of(page)
            assert "This account is private" in text_of(client_of(reader).get(f"/@cy/{which}/"))

    def test_are_open_to_followers_and_to_themselves(self, cy):
        for reader in (User.objects.get(username="ben"), cy):
            assert "For friends" in text_of(client_of(reader).get("/@cy/"))
            assert "Dee" in text_of(client_of(reader).get("/@cy/following/"))
            assert "@ben" in text_of(client_of(reader).get("/@cy/followers/"))


class TestListsOfPeople:
    @pytest.fixture
    def star(self) -> User:
        star = User.objects.create_user("star", display_name="Star")
        let_follow(make_people(35, "fan"), [star])
        return star

    @pytest.mark.parametrize("which", ["followers", "following"])
    def test_all_come_by_keyset_with_and_without_scripts(self, client, star, which):
        if which == "following":
            Follow.objects.all().delete()
            let_follow([star], User.objects.filter(username__startswith="fan").order_by("pk"))
        first = client.get(f"/@star/{which}/")
        (address,) = re.findall(r'hx-get="([^"]+before=\d+)"', first.content.decode())
        assert_safe(first)
        for headers in ({}, HTMX):
            second = client.get(address, headers=headers)
            seen = re.findall(r"@(fan\d+)", text_of(first) + text_of(second))
            assert seen == [f"fan{number}" for number in range(34, -1, -1)]
        assert "<html" not in second.content.decode()

    def test_queries_do_not_grow_with_the_people(self, ana, star):
        client = client_of(ana)
        many = queries_for(client, "/@star/followers/")
        Follow.objects.exclude(follower__username="fan1").delete()
        few = queries_for(client, "/@star/followers/")
        assert len(many) <= len(few) <= PEOPLE_QUERIES, many

    def test_a_suspended_account_can_be_let_go_by_whom_it_concerns(self, ana):
        ben = User.objects.create_user("ben", is_active=False)
        let_follow([ana], [ben])
        page = client_of(ana).get("/@ana/following/")
        assert "This account is not active" in text_of(page)
        assert 'action="/@ben/unfollow/"' in page.content.decode()
        assert "@ben" not in text_of(client_of(None).get("/@ana/following/"))
        Follow.objects.all().delete()
        let_follow([ben], [ana])
        page = client_of(ana).get("/@ana/followers/")
        assert "This account is not active" in text_of(page)
        assert 'action="/@ben/follow/"' not in page.content.decode(), "nobody can follow it"

    def test_say_so_where_there_is_nobody(self, client, ana):
        assert "Nobody follows ana yet" in text_of(client.get("/@ana/followers/"))
        assert "does not follow anybody yet" in text_of(client.get("/@ana/following/"))
        assert "There is nobody further" in text_of(client.get("/@ana/following/?before=1"))

    def test_a_block_closes_them(self, ana, star):
        do_block(blocker=star, blocked=ana)
        page = text_of(client_of(ana).get("/@star/followers/"))
        assert "You cannot see the people of this account" in page
        assert "@fan" not in page

    @pytest.mark.parametrize("path", ["/@nobody/followers/", "/@gone/following/", "/@%00/followers/"])
    def test_of_nobody_are_not_found(self, client, path):
        User.objects.create_user("gone", is_active=False)
        assert client.get(path).status_code == 404

    def test_only_by_get(self, client, ana):
        assert client.post("/@ana/followers/").status_code == 405


class TestPresence:
    @pytest.fixture
    def ben(self, ana) -> User:
        """Whom Ana follows, and who is online."""
        ben = User.objects.create_user("ben")
        let_follow([ana], [ben])
        let_be_online(ben)
        return ben

    @staticmethod
    def dot(response) -> str | None:
        """How the page shows it: "" for online, "hidden" for offline, None for nothing at all."""
        found = re.search(r'class="online-dot" data-presence="\d+"( hidden)?>', response.content.decode())
        return (found[1] or "").strip() if found else None

    @pytest.mark.parametrize("address", ["/@ben/", "/@ben/presence/"])
    def test_a_dot_says_to_followers_that_somebody_is_online(self, ana, ben, address):
        page = client_of(ana).get(address)
        assert self.dot(page) == ""
        assert "Online now" in text_of(page)
        assert_safe(page)
        get_client().delete(ONLINE.key())
        assert self.dot(client_of(ana).get(address)) == "hidden"

    @pytest.mark.parametrize("address", ["/@ben/", "/@ben/presence/"])
    def test_who_hides_it_looks_like_somebody_who_is_not_there(self, ana, ben, address):
        do_show_presence(user=ben, shows_presence=False)
        assert self.dot(client_of(ana).get(address)) == "hidden"

    @pytest.mark.parametrize("address", ["/@ben/", "/@ben/presence/"])
    def test_nobody_else_sees_it(self, ana, cy, address):
        ben = User.objects.get(username="ben")
        let_be_online(ben, cy)
        for reader in (ana, ben, cy):
            assert self.dot(client_of(reader).get(address)) is None

    def test_visitors_do_not(self, client, ben):
        assert self.dot(client.get("/@ben/")) is None
        assert client.get("/@ben/presence/").url.startswith("/accounts/login/")
