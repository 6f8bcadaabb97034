"""In which order an author's followers are served."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from feeds import audience
from feeds.models import ReadingPosition
from feeds.reading import do_note_reading, do_note_visit
from feeds.subscriptions import user_stream
from realtime import streams
from tests.feeds.graph import let_follow, make_people

pytestmark = pytest.mark.django_db


def test_the_connected_come_first_then_those_who_read_within_a_day_whichever_way(valkey, monkeypatch):
    author, never, visited, asked, long_ago, connected = make_people(6)
    followers = [never, visited, asked, long_ago, connected]
    let_follow(followers, [author])
    for reader in (visited, connected):
        do_note_visit(reader=reader, newest=0)
    for reader in (asked, long_ago):
        do_note_reading(reader=reader)
    ReadingPosition.objects.filter(reader=long_ago).update(read_at=timezone.now() - timedelta(hours=25))
    monkeypatch.setattr(streams, "with_readers", lambda names: {user_stream(connected.pk)} & set(names))
    ids = sorted(follower.pk for follower in followers)
    assert list(audience.chunks(author.pk, ids)) == [
        ("connected", [connected.pk]),
        ("recent", [visited.pk, asked.pk]),
        ("rest", [never.pk, long_ago.pk]),
    ]
