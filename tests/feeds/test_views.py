"""Home, timeline, composing, deleting, profiles, following: as a browser with and without scripts sees them."""

from __future__ import annotations

import re

import pytest
from django.contrib.auth.models import Permission
from django.test import Client
from django.urls import reverse

from feeds.actions import do_create_post
from feeds.graph import do_follow
from feeds.models import Follow, Post
from recsys.accounts.models import User
from tests.web.pages import HTMX, assert_safe, queries_for, text_of

pytestmark = pytest.mark.django_db

HOME_QUERIES, PROFILE_QUERIES, TIMELINE_QUERIES = 28, 20, 7


@pytest.fixture
def ana() -> User:
    return User.objects.create_user("ana", password="pw", display_name="Ana Souza", region="GB")


@pytest.fixture
def ben() -> User:
    return User.objects.create_user("ben", password="pw", display_name="Ben")


@pytest.fixture
def as_ana(client: Client, ana: User) -> Client:
    client.force_login(ana)
    return client


def posts_in(response) -> list[int]:
    return [int(pk) for pk in re.findall(r'data-post="(\d+)"', response.content.decode())]


class TestHome:
    def test_a_visitor_is_invited(self, client, ben):
        response = client.get("/")
        assert response.status_code == 200
        assert reverse("account_signup") in response.content.decode()
        assert "composer" not in response.content.decode()
        assert_safe(response)

    def test_a_reader_sees_posts_of_those_they_follow_and_their_own(self, as_ana, ana, ben):
        stranger = do_create_post(author=User.objects.create_user("zoe"), text="unseen")
        do_follow(follower=ana, followee=ben)
        theirs = do_create_post(author=ben, text="Hello from Ben")
        mine = do_create_post(author=ana, text="Hello from me")
        response = as_ana.get("/")
        assert posts_in(response) == [mine.pk, theirs.pk]
        assert stranger.pk not in posts_in(response)
        assert re.search(r'id="timeline" data-position="[^"]+" data-first-page="true"', response.content.decode())
        assert_safe(response)

    def test_ones_own_post_is_there_before_it_was_fanned_out(self, as_ana, ana):
        older = do_create_post(author=ana, text="One")
        assert posts_in(as_ana.get("/")) == [older.pk]  # the timeline is warm from here on
        newer = do_create_post(author=ana, text="Two")
        assert posts_in(as_ana.get("/")) == [newer.pk, older.pk]

    def test_an_empty_timeline_says_what_to_do_and_suggests_people(self, as_ana, ben):
        do_create_post(author=ben, text="Hello")
        page = text_of(as_ana.get("/"))
        assert "Your timeline is quiet" in page
        assert "Ben" in page

    def test_older_posts_come_by_keyset_with_and_without_scripts(self, as_ana, ana):
        posts = [do_create_post(author=ana, text=f"Post {number}").pk for number in range(25)][::-1]
        first = as_ana.get("/")
        assert posts_in(first) == posts[:20]
        (address,) = re.findall(r'href="(/\?before=\d+)"', first.content.decode())
        whole = as_ana.get(address)
        assert posts_in(whole) == posts[20:]
        assert 'data-first-page="false"' in whole.content.decode()
        part = as_ana.get(address.replace("/?", "/timeline/?"), headers=HTMX)
        assert posts_in(part) == posts[20:]
        assert "<html" not in part.content.decode()

    @pytest.mark.parametrize("before", ["x", "-1", "0", "9" * 40, "1;drop", "²"])
    def test_a_nonsense_cursor_gives_the_first_page(self, as_ana, ana, before):
        post = do_create_post(author=ana, text="Hello")
        assert posts_in(as_ana.get("/", {"before": before})) == [post.pk]

    def test_queries_do_not_grow_with_the_posts(self, as_ana, ana, ben):
        do_follow(follower=ana, followee=ben)
        do_create_post(author=ben, text="one")
        as_ana.get("/")  # warms the timeline
        few = queries_for(as_ana, "/")
        for number in range(15):
            do_create_post(author=ben, text=f"Post {number}")
        as_ana.get("/")
        many = queries_for(as_ana, "/")
        assert len(many) <= len(few) <= HOME_QUERIES, many


