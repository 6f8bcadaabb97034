"""What pages show of posts, in a constant number of queries."""

from __future__ import annotations

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from feeds.actions import do_bookmark, do_create_post, do_delete_post, do_like_post, do_repost
from feeds.conversations import find_post
from feeds.entries import Entry, entries
from feeds.graph import do_mute
from feeds.models import Block, Post
from feeds.selectors import RELATED
from recsys.accounts.models import User
from recsys.catalog.models import Item
from tests.feeds.graph import let_follow, make_people

pytestmark = pytest.mark.django_db

MOST_QUERIES = 3


@pytest.fixture
def people() -> list[User]:
    return make_people(8)


def entry(reader: User | None, post: Post) -> Entry:
    (found,) = entries(reader, [Post.objects.select_related(*RELATED).get(pk=post.pk)])
    return found


def names(found: Entry) -> list[str]:
    return [person.username for person in found.reposters]


def test_counts_and_what_the_reader_did(people):
    reader, author, other = people[:3]
    post = do_create_post(author=author, text="Hi @p0 #tag")
    for user in (reader, other):
        do_like_post(user=user, post=post)
    do_bookmark(user=reader, post=post)
    do_repost(user=other, post=post)
    do_create_post(author=other, text="yes", reply_to=post)
    found = entry(reader, post)
    assert (found.like_count, found.repost_count, found.reply_count) == (2, 1, 1)
    assert (found.is_liked, found.is_bookmarked, found.is_reposted) == (True, True, False)
    assert 'href="/@p0/"' in found.words
    assert not found.is_repost
    seen_by_other = entry(other, post)
    assert (seen_by_other.is_liked, seen_by_other.is_bookmarked, seen_by_other.is_reposted) == (True, False, True)
    visitor = entry(None, post)
    assert (visitor.like_count, visitor.is_liked) == (2, False)


def test_a_repost_shows_the_original_and_names_whom_the_reader_hears(people):
    reader, author, *others = people
    let_follow([reader], others[:2])
    post = do_create_post(author=author, text="Hello")
    reposts = [do_repost(user=other, post=post) for other in others[:4]]
    found = entry(reader, reposts[0])
    assert (found.is_repost, found.shown.pk, found.post.pk) == (True, post.pk, reposts[0].pk)
    assert names(found) == [others[1].username, others[0].username]
    assert found.more_reposters == 0
    assert found.repost_count == 4
    by_a_stranger = entry(reader, reposts[3])
    assert by_a_stranger.reposters[-1] == others[3], "whose repost this is stands there, heard or not"
    assert entry(None, reposts[2]).reposters == [others[2]]


def test_at_most_three_are_named_and_the_rest_counted(people):
    reader, author, *others = people
    let_follow([reader], others)
    post = do_create_post(author=author, text="Hello")
    reposts = [do_repost(user=other, post=post) for other in others]
    assert names(entry(reader, reposts[-1])) == [other.username for other in others[:-4:-1]]
    assert entry(reader, reposts[-1]).more_reposters == 3
    first = entry(reader, reposts[0])
    assert names(first)[-1] == others[0].username
    assert len(first.reposters) + first.more_reposters == 6


def test_the_original_says_who_reposted_it_of_those_whom_the_reader_hears(people):
    """A home timeline leaves their reposts out, so this is where they show."""
    reader, author, heard, muted, stranger, *_ = people
    let_follow([reader], [author, heard, muted])
    do_mute(muter=reader, muted=muted)
    post = do_create_post(author=author, text="Hello")
    for other in (heard, muted, stranger):
        do_repost(user=other, post=post)
    found = entry(reader, post)
    assert (found.is_repost, names(found), found.more_reposters) == (False, [heard.username], 0)
    do_repost(user=reader, post=post)
    assert names(entry(reader, post)) == [reader.username, heard.username]
    assert names(entry(author, post)) == []
    assert names(entry(None, post)) == []


def test_of_many_who_reposted_the_original_three_are_named(people):
    reader, author, *others = people
    let_follow([reader], others)
    post = do_create_post(author=author, text="Hello")
    for other in others:
        do_repost(user=other, post=post)
    found = entry(reader, post)
    assert (names(found), found.more_reposters) == ([other.username for other in others[:-4:-1]], 3)


def test_posts_that_nobody_reposted_are_not_asked_about(people):
    reader, author, other = people[:3]
    let_follow([reader], [other])
    posts = [do_create_post(author=author, text="Hello") for _ in range(2)]
    page = list(Post.objects.select_related(*RELATED).order_by("-pk"))

    def asked(viewer: User | None) -> int:
        with CaptureQueriesContext(connection) as queries:
            entries(viewer, page)
        return len(queries)

    assert asked(reader) == 1
    do_repost(user=other, post=posts[0])
    assert asked(None) == 1
    assert asked(reader) == MOST_QUERIES


def test_a_reply_says_whom_it_answers_or_that_it_is_gone(people):
    reader, author, other = people[:3]
    post = do_create_post(author=author, text="Question")
    reply = do_create_post(author=other, text="Answer", reply_to=post)
    found = entry(reader, reply).answers
    assert found is not None
    assert (found.post, found.person) == (post.pk, author)
    assert entry(reader, post).answers is None
    Block.objects.create(blocker=author, blocked=reader)
    hidden = entry(reader, reply).answers
    assert hidden is not None
    assert (hidden.post, hidden.person) == (None, None), "told the same as of one that is gone"
    do_delete_post(post=post, by=author)
    gone = entry(other, reply).answers
    assert gone is not None
    assert gone.person is None


def test_a_withheld_item_is_not_shown(people):
    item = Item.objects.create(kind="film", title="Heat")
    post = do_create_post(author=people[0], text="x", attached=item)
    assert entry(None, post).attached == item
    Item.objects.filter(pk=item.pk).update(is_withheld=True)
    assert entry(None, post).attached is None


@pytest.mark.parametrize("signed_in", [True, False])
def test_queries_do_not_grow_with_the_page(people, signed_in):
    reader, author, *others = people
    let_follow([reader], others)
    item = Item.objects.create(kind="film", title="Heat")
    posts = []
    for number in range(6):
        post = do_create_post(author=author, text=f"@p{number} #x https://example.org", attached=item)
        posts += [post, do_create_post(author=others[0], text="re @p1", reply_to=post)]
        posts += [do_repost(user=other, post=post) for other in others]
    page = list(Post.objects.select_related(*RELATED).filter(pk__in=[post.pk for post in posts]).order_by("-pk"))
    with CaptureQueriesContext(connection) as queries:
        for found in entries(reader if signed_in else None, page):
            assert found.words is not None
            assert found.shown.author.username
            assert found.may_be_reposted
            assert found.attached is None or found.attached.title
    assert len(queries) <= MOST_QUERIES
    with CaptureQueriesContext(connection) as queries:
        assert entries(reader, []) == []
    assert not queries.captured_queries


def test_one_post_comes_with_all_that_an_entry_needs(people):
    post = do_create_post(author=people[0], text="Hello")
    repost = do_repost(user=people[1], post=post)
    found = find_post(reader=people[2], pk=repost.pk)
    with CaptureQueriesContext(connection) as queries:
        assert entries(people[2], [found])[0].shown.author == people[0]
    assert len(queries) <= MOST_QUERIES
