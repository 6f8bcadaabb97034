"""The page that tells readers why they see a post."""

from __future__ import annotations

import pytest
from django.test import Client
from django.urls import reverse

from feeds.actions import do_create_post, do_repost
from feeds.graph import do_block, do_follow
from feeds.models import Post
from recsys.accounts.models import User

pytestmark = pytest.mark.django_db


@pytest.fixture
def zoe() -> User:
    return User.objects.create(username="zoe")


@pytest.fixture
def ana() -> User:
    return User.objects.create(username="ana", display_name="Ana Sousa")


@pytest.fixture
def post(zoe: User, ana: User) -> Post:
    do_follow(follower=zoe, followee=ana)
    return do_create_post(author=ana, text="hello <b>there</b>")


def page(reader: User, post: int):
    client = Client()
    client.force_login(reader)
    return client.get(reverse("why-post", args=[post]))


def test_it_says_in_plain_words_why_a_post_is_there(zoe, post):
    html = page(zoe, post.pk).content.decode()
    assert "<h1>Why this post?</h1>" in html
    assert "It is in your home timeline:" in html
    assert "You have followed Ana Sousa since " in html
    assert "hello &lt;b&gt;there" in html


def test_and_why_one_is_not(post):
    html = page(User.objects.create(username="cem"), post.pk).content.decode()
    assert "<h1>Why this post?</h1>" in html
    assert "You may see it, so it can appear on a profile, under a hashtag or in a list." in html
    assert "It is not in your home timeline:" in html
    assert "You do not follow Ana Sousa." in html


def test_a_post_that_a_repost_shows_leads_there(post):
    ben, cem = User.objects.create(username="ben"), User.objects.create(username="cem")
    do_follow(follower=cem, followee=ben)
    do_repost(user=ben, post=post)
    html = page(cem, post.pk).content.decode()
    assert "It is in your home timeline as a repost, not by itself:" in html
    assert "as ben reposted it" in html


def test_a_post_that_is_not_for_the_reader_is_as_little_there_as_none(zoe, ana, post):
    do_block(blocker=ana, blocked=zoe)
    hidden, none = page(zoe, post.pk), page(zoe, 10**12)
    assert hidden.status_code == none.status_code == 404
    assert b"blocked" not in hidden.content


def test_visitors_log_in_first(client, post):
    assert client.get(reverse("why-post", args=[post.pk])).status_code == 302


@pytest.mark.parametrize("address", ["/", "/@ana/", "/tags/jazz/"])
def test_posts_of_others_lead_there_by_words_that_suit_every_page(zoe, ana, address, drain_outbox):
    do_follow(follower=zoe, followee=ana)
    post = do_create_post(author=ana, text="hello #jazz")
    drain_outbox()
    client = Client()
    client.force_login(zoe)
    html = client.get(address).content.decode()
    assert reverse("why-post", args=[post.pk]) in html
    assert "Why this post?" in html