class TestTimeline:
    def test_a_plain_browser_is_sent_to_the_page(self, as_ana):
        assert as_ana.get("/timeline/").url == "/"

    def test_htmx_gets_the_timeline_alone_with_a_new_position(self, as_ana, ana):
        post = do_create_post(author=ana, text="Hello")
        response = as_ana.get("/timeline/", headers=HTMX)
        assert posts_in(response) == [post.pk]
        assert 'data-position="' in response.content.decode()
        assert "HX-Request" in response["Vary"]

    def test_queries_are_few(self, as_ana, ana):
        do_create_post(author=ana, text="Hello")
        as_ana.get("/timeline/", headers=HTMX)
        queries = queries_for(as_ana, "/timeline/", headers=HTMX)
        assert len(queries) <= TIMELINE_QUERIES, queries

    def test_a_visitor_with_an_old_page_is_sent_to_log_in(self, client):
        response = client.get("/timeline/", headers=HTMX)
        assert response.status_code == 401
        assert response["HX-Redirect"].startswith(reverse("account_login"))


class TestCompose:
    def test_without_scripts_it_posts_and_goes_home(self, as_ana, ana):
        response = as_ana.post("/posts/", {"text": "  Hello\r\nworld  "})
        assert response.url == "/"
        assert Post.objects.get().text == "Hello\nworld"

    def test_htmx_gets_the_post_and_an_empty_composer(self, as_ana):
        response = as_ana.post("/posts/", {"text": "Hello"}, headers=HTMX)
        assert posts_in(response) == [Post.objects.get().pk]
        assert 'hx-swap-oob="true"' in response.content.decode()
        assert "Ana Souza" in text_of(response)

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("", "Write something first"),
            (" \n ", "Write something first"),
            ("x" * 2001, "at most 2000 characters; this one has 2001"),
            ("a\x00b", "Null characters are not allowed"),
            ("\u202e\u200b", "must not be empty"),
            ("a\x07b", "control character U+0007"),
        ],
    )
    @pytest.mark.parametrize("headers", [{}, HTMX])
    def test_bad_text_is_explained_and_kept(self, as_ana, text, message, headers):
        response = as_ana.post("/posts/", {"text": text}, headers=headers)
        assert response.status_code == 422
        assert message in text_of(response)
        assert text.strip().replace("\x00", "") in response.content.decode().replace("\x00", "")
        assert not Post.objects.exists()

    def test_the_limit_counts_characters_not_line_ends(self, as_ana):
        assert as_ana.post("/posts/", {"text": "x\r\n" * 999 + "xx"}).status_code == 302

    def test_a_visitor_must_log_in(self, client):
        assert client.post("/posts/", {"text": "x"}).url.startswith(reverse("account_login"))
        assert not Post.objects.exists()

    def test_a_form_without_its_token_is_refused_in_plain_words(self, ana):
        client = Client(enforce_csrf_checks=True)
        client.force_login(ana)
        response = client.post("/posts/", {"text": "x"})
        assert response.status_code == 403
        assert "too old" in text_of(response)
        assert not Post.objects.exists()


class TestDelete:
    def test_the_author_is_asked_and_then_may(self, as_ana, ana):
        post = do_create_post(author=ana, text="Oops")
        address = reverse("delete-post", args=[post.pk])
        assert "Delete this post?" in text_of(as_ana.get(address))
        assert Post.objects.exists()
        assert as_ana.post(address).url == "/"
        assert not Post.objects.exists()

    def test_htmx_gets_nothing_to_show_or_is_led_away(self, as_ana, ana):
        for data, target in (({}, None), ({"next": "/"}, "/"), ({"next": "https://evil.example/"}, "/")):
            post = do_create_post(author=ana, text="Oops")
            response = as_ana.post(reverse("delete-post", args=[post.pk]), data, headers=HTMX)
            assert (response.status_code, response.content, response.get("HX-Redirect")) == (200, b"", target)

    def test_nobody_else_may(self, as_ana, ben, client):
        post = do_create_post(author=ben, text="Mine")
        address = reverse("delete-post", args=[post.pk])
        assert as_ana.get(address).status_code == 403
        assert as_ana.post(address).status_code == 403
        assert Post.objects.exists()

    @pytest.mark.parametrize("method", ["get", "post"])
    def test_that_there_is_one_is_not_told_who_may_not_see_it(self, as_ana, ben, method):
        post = do_create_post(author=ben, text="Mine", visibility="private")
        assert getattr(as_ana, method)(reverse("delete-post", args=[post.pk])).status_code == 404
        assert Post.objects.exists()

    def test_staff_may_with_the_right_to(self, client, ben):
        clerk = User.objects.create_user("clerk", is_staff=True)
        client.force_login(clerk)
        post = do_create_post(author=ben, text="Spam")
        assert "Delete this post" not in text_of(client.get(ben.get_absolute_url()))
        assert client.post(reverse("delete-post", args=[post.pk])).status_code == 403
        clerk.user_permissions.add(Permission.objects.get(codename="delete_post"))
        assert "Delete this post" in text_of(client.get(ben.get_absolute_url()))
        assert client.post(reverse("delete-post", args=[post.pk])).status_code == 302
        assert not Post.objects.exists()

    def test_superusers_may(self, client, ben):
        client.force_login(User.objects.create_superuser("boss"))
        post = do_create_post(author=ben, text="Spam")
        assert "Delete this post" in text_of(client.get(ben.get_absolute_url()))
        client.post(reverse("delete-post", args=[post.pk]))
        assert not Post.objects.exists()

    @pytest.mark.parametrize("pk", ["1", "99999999999999999999999"])
    def test_a_post_that_is_gone_is_not_found(self, as_ana, pk):
        assert as_ana.post(f"/posts/{pk}/delete/").status_code == 404


