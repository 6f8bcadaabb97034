"""Who is told of what became of a post that somebody reposted."""

from __future__ import annotations

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from feeds import handlers
from feeds.actions import do_create_post, do_delete_post, do_edit_post, do_repost
from feeds.models import Post
from feeds.subscriptions import user_stream
from realtime import streams
from recsys.accounts.models import User
from recsys.outbox import store
from recsys.outbox.handlers import execute
from recsys.outbox.rows import Row
from tests.feeds.graph import let_follow, make_people

pytestmark = pytest.mark.django_db


@pytest.fixture
def people() -> list[User]:
    """An author, who is reposted by the second, whom the third follows."""
    people = make_people(3)
    let_follow(people[2:], people[1:2])
    return people


def heard(reader: User, position: str) -> list[tuple[str, int | None]]:
    recovery = streams.read([user_stream(reader.pk)], position)
    assert not recovery.resync
    return [(event["type"], event.get("post")) for event in recovery.events]


def test_an_edit_reaches_those_who_see_the_words_in_a_repost(people, drain_outbox):
    author, reposter, reader = people
    post = do_create_post(author=author, text="One")
    repost = do_repost(user=reposter, post=post)
    drain_outbox()
    position = streams.positions([user_stream(reader.pk)])
    do_edit_post(post=post, by=author, text="Two")
    drain_outbox()
    assert heard(reader, position) == [("post.edited", repost.pk)]


def test_each_of_the_edited_posts_is_told_to_readers_of_its_newest_reposts(drain_outbox, monkeypatch):
    monkeypatch.setattr(handlers, "TOLD_REPOSTS", 2)
    author, *others = make_people(13)
    reposters, readers = others[:6], others[6:]
    for reposter, reader in zip(reposters, readers, strict=True):
        let_follow([reader], [reposter])
    posts = [do_create_post(author=author, text="One") for _ in range(2)]
    reposts = [do_repost(user=reposter, post=posts[number // 3]) for number, reposter in enumerate(reposters)]
    drain_outbox()
    positions = [streams.positions([user_stream(reader.pk)]) for reader in readers]
    for post in posts:
        do_edit_post(post=post, by=author, text="Two")
    drain_outbox()
    told = [heard(reader, position) for reader, position in zip(readers, positions, strict=True)]
    newest = [[("post.edited", repost.pk)] for repost in reposts]
    assert told == [[], *newest[1:3], [], *newest[4:]]


def test_an_edit_asks_as_often_for_one_post_as_for_many(people, drain_outbox):
    author = people[0]
    posts = [do_create_post(author=author, text="One", visibility="private") for _ in range(6)]
    drain_outbox()

    def asked(edited: list[Post]) -> int:
        for post in edited:
            do_edit_post(post=post, by=author, text=post.text + "!")
        rows = [row for row in store.lease(100) if row.topic == "feeds.post"]
        with CaptureQueriesContext(connection) as queries:
            execute("feeds.post", rows)
        return len(queries)

    assert asked(posts[:1]) == asked(posts[1:])


def test_a_deletion_takes_the_reposts_along(people, drain_outbox):
    author, reposter, reader = people
    post = do_create_post(author=author, text="One")
    repost = do_repost(user=reposter, post=post)
    drain_outbox()
    position = streams.positions([user_stream(reader.pk)])
    do_delete_post(post=post, by=author)
    drain_outbox()
    assert heard(reader, position) == [("post.deleted", repost.pk)]


@pytest.mark.parametrize(("field", "hiding"), [("is_private", True), ("is_active", False)])
def test_posts_are_withheld_while_their_account_is_private_or_suspended(people, drain_outbox, field, hiding):
    before = do_create_post(author=people[0], text="Before").item
    User.objects.filter(pk=people[0].pk).update(**{field: hiding})
    drain_outbox()
    meanwhile = do_create_post(author=people[0], text="Meanwhile").item
    before.refresh_from_db()
    meanwhile.refresh_from_db()
    assert (before.is_withheld, meanwhile.is_withheld) == (True, True)
    User.objects.filter(pk=people[0].pk).update(**{field: not hiding})
    drain_outbox()
    before.refresh_from_db()
    assert before.is_withheld is False


def test_the_number_of_unseen_notifications_that_is_told_last_is_the_newest(people, monkeypatch):
    """Another batch counts and tells while this one is between the two."""
    recipient = people[0]
    counts = iter([1, 0, 0])
    monkeypatch.setattr(handlers, "unread_counts", lambda recipients: dict.fromkeys(recipients, next(counts)))
    position = streams.positions([user_stream(recipient.pk)])
    handlers.notifications_changed([Row("1", "feeds.notification", "1", "insert", {"recipient_id": recipient.pk})])
    events = streams.read([user_stream(recipient.pk)], position).events
    assert [event["unseen"] for event in events] == [1, 0]
