from __future__ import annotations

import pytest
import redis

from feeds import timelines
from feeds.actions import do_create_post
from feeds.models import AuthorOverride
from feeds.selectors import home_timeline
from feeds.timelines import home
from feeds.traces import trace_timeline
from recsys.accounts.models import User
from tests.feeds.graph import let_follow, lose, make_people, shown

pytestmark = pytest.mark.django_db


@pytest.fixture
def reader(drain_outbox) -> User:
    """Follows a pushed and a pulled author with two posts each, and wrote one."""
    reader, pushed, pulled = make_people(3)
    let_follow([reader], [pushed, pulled])
    AuthorOverride.objects.create(author=pulled, mode="pull")
    for author in (pushed, pulled, pushed, pulled, reader):
        do_create_post(author=author, text="hello")
    drain_outbox()
    return reader


def test_each_entry_says_how_it_came(reader):
    home_timeline(reader=reader)
    traces = trace_timeline(reader=reader)
    assert [trace.post.pk for trace in traces] == shown(reader)
    assert [trace.post.mode for trace in traces] == ["push", "pull", "push", "pull", "push"]
    assert [trace.followed_at is None for trace in traces] == [True, False, False, False, False]
    assert all(trace.held for trace in traces)
    assert all(trace.first_at <= trace.last_at for trace in traces[1:])


def test_what_the_window_lacks_is_marked(reader):
    lost = shown(reader)[0]
    lose(home(reader.pk), [lost])
    assert [trace.post.pk for trace in trace_timeline(reader=reader) if not trace.held] == [lost]


def test_a_cold_reader_stays_cold(reader, valkey):
    assert {trace.held for trace in trace_timeline(reader=reader)} == {None}
    assert not valkey.exists(home(reader.pk).name)


def test_without_valkey_sql_is_enough(reader, monkeypatch):
    def away(keys):
        raise redis.ConnectionError

    monkeypatch.setattr(timelines, "peek_windows", away)
    assert len(trace_timeline(reader=reader)) == 5


def test_queries_do_not_grow(reader, django_assert_num_queries):
    with django_assert_num_queries(4):
        trace_timeline(reader=reader)