class TestProfile:
    def test_shows_the_person_their_posts_and_counts(self, as_ana, ana, ben):
        post = do_create_post(author=ben, text="Hello")
        do_follow(follower=ana, followee=ben)
        response = as_ana.get("/@ben/")
        assert posts_in(response) == [post.pk]
        assert "1 follower " in text_of(response)
        assert reverse("unfollow", args=["ben"]) in response.content.decode()
        assert_safe(response)

    def test_ones_own_leads_to_the_settings(self, as_ana):
        response = as_ana.get("/@ana/")
        assert reverse("profile-edit") in response.content.decode()
        assert reverse("follow", args=["ana"]) not in response.content.decode()

    def test_a_visitor_may_look(self, client, ben):
        assert client.get("/@ben/").status_code == 200

    def test_a_partners_users_with_derived_names_have_addresses(self, client):
        user = User.objects.create_user("a.b-c_1")
        assert client.get(user.get_absolute_url()).status_code == 200

    @pytest.mark.parametrize("path", ["/@nobody/", "/@gone/", "/@%00/", "/@" + "x" * 500 + "/", "/@%F0%9F%98%80/"])
    def test_nobody_is_not_found(self, client, path):
        User.objects.create_user("gone", is_active=False)
        assert client.get(path).status_code == 404

    def test_more_posts_come_by_keyset(self, client, ben):
        posts = [do_create_post(author=ben, text=f"Post {number}").pk for number in range(25)][::-1]
        first = client.get("/@ben/")
        (address,) = re.findall(r'hx-get="(/@ben/\?before=\d+)"', first.content.decode())
        assert posts_in(client.get(address, headers=HTMX)) == posts[20:]

    def test_queries_do_not_grow_with_the_posts(self, as_ana, ben):
        do_create_post(author=ben, text="one")
        few = queries_for(as_ana, "/@ben/")
        for number in range(15):
            do_create_post(author=ben, text=f"Post {number}")
        many = queries_for(as_ana, "/@ben/")
        assert len(many) <= len(few) <= PROFILE_QUERIES, many


class TestFollow:
    def test_follows_and_unfollows_without_scripts(self, as_ana, ana, ben):
        response = as_ana.post("/@ben/follow/", {"next": "/@ben/"})
        assert response.url == "/@ben/"
        assert Follow.objects.filter(follower=ana, followee=ben).exists()
        assert as_ana.post("/@ben/unfollow/").url == "/"
        assert not Follow.objects.exists()

    def test_twice_is_once(self, as_ana, ben):
        for _ in range(2):
            assert as_ana.post("/@ben/follow/", headers=HTMX).status_code == 200
        assert Follow.objects.count() == 1
        for _ in range(2):
            assert as_ana.post("/@ben/unfollow/", headers=HTMX).status_code == 200

    def test_htmx_gets_the_other_button_the_counts_and_the_news(self, as_ana, ben):
        response = as_ana.post("/@ben/follow/", headers=HTMX)
        assert reverse("unfollow", args=["ben"]) in response.content.decode()
        assert "1 follower " in text_of(response)
        assert set(response["HX-Trigger"].split(", ")) == {"timeline:reload", "tastes:changed"}

    def test_nobody_follows_themselves_or_nobody(self, as_ana):
        assert as_ana.post("/@ana/follow/").status_code == 403
        assert as_ana.post("/@nobody/follow/").status_code == 404

    def test_only_by_post_and_only_signed_in(self, as_ana, ben):
        assert as_ana.get("/@ben/follow/").status_code == 405
        as_ana.logout()
        assert as_ana.post("/@ben/follow/").url.startswith(reverse("account_login"))
        assert not Follow.objects.exists()

    def test_never_leads_to_another_site(self, as_ana, ben):
        for address in ("https://evil.example/", "//evil.example/", "javascript:alert(1)"):
            assert as_ana.post("/@ben/follow/", {"next": address}).url == "/"
