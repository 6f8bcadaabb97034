"""A post's page, its buttons and its form, as a browser with and without scripts has them."""

from __future__ import annotations

import re
import time
import uuid

import pytest
from django.test import Client
from django.urls import reverse

from feeds.actions import do_create_post, do_delete_post, do_like_post, do_repost
from feeds.graph import do_block, do_unblock
from feeds.models import Bookmark, Like, Post
from recsys.accounts.actions import do_show_presence
from recsys.accounts.models import User
from recsys.catalog.models import Item
from recsys.events import limits
from recsys.events.models import Interaction
from tests.feeds.graph import let_follow
from tests.web.pages import HTMX, assert_safe, queries_for, text_of

pytestmark = pytest.mark.django_db

PAGE_QUERIES = 32


@pytest.fixture
def ana() -> User:
    return User.objects.create_user("ana", password="pw", display_name="Ana Souza")


@pytest.fixture
def ben() -> User:
    return User.objects.create_user("ben", password="pw", display_name="Ben")


@pytest.fixture
def as_ana(client: Client, ana: User) -> Client:
    client.force_login(ana)
    return client


@pytest.fixture
def film() -> Item:
    return Item.objects.create(kind="film", title="Heat of the Night", category="Crime")


def posts_in(response) -> list[int]:
    return [int(pk) for pk in re.findall(r'data-post="(\d+)"', response.content.decode())]


class TestTyping:
    """The line below the form in which readers are told who writes a reply."""

    @staticmethod
    def line(response) -> str | None:
        found = re.search(r'<p id="typing".*?>', response.content.decode())
        return found[0] if found else None

    def test_readers_hear_of_writers_and_are_told_of(self, as_ana, ben):
        post = do_create_post(author=ben, text="Well?")
        page = as_ana.get(f"/posts/{post.pk}/")
        assert f'data-live="conversation" data-arg="{post.pk}"' in self.line(page)
        assert " data-tells" in self.line(page)
        (since,) = re.findall(r'data-now="(\d+)"', self.line(page))
        assert abs(int(since) / 1000 - time.time()) < 60
        assert_safe(page)

    def test_of_a_private_account_nothing_is_told(self, as_ana, ana, ben):
        User.objects.filter(pk=ana.pk).update(is_private=True)
        post = do_create_post(author=ben, text="Well?")
        assert " data-tells" not in self.line(as_ana.get(f"/posts/{post.pk}/"))

    def test_who_hides_and_visitors_hear_nothing(self, client, as_ana, ana, ben):
        post = do_create_post(author=ben, text="Well?")
        do_show_presence(user=ana, shows_presence=False)
        assert self.line(as_ana.get(f"/posts/{post.pk}/")) is None
        assert self.line(Client().get(f"/posts/{post.pk}/")) is None

    def test_there_is_nothing_to_hear_where_replies_are_for_some(self, as_ana, ana):
        post = do_create_post(author=ana, text="Well?", visibility="followers")
        assert self.line(as_ana.get(f"/posts/{post.pk}/")) is None


