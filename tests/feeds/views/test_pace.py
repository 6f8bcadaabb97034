"""Nobody writes faster than a person can: that every page of the feeds which takes a form is held to it."""

from __future__ import annotations

import pytest
from django.test import Client
from django.urls import reverse

from feeds.models import Post
from feeds.urls import urlpatterns
from recsys.accounts.models import User
from recsys.events import limits
from tests.web.pages import HTMX

pytestmark = pytest.mark.django_db

PARTS = {"pk": 1, "username": "ben", "tag": "x", "group": "like-1"}
PAGES = [one for one in urlpatterns if not str(one.pattern).startswith("api/")]
WRITING = {"compose", "edit-post"}


@pytest.fixture
def browser(client: Client) -> Client:
    User.objects.create_user("ben")
    client.force_login(User.objects.create_user("ana"))
    return client


def address(page) -> str:
    return reverse(page.name, kwargs={name: PARTS[name] for name in page.pattern.converters})


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_form_is_paced(browser, monkeypatch, page):
    bound = "POSTS_A_MINUTE" if page.name in WRITING else "EVENTS_A_MINUTE"
    monkeypatch.setattr(limits, bound, 0)
    response = browser.post(address(page), headers=HTMX)
    assert response.status_code in (405, 429)
    if response.status_code == 429:
        assert 0 < int(response["Retry-After"]) <= 60


def test_the_bound_of_posts_is_one_of_its_own(browser, monkeypatch):
    monkeypatch.setattr(limits, "POSTS_A_MINUTE", 2)
    answers = [browser.post(reverse("compose"), {"text": f"Number {number}"}).status_code for number in range(4)]
    assert answers[:2] == [302, 302]
    assert 429 in answers[2:]  # the minute may have turned in between
    assert Post.objects.count() < 4


def test_looking_is_not_counted(browser, monkeypatch):
    monkeypatch.setattr(limits, "EVENTS_A_MINUTE", 0)
    monkeypatch.setattr(limits, "POSTS_A_MINUTE", 0)
    for name in ("home", "compose", "lists", "privacy", "notifications", "notification-preferences"):
        assert browser.get(reverse(name)).status_code == 200
