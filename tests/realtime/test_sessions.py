from __future__ import annotations

import pytest
from django.contrib.sessions.models import Session
from django.utils import timezone

from realtime.sessions import find_departed, find_visitor


@pytest.fixture
def visitors(client_of):
    return [find_visitor(client_of(name).session.session_key) for name in ("ann", "bob", "cleo")]


def test_a_session_is_somebodys(visitors):
    assert [visitor.user.username for visitor in visitors] == ["ann", "bob", "cleo"]


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
    before = mine.session_data
    assert find_departed([mine]) == []
    assert mine.session_data != before


def test_a_session_that_became_somebody_elses_has_ended(visitors, client_of):
    other = Session.objects.get(session_key=visitors[1].session_key)
    Session.objects.filter(session_key=visitors[0].session_key).update(session_data=other.session_data)
    assert find_departed(visitors[:1]) == visitors[:1]


def test_a_new_password_ends_other_sessions(visitors):
    user = visitors[2].user.__class__.objects.get(username="cleo")
    user.set_password("another one")
    user.save()
    assert find_departed(visitors) == [visitors[2]]


@pytest.mark.django_db
@pytest.mark.parametrize("key", ["", "unknown", "x" * 1000])
def test_no_session_is_nobodys(key):
    assert find_visitor(key) is None