class TestPage:
    def test_shows_the_conversation_around_the_post(self, as_ana, ana, ben):
        first = do_create_post(author=ben, text="First #tag")
        second = do_create_post(author=ana, text="Second", reply_to=first)
        third = do_create_post(author=ben, text="Third", reply_to=second)
        response = as_ana.get(f"/posts/{second.pk}/")
        assert posts_in(response) == [first.pk, second.pk, third.pk]
        assert f'data-viewed-item="{second.pk}"' in response.content.decode()
        assert response.content.decode().count("data-viewed-item") == 1
        assert f'name="reply_to" value="{second.pk}"' in response.content.decode()
        assert_safe(response)

    def test_what_came_before_and_is_gone_is_said(self, as_ana, ana, ben):
        first = do_create_post(author=ben, text="First")
        reply = do_create_post(author=ana, text="Second", reply_to=first)
        do_delete_post(post=first, by=ben)
        page = text_of(as_ana.get(f"/posts/{reply.pk}/"))
        assert "What came before is gone" in page
        assert "Replying to a post that is gone" in page

    def test_a_visitor_may_read_what_is_public(self, client, ben):
        post = do_create_post(author=ben, text="Hello")
        do_like_post(user=ben, post=post)
        response = client.get(f"/posts/{post.pk}/")
        assert "1 like" in text_of(response)
        assert "composer" not in response.content.decode()
        assert_safe(response)

    @pytest.mark.parametrize("path", ["", "entry/", "edit/"])
    @pytest.mark.parametrize("visibility", ["followers", "private"])
    def test_what_one_may_not_see_is_not_found(self, as_ana, ben, path, visibility):
        post = do_create_post(author=ben, text="Secret words", visibility=visibility)
        response = as_ana.get(f"/posts/{post.pk}/{path}")
        assert response.status_code == 404
        assert "Secret words" not in response.content.decode()
        assert as_ana.get(f"/items/{post.pk}/").status_code == 404

    @pytest.mark.parametrize("pk", ["1", "99999999999999999999999"])
    def test_nothing_is_not_found(self, as_ana, pk):
        assert as_ana.get(f"/posts/{pk}/").status_code == 404

    def test_the_item_page_and_a_reposts_lead_there(self, as_ana, ana, ben):
        post = do_create_post(author=ben, text="Hello")
        repost = do_repost(user=ana, post=post)
        arrived = str(uuid.uuid4())
        assert as_ana.get(f"/items/{post.pk}/?r={arrived}").url == f"/posts/{post.pk}/?r={arrived}"
        assert as_ana.get(f"/posts/{repost.pk}/?r={arrived}").url == f"/posts/{post.pk}/?r={arrived}"
        page = as_ana.get(f"/posts/{post.pk}/?r={arrived}").content.decode()
        assert f'data-recommendation="{arrived}"' in page
        assert "data-recommendation" not in as_ana.get(f"/posts/{post.pk}/?r=x").content.decode()

    def test_replies_come_by_keyset_with_and_without_scripts(self, as_ana, ana):
        post = do_create_post(author=ana, text="?")
        replies = [do_create_post(author=ana, text=f"{number}", reply_to=post).pk for number in range(25)]
        first = as_ana.get(f"/posts/{post.pk}/")
        assert posts_in(first) == [post.pk, *replies[:20]]
        (address,) = re.findall(r'href="(/posts/\d+/\?after=\d+)"', first.content.decode())
        assert posts_in(as_ana.get(address)) == [post.pk, *replies[20:]]
        part = as_ana.get(address, headers=HTMX)
        assert posts_in(part) == replies[20:]
        assert "<html" not in part.content.decode()

    def test_queries_do_not_grow_with_the_conversation(self, as_ana, ana, ben, film):
        post = do_create_post(author=ben, text="?")
        few = queries_for(as_ana, f"/posts/{post.pk}/")
        for number in range(10):
            do_create_post(author=ben, text=f"@ana #tag{number}", reply_to=post, attached=film)
        many = queries_for(as_ana, f"/posts/{post.pk}/")
        assert len(many) <= len(few) + 1 <= PAGE_QUERIES, many  # one for those who are mentioned

    def test_hostile_posts_stay_text(self, as_ana, ben):
        Item.objects.filter(pk=do_create_post(author=ben, text="x").pk)
        post = do_create_post(
            author=ben,
            text='<script>alert(1)</script> https://x.example/"onmouseover="alert(1) javascript:alert(1)',
            image_url='https://x.example/"onerror="alert(1)',
            image_alt='"><img src=x onerror=alert(1)>',
        )
        response = as_ana.get(f"/posts/{post.pk}/")
        assert_safe(response)
        assert "<script>alert" not in response.content.decode()
        image = re.search(r'<img class="post-image"[^>]*>', response.content.decode())
        assert image
        assert 'referrerpolicy="no-referrer"' in image[0]
        assert 'loading="lazy"' in image[0]
        assert 'loading="lazy"' in image[0]


