"""The home page's views of the timeline: latest with its mark, and top."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from django.db.models import F
from django.test import Client
from django.utils import timezone

from feeds import presence
from feeds.actions import do_create_post, do_repost
from feeds.graph import do_follow, do_mute
from feeds.models import Follow, Post, ReadingPosition
from recsys.accounts.actions import do_show_presence
from recsys.accounts.models import User
from recsys.outbox.testing import drain
from recsys.recommend.models import Slate
from tests.feeds.graph import let_be_online, let_follow, make_people
from tests.web.pages import HTMX, assert_safe, queries_for, text_of

pytestmark = pytest.mark.django_db
TOP_QUERIES = 45


@pytest.fixture
def ben() -> User:
    return User.objects.create_user("ben", display_name="Ben")


@pytest.fixture
def ana(ben) -> User:
    reader = User.objects.create_user("ana", display_name="Ana")
    do_follow(follower=reader, followee=ben)
    return reader


@pytest.fixture
def as_ana(client: Client, ana: User) -> Client:
    client.force_login(ana)
    return client


def write(author: User, count: int = 1) -> list[Post]:
    posts = [do_create_post(author=author, text=f"Post {number}") for number in range(count)]
    drain()
    return posts


def posts_in(response) -> list[int]:
    return [int(pk) for pk in re.findall(r'data-post="(\d+)"', response.content.decode())]


class TestUnread:
    def test_a_mark_stands_between_new_and_known(self, as_ana, ana, ben):
        write(ben, 2)
        assert "your last visit" not in text_of(as_ana.get("/"))
        ReadingPosition.objects.update(visited_at=F("visited_at") - timedelta(hours=1))
        write(ben, 3)
        page = as_ana.get("/")
        assert "3 new since your last visit" in text_of(page)
        body = page.content.decode()
        above, below = body.split('id="unread-mark"')
        assert (above.count("data-post="), below.count("data-post=")) == (3, 2)
        assert_safe(page)

    def test_it_comes_with_the_page_where_it_belongs(self, as_ana, ana, ben):
        write(ben, 2)
        as_ana.get("/")
        ReadingPosition.objects.update(visited_at=F("visited_at") - timedelta(hours=1))
        posts = write(ben, 25)
        first = as_ana.get("/timeline/", headers=HTMX)
        assert "20+ new since your last visit" in text_of(first)
        assert "unread-mark" not in first.content.decode()
        older = as_ana.get("/timeline/", {"before": posts[5].pk}, headers=HTMX)
        assert older.content.decode().index("unread-mark") > older.content.decode().index(f'data-post="{posts[0].pk}"')


class TestReposts:
    def test_the_post_that_stays_says_who_reposted_it(self, as_ana, ana, ben):
        others = [User.objects.create_user(f"c{number}", display_name=f"C{number}") for number in range(5)]
        for other in others:
            do_follow(follower=ana, followee=other)
        post = write(ben)[0]
        assert "reposted" not in text_of(as_ana.get("/"))
        do_repost(user=others[0], post=post)
        drain()
        page = as_ana.get("/")
        assert posts_in(page) == [post.pk]
        assert "C0 reposted" in text_of(page)
        for other in others[1:]:
            do_repost(user=other, post=post)
        drain()
        page = as_ana.get("/")
        assert posts_in(page) == [post.pk]
        assert "C4 , C3 , C2 and 2 others reposted" in text_of(page)


class TestOnline:
    def online(self, response) -> list[str]:
        return re.findall(r'data-person="\d+".*?visually-hidden">(.*?)<', response.content.decode())

    def test_the_home_page_shows_who_is_there_of_those_one_follows(self, as_ana, ana, ben):
        page = as_ana.get("/")
        assert re.search(r"Online now\s+Nobody you follow", text_of(page))
        let_be_online(ana, ben, User.objects.create_user("stranger"))
        page = as_ana.get("/")
        assert self.online(page) == ["Ben"]
        assert f'data-online="{ben.pk}"' in page.content.decode()
        assert_safe(page)

    def test_some_are_shown_and_the_others_counted(self, as_ana, ana):
        many = make_people(14)
        let_follow([ana], many)
        let_be_online(*many)
        page = as_ana.get("/people/online/")
        assert self.online(page) == [person.name for person in many[::-1][:12]]
        assert "and 2 more" in text_of(page)

    def test_it_comes_anew_without_the_page_with_rights_asked_again(self, as_ana, ana, ben):
        let_be_online(ben)
        part = as_ana.get("/people/online/", headers=HTMX)
        assert self.online(part) == ["Ben"]
        assert "<html" not in part.content.decode()
        do_mute(muter=ana, muted=ben)
        assert self.online(as_ana.get("/people/online/", headers=HTMX)) == []

    def test_who_hides_sees_no_such_thing(self, as_ana, ana, ben):
        let_be_online(ben)
        do_show_presence(user=ana, shows_presence=False)
        assert "Online now" not in text_of(as_ana.get("/"))
        assert as_ana.get("/people/online/").content.strip() == b""

    def test_visitors_see_no_such_thing(self, client):
        assert "Online now" not in text_of(client.get("/"))
        assert client.get("/people/online/").url.startswith("/accounts/login/")
        assert client.get("/people/online/", headers=HTMX).status_code == 401

    @pytest.mark.parametrize("reason", ["follows nobody", "Valkey is away"])
    def test_it_is_there_but_not_shown_until_there_is_something_to_say(self, as_ana, ana, ben, monkeypatch, reason):
        """So that it can come without a new page."""
        if reason == "follows nobody":
            Follow.objects.all().delete()
        else:
            monkeypatch.setattr(presence, "_ask", lambda reader, people: ("", set()))
        let_be_online(ben)
        (card,) = re.findall(r'<section id="online".*?>', as_ana.get("/").content.decode())
        assert card.endswith(" hidden>")


class TestTop:
    def test_is_a_view_of_the_home_page(self, as_ana, ben):
        posts = write(ben, 2)
        page = as_ana.get("/?view=top")
        assert set(posts_in(page)) == {post.pk for post in posts}
        assert "Nothing is known of your taste yet" in text_of(page)
        assert "Shared lately" in text_of(page)
        assert f'value="{Slate.objects.get(surface="top").pk}"' in page.content.decode()  # likes are attributed to it
        assert_safe(page)

    def test_further_pages_are_of_the_same_ranking_with_and_without_scripts(self, as_ana, ben):
        posts = write(ben, 25)
        first = as_ana.get("/?view=top")
        (fragment,) = re.findall(r'hx-get="(/timeline/\?view=top[^"]+)"', first.content.decode())
        fragment = fragment.replace("&amp;", "&")
        more = as_ana.get(fragment, headers=HTMX)
        assert sorted(posts_in(first) + posts_in(more)) == [post.pk for post in posts]
        assert "Go on with the latest" in text_of(more)
        assert posts_in(as_ana.get(fragment.replace("/timeline/", "/"))) == posts_in(more)
        assert Slate.objects.filter(surface="top").count() == 1

    @pytest.mark.parametrize("ranking", ["", "x", "00000000-0000-0000-0000-000000000000"])
    def test_a_ranking_that_is_gone_begins_anew(self, as_ana, ben, ranking):
        write(ben)
        address = f"view=top&ranking={ranking}&before=20"
        assert as_ana.get(f"/?{address}").url == "/?view=top"
        assert as_ana.get(f"/timeline/?{address}", headers=HTMX)["HX-Redirect"] == "/?view=top"

    def test_somebody_elses_ranking_is_gone(self, as_ana, ana, ben, client):
        write(ben, 25)
        as_ana.get("/?view=top")
        client.force_login(ben)
        ranking = Slate.objects.get(surface="top").pk
        assert client.get(f"/?view=top&ranking={ranking}&before=20").url == "/?view=top"

    def test_is_read_but_no_visit(self, as_ana, ana, ben):
        write(ben)
        as_ana.get("/")
        ReadingPosition.objects.update(read_at=timezone.now() - timedelta(hours=2), visited_at=None)
        as_ana.get("/?view=top")
        known = ReadingPosition.objects.get(reader=ana)
        assert timezone.now() - known.read_at < timedelta(minutes=1)
        assert known.visited_at is None

    def test_nothing_to_rank_says_so(self, as_ana):
        assert "Nothing unread" in text_of(as_ana.get("/?view=top"))

    def test_queries_do_not_grow(self, as_ana, ben):
        write(ben)
        as_ana.get("/?view=top")
        few = queries_for(as_ana, "/?view=top")
        write(ben, 12)
        many = queries_for(as_ana, "/?view=top")
        assert len(many) <= len(few) <= TOP_QUERIES, many
