from __future__ import annotations

import time

import pytest
from django.contrib.auth import get_user_model
from django.contrib.sessions.backends.db import SessionStore
from django.contrib.sessions.models import Session
from django.utils import timezone

from realtime import access
from realtime.visitors import Credentials, Refusal, Visitor, find_departed, find_visitors


def find_visitor(key: str) -> Visitor | Refusal:
    return find_visitors([Credentials(key)])[0]


@pytest.fixture
def visitors(client_of):
    return [find_visitor(client_of(name).session.session_key) for name in ("ann", "bob", "cleo")]


def test_a_session_is_somebodys(visitors):
    names = get_user_model().objects.in_bulk([visitor.user_id for visitor in visitors])
    assert [names[visitor.user_id].username for visitor in visitors] == ["ann", "bob", "cleo"]


def test_all_are_found_with_two_queries(client_of, django_assert_num_queries):
    keys = [client_of(name).session.session_key for name in ("ann", "bob", "cleo")]
    with django_assert_num_queries(2):
        found = find_visitors([Credentials(key) for key in [*keys, "unknown", keys[0]]])
    assert [isinstance(one, Visitor) for one in found] == [True, True, True, False, True]
    assert found[0].user_id == found[4].user_id != found[1].user_id


def test_those_who_stay_are_left_alone_in_two_queries_for_all(visitors, django_assert_num_queries):
    with django_assert_num_queries(2):
        assert find_departed(visitors) == []


def test_those_who_went_are_found(visitors, client_of):
    Session.objects.filter(session_key=visitors[0].session_key).delete()
    Session.objects.filter(session_key=visitors[1].session_key).update(expire_date=timezone.now())
    assert find_departed(visitors) == visitors[:2]


def test_a_changed_session_of_the_same_user_is_read_once(visitors, client_of, django_assert_num_queries):
    client = client_of("ann")
    mine = find_visitor(client.session.session_key)
    session = client.session
    session["basket"] = 1
    session.save()
    before = mine.marks
    assert find_departed([mine]) == []
    assert mine.marks != before
    with django_assert_num_queries(2):
        assert find_departed([mine]) == []


def test_a_session_that_became_somebody_elses_has_ended(visitors, client_of):
    other = Session.objects.get(session_key=visitors[1].session_key)
    Session.objects.filter(session_key=visitors[0].session_key).update(session_data=other.session_data)
    assert find_departed(visitors[:1]) == visitors[:1]


def test_a_new_password_ends_other_sessions(visitors):
    user = get_user_model().objects.get(username="cleo")
    user.set_password("another one")
    user.save()
    assert find_departed(visitors) == [visitors[2]]


@pytest.mark.django_db
@pytest.mark.parametrize("key", ["unknown", "x" * 1000])
def test_a_session_that_is_none_lets_nobody_in(key):
    assert isinstance(find_visitor(key), Refusal)


@pytest.mark.django_db
def test_a_session_of_somebody_who_is_not_logged_in_is_a_strangers():
    session = SessionStore()
    session["basket"] = [1]
    session.create()
    assert find_visitor(session.session_key).user_id is None
    assert find_visitor("").user_id is None


@pytest.fixture
def issuers(monkeypatch) -> set[str]:
    """Those who may give tokens."""
    valid = {"key:1"}
    monkeypatch.setattr(access, "_checks", [valid.intersection])
    return valid


def by_token(token: str) -> Visitor | Refusal:
    return find_visitors([Credentials(token=token)])[0]


def test_a_token_is_somebodys_until_its_issuer_ends(visitors, issuers):
    mine = by_token(access.make_token(user=visitors[0].user_id, issuer="key:1"))
    assert mine.user_id == visitors[0].user_id
    assert find_departed([mine]) == []
    issuers.clear()
    assert find_departed([mine]) == [mine]
    assert "may not" in by_token(access.make_token(user=visitors[0].user_id, issuer="key:1")).reason


def test_a_token_ends_with_its_time_and_with_the_account(visitors, issuers, monkeypatch):
    mine = by_token(access.make_token(user=visitors[0].user_id, issuer="key:1", lifetime=60))
    with monkeypatch.context() as patch:
        patch.setattr(time, "time", lambda: mine.access.expires_at + 1)
        assert find_departed([mine]) == [mine]
    get_user_model().objects.filter(pk=mine.user_id).update(is_active=False)
    assert find_departed([mine]) == [mine]
    assert "not active" in by_token(access.make_token(user=mine.user_id, issuer="key:1")).reason