class TestLiveItems:
    """Each part of a page brings the streams of the posts that it shows."""

    def markers(self, response) -> list[tuple[list[int], str]]:
        found = re.findall(r'data-live="items" data-arg="([^"]*)" data-position="([^"]*)"', response.content.decode())
        return [(list(map(int, items.split(","))), position) for items, position in found]

    def test_a_conversation_its_further_replies_and_what_one_writes(self, as_ana, ben):
        post = do_create_post(author=ben, text="Hello")
        replies = [do_create_post(author=ben, text=str(number), reply_to=post) for number in range(25)]
        ((items, position),) = self.markers(as_ana.get(f"/posts/{post.pk}/"))
        assert items == [post.pk, *(reply.pk for reply in replies[:20])]
        assert all(f"item:{item}=" in position for item in items)
        further = as_ana.get(f"/posts/{post.pk}/?after={replies[19].pk}", headers=HTMX)
        assert [items for items, _ in self.markers(further)] == [[reply.pk for reply in replies[20:]]]
        written = as_ana.post("/posts/", {"text": "New", "visibility": "public"}, headers=HTMX)
        assert [items for items, _ in self.markers(written)] == [posts_in(written)]

    def test_a_repost_follows_what_it_shows(self, as_ana, ana, ben):
        post = do_create_post(author=ben, text="Hello")
        do_repost(user=ana, post=post)
        assert [items for items, _ in self.markers(as_ana.get("/@ana/"))] == [[post.pk]]


class TestEntry:
    def test_one_entry_comes_anew(self, as_ana, ana):
        post = do_create_post(author=ana, text="Hello")
        response = as_ana.get(f"/posts/{post.pk}/entry/", headers=HTMX)
        assert posts_in(response) == [post.pk]
        assert "<html" not in response.content.decode()
        assert 'hx-trigger="post:edited"' in response.content.decode()

    def test_it_comes_anew_for_visitors_too_as_far_as_they_may_see_it(self, client, ben):
        post = do_create_post(author=ben, text="Hello")
        response = client.get(f"/posts/{post.pk}/entry/", headers=HTMX)
        assert posts_in(response) == [post.pk]
        assert "<form" not in response.content.decode()
        Post.objects.filter(pk=post.pk).update(visibility="followers")
        assert client.get(f"/posts/{post.pk}/entry/", headers=HTMX).status_code == 404

    def test_the_post_of_a_page_comes_anew_as_that_page_shows_it(self, as_ana, ana, ben):
        parent = do_create_post(author=ben, text="?")
        post = do_create_post(author=ana, text="Hello", reply_to=parent)
        page = as_ana.get(f"/posts/{post.pk}/").content.decode()
        assert f'hx-get="/posts/{post.pk}/entry/?focus=1" hx-trigger="post:edited"' in page
        response = as_ana.get(f"/posts/{post.pk}/entry/?focus=1", headers=HTMX)
        for words in ('class="card post focus"', 'class="post-text large"', 'name="next" value="/"'):
            assert words in page
            assert words in response.content.decode()
        assert "Replying" not in text_of(response)
        do_delete_post(post=parent, by=ben)
        assert "Replying to a post that is gone" in text_of(as_ana.get(f"/posts/{post.pk}/entry/?focus=1"))

    def test_a_repost_says_who(self, as_ana, ana, ben):
        post = do_create_post(author=ben, text="Hello")
        repost = do_repost(user=ana, post=post)
        response = as_ana.get(f"/posts/{repost.pk}/entry/")
        assert "You reposted" in text_of(response)
        assert f'data-post="{repost.pk}" data-shown="{post.pk}"' in response.content.decode()

    def test_edited_and_for_some_are_said(self, as_ana, ana):
        post = do_create_post(author=ana, text="Hello", visibility="private")
        as_ana.post(f"/posts/{post.pk}/edit/", {"text": "Hello!"})
        page = text_of(as_ana.get(f"/posts/{post.pk}/entry/"))
        assert " edited " in page
        assert "Only you" in page


