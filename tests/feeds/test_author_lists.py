from __future__ import annotations

import pytest

from feeds import author_lists, timelines
from feeds.actions import do_create_post, do_delete_post
from feeds.models import AuthorOverride
from feeds.selectors import home_timeline
from feeds.timelines import author_list
from tests.feeds.graph import all_pages, let_follow, make_people, shown, truth

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _nothing_kept():
    author_lists.forget_lists()
    yield
    author_lists.forget_lists()


@pytest.fixture
def celebrity(valkey, drain_outbox):
    """A reader of one celebrity with five posts, whose list is warm and kept."""
    reader, other, author = make_people(3)
    let_follow([reader, other], [author])
    AuthorOverride.objects.create(author=author, mode="pull")
    for _ in range(5):
        do_create_post(author=author, text="hello")
    drain_outbox()
    for _ in range(3):  # fills the list, gives it a version, keeps it
        home_timeline(reader=reader)
    return reader, other, author


@pytest.fixture
def trips(monkeypatch):
    """The lists that were read from Valkey."""
    read: list[int] = []
    original = timelines.read_windows

    def spy(keys, **options):
        read.extend(key.owner for key in keys)
        return original(keys, **options)

    monkeypatch.setattr(timelines, "read_windows", spy)
    return read


def test_what_one_page_has_read_serves_the_next_and_other_readers(celebrity, trips):
    reader, other, _ = celebrity
    assert shown(reader) == truth(reader)
    assert shown(other) == truth(other)
    assert trips == []


def test_a_change_is_in_the_very_next_page(celebrity, trips, drain_outbox):
    reader, other, author = celebrity
    post = do_create_post(author=author, text="news")
    drain_outbox()
    assert shown(reader)[0] == post.pk
    assert trips == [author.pk]
    assert shown(other)[0] == post.pk
    assert trips == [author.pk], "read once for both"


def test_a_deleted_post_is_gone_although_the_list_still_has_it(celebrity):
    reader, _, author = celebrity
    post = do_create_post(author=author, text="hello")
    do_delete_post(post=post, by=author)
    assert shown(reader) == truth(reader)


def test_another_process_notices_too(celebrity, trips):
    """Only Valkey knows both: the version is another one, whoever wrote it."""
    reader, _, author = celebrity
    timelines.note_change([author.pk])
    home_timeline(reader=reader)
    assert trips == [author.pk]


def test_a_list_that_changes_while_it_is_read_is_not_kept_as_the_new_one(celebrity, trips):
    reader, _, author = celebrity
    _, versions = timelines.read_home(reader.pk, [author.pk], before=None, limit=10)
    author_lists.forget_lists()
    # The list is read with the old version in hand, then it changes.
    author_lists.read_lists([author.pk], versions, before=None, limit=10)
    timelines.add_posts([([author_list(author.pk).name], [10**9])])
    timelines.note_change([author.pk])
    _, versions = timelines.read_home(reader.pk, [author.pk], before=None, limit=10)
    found = author_lists.read_lists([author.pk], versions, before=None, limit=10)
    assert found[author_list(author.pk)].posts[0] == 10**9


def test_lost_memory_is_noticed(celebrity, valkey, trips):
    reader, _, author = celebrity
    valkey.flushdb()
    assert shown(reader) == truth(reader)
    assert author.pk in trips


def test_further_pages_beyond_what_is_kept_go_to_valkey(celebrity, trips, monkeypatch, drain_outbox):
    reader, _, author = celebrity
    monkeypatch.setattr(author_lists, "KEPT", 4)
    for _ in range(30):
        do_create_post(author=author, text="hello")
    drain_outbox()
    assert all_pages(reader, 3) == truth(reader)
    assert trips.count(author.pk) > 1


def test_a_list_is_read_again_after_a_while(celebrity, trips, monkeypatch):
    reader, _, author = celebrity
    monkeypatch.setattr(author_lists.time, "monotonic", lambda: 10.0**9)
    home_timeline(reader=reader)
    assert trips == [author.pk]


def test_what_is_kept_is_bounded(valkey, monkeypatch):
    monkeypatch.setattr(author_lists, "LISTS", 2)
    authors = make_people(4)
    keys = [author_list(author.pk) for author in authors]
    opened = timelines.open_windows(keys)
    timelines.fill_windows(opened, {key: timelines.Contents("all", [1]) for key in keys})
    versions = {author.pk: b"v" for author in authors}
    author_lists.read_lists(versions, versions, before=None, limit=10)
    assert list(author_lists._lists) == [author.pk for author in authors[-2:]]


def test_without_a_version_nothing_is_kept(valkey):
    (author,) = make_people(1)
    key = author_list(author.pk)
    timelines.fill_windows(timelines.open_windows([key]), {key: timelines.Contents("all", [1])})
    assert author_lists.read_lists([author.pk], {}, before=None, limit=10)[key].posts == [1]
    assert not author_lists._lists
