from __future__ import annotations

import pytest
from django.http import HttpRequest
from django.test import Client

from recsys.accounts.models import User
from recsys.bench.logins import log_in, make_users

pytestmark = pytest.mark.django_db


def test_people_come_in_their_order_and_are_made_once():
    three = make_users("someone", 3)
    five = make_users("someone", 5)
    assert [user.username for user in five] == [f"someone-{number}" for number in range(5)]
    assert five[:3] == three
    assert User.objects.count() == 5


def test_each_cookie_logs_in_its_user():
    people = make_users("someone", 2)
    for user, cookie in zip(people, log_in(people), strict=True):
        client = Client(headers={"Cookie": cookie})
        response = client.get("/")
        assert response.wsgi_request.user == user


def test_nobody_has_a_password():
    (user,) = make_users("someone", 1)
    assert not user.has_usable_password()
    assert not Client().login(request=HttpRequest(), username=user.username, password="!")