class TestWriting:
    def test_a_reply_goes_to_its_own_page(self, as_ana, ben):
        post = do_create_post(author=ben, text="?")
        response = as_ana.post("/posts/", {"text": "!", "reply_to": post.pk})
        reply = Post.objects.get(reply_to=post)
        assert response.url == f"/posts/{reply.pk}/"
        part = as_ana.post("/posts/", {"text": "!!", "reply_to": post.pk}, headers=HTMX)
        assert f'name="reply_to" value="{post.pk}"' in part.content.decode()
        assert len(posts_in(part)) == 1

    def test_a_reply_to_what_one_may_not_see_is_not_found(self, as_ana, ben):
        post = do_create_post(author=ben, text="?", visibility="private")
        assert as_ana.post("/posts/", {"text": "!", "reply_to": post.pk}).status_code == 404
        assert Post.objects.count() == 1

    def test_everything_that_a_post_can_hold(self, as_ana, film):
        data = {
            "text": "Seen",
            "visibility": "followers",
            "image_url": "https://example.org/a.png",
            "image_alt": "A heron",
            "attached": str(film.pk),
        }
        assert as_ana.post("/posts/", data).url == "/"
        post = Post.objects.get()
        assert (post.visibility, post.attached, post.image_alt) == ("followers", film, "A heron")
        page = as_ana.get("/")
        assert "Heat of the Night" in text_of(page)
        assert_safe(page)

    def test_the_address_of_an_item_attaches_it(self, as_ana, film):
        as_ana.post("/posts/", {"text": "Seen", "find": f"https://testserver/items/{film.pk}/?r=x"})
        assert Post.objects.get().attached == film

    def test_words_offer_a_choice_also_without_scripts(self, as_ana, film):
        other = Item.objects.create(kind="film", title="Nightfall")
        response = as_ana.post("/posts/", {"text": "Seen", "find": "heat nig"})
        assert response.status_code == 422
        assert f'name="attached" value="{film.pk}"' in response.content.decode()
        assert f'value="{other.pk}"' not in response.content.decode()
        assert "Choose one of these" in text_of(response)
        assert as_ana.post("/posts/", {"text": "x", "find": "zzz"}).status_code == 422
        assert not Post.objects.exists()

    def test_words_find_titles_and_never_posts_or_withheld_things(self, as_ana, ana, film):
        do_create_post(author=ana, text="heat again")
        Item.objects.create(kind="film", title="Heat secret", is_withheld=True)
        found = as_ana.get("/posts/attachable/", {"find": "NIGHT he"}, headers=HTMX)
        assert re.findall(r'name="attached" value="(\d+)"', found.content.decode()) == [str(film.pk)]
        for words in ("", "h", "!!", "' & | :*", "x" * 5000, "\x00"):
            assert as_ana.get("/posts/attachable/", {"find": words}).status_code == 200

    @pytest.mark.parametrize(
        ("data", "said"),
        [
            ({"image_url": "javascript:alert(1)", "image_alt": "x"}, "complete address"),
            ({"image_url": "https://example.org/x.png"}, "Say what the image shows"),
            ({"visibility": "all"}, "not one of the available choices"),
            ({"attached": "99999999"}, None),
            ({"attached": "x"}, None),
        ],
    )
    def test_what_is_wrong_is_said_beside_the_field(self, as_ana, data, said):
        response = as_ana.post("/posts/", {"text": "x", **data})
        assert response.status_code == (422 if said else 302)
        assert said is None or said in text_of(response)

    def test_a_post_cannot_be_attached(self, as_ana, ana):
        post = do_create_post(author=ana, text="x")
        as_ana.post("/posts/", {"text": "y", "attached": str(post.pk)})
        assert Post.objects.get(text="y").attached is None


class TestEdit:
    def test_the_form_holds_what_the_post_says(self, as_ana, ana, film):
        post = do_create_post(author=ana, text="One", attached=film)
        page = as_ana.get(f"/posts/{post.pk}/edit/")
        assert "Heat of the Night" in text_of(page)
        assert_safe(page)
        assert as_ana.post(f"/posts/{post.pk}/edit/", {"text": "Two", "attached": ""}).url == f"/posts/{post.pk}/"
        post.refresh_from_db()
        assert (post.text, post.attached) == ("Two", None)

    def test_bad_words_are_explained(self, as_ana, ana):
        post = do_create_post(author=ana, text="One")
        response = as_ana.post(f"/posts/{post.pk}/edit/", {"text": ""})
        assert response.status_code == 422
        assert "Write something first" in text_of(response)

    def test_visibility_is_not_edited(self, as_ana, ana):
        post = do_create_post(author=ana, text="One", visibility="private")
        as_ana.post(f"/posts/{post.pk}/edit/", {"text": "Two", "visibility": "public"})
        assert Post.objects.get().visibility == "private"

    def test_nobody_else_may_not_even_staff(self, client, ana, ben):
        client.force_login(User.objects.create_superuser("boss"))
        post = do_create_post(author=ben, text="One")
        assert client.get(f"/posts/{post.pk}/edit/").status_code == 403
        assert client.post(f"/posts/{post.pk}/edit/", {"text": "Two"}).status_code == 403
        assert Post.objects.get().text == "One"


class TestDeeds:
    @pytest.mark.parametrize(("deed", "model"), [("like", Like), ("bookmark", Bookmark), ("repost", Post)])
    def test_are_done_and_taken_back_with_and_without_scripts(self, as_ana, ana, ben, deed, model):
        post = do_create_post(author=ben, text="Hello")
        before = model.objects.count()
        response = as_ana.post(f"/posts/{post.pk}/{deed}/", {"next": "/@ben/"})
        assert response.url == "/@ben/"
        assert model.objects.count() == before + 1
        part = as_ana.post(f"/posts/{post.pk}/un{deed}/", {"entry": "77"}, headers=HTMX)
        assert model.objects.count() == before
        assert re.search(rf'id="{deed}-77"[^>]*aria-pressed="false"', part.content.decode())
        part = as_ana.post(f"/posts/{post.pk}/{deed}/", {"entry": "<b>"}, headers=HTMX)
        assert re.search(rf'id="{deed}-{post.pk}"[^>]*aria-pressed="true"', part.content.decode())

    def test_a_like_names_the_recommendation_that_led_to_it(self, as_ana, ben):
        post, arrived = do_create_post(author=ben, text="Hello"), uuid.uuid4()
        as_ana.post(f"/posts/{post.pk}/like/", {"recommendation_id": str(arrived)}, headers=HTMX)
        assert Interaction.objects.get().recommendation_id == arrived

    @pytest.mark.parametrize("deed", ["like", "bookmark", "repost"])
    def test_not_with_what_one_may_not_see_nor_as_a_visitor(self, client, as_ana, ben, deed):
        post = do_create_post(author=ben, text="Hello", visibility="followers")
        assert as_ana.post(f"/posts/{post.pk}/{deed}/").status_code == 404
        assert as_ana.get(f"/posts/{post.pk}/{deed}/").status_code == 405
        client.logout()
        assert client.post(f"/posts/{post.pk}/{deed}/").url.startswith(reverse("account_login"))

    @pytest.mark.parametrize("kind", ["like", "view", "hide"])
    def test_nor_by_the_way_of_events(self, as_ana, ana, ben, kind):
        hidden = do_create_post(author=ben, text="Mine", visibility="private")
        of_blocker = do_create_post(author=ben, text="Hello")
        event = {"event_id": "e1", "kind": kind}

        def send(item: int):
            return as_ana.post("/events/", event | {"item": item}, content_type="application/json")

        gone = send(999_999)
        said = gone.json()["errors"][0]["message"]
        assert gone.status_code == 400
        answer = send(hidden.pk)
        assert answer.status_code == 400
        assert answer.json()["errors"][0]["message"] == said.replace("999999", str(hidden.pk))
        do_block(blocker=ben, blocked=ana)
        assert send(of_blocker.pk).status_code == 400
        assert not Interaction.objects.exists()
        assert not Like.objects.exists()
        do_unblock(blocker=ben, blocked=ana)
        assert send(of_blocker.pk).status_code == 200

    def test_what_is_for_followers_is_not_reposted(self, as_ana, ana, ben):
        let_follow([ana], [ben])
        post = do_create_post(author=ben, text="Hello", visibility="followers")
        assert "repost-post" not in as_ana.get(f"/posts/{post.pk}/").content.decode()
        assert as_ana.post(f"/posts/{post.pk}/repost/").status_code == 403

    def test_too_fast_is_refused(self, as_ana, ben, monkeypatch):
        monkeypatch.setattr(limits, "EVENTS_A_MINUTE", 1)
        post = do_create_post(author=ben, text="Hello")
        as_ana.post(f"/posts/{post.pk}/like/")
        response = as_ana.post(f"/posts/{post.pk}/unlike/", headers=HTMX)
        assert response.status_code == 429
        assert int(response["Retry-After"]) > 0
        assert Like.objects.exists()
