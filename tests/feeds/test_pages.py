"""Timelines other than the home one: what belongs into them, their order, and their cost."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from itertools import chain

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from hypothesis import given, settings
from hypothesis import strategies as st

from feeds.actions import do_delete_post
from feeds.models import AccountList, Block, Bookmark, Follow, Hashtag, ListMember, Mute, Post, Visibility
from feeds.pages import bookmarks_page, hashtag_page, list_page
from feeds.selectors import TimelinePage, author_page
from recsys.accounts.models import User
from recsys.catalog.models import Item
from tests.feeds.graph import make_people

pytestmark = pytest.mark.django_db

Ask = Callable[[int | None], TimelinePage]


def write(author: User, *tags: str, **fields) -> Post:
    """A post with hashtags, as the tables hold it."""
    fields.setdefault("text", "" if fields.get("repost_of") else "hello")
    post = Post.objects.create(
        item=Item.objects.create(kind="post", title="hello", creator=author), author=author, **fields
    )
    Hashtag.objects.bulk_create([Hashtag(post=post, tag=tag) for tag in tags])
    return post


def ids(page: TimelinePage) -> list[int]:
    return [post.pk for post in page.posts]


def through(ask: Ask) -> Iterator[list[int]]:
    """The ids of one page after the other."""
    before = None
    while True:
        page = ask(before)
        yield ids(page)
        if page.next_before is None:
            return
        before = page.next_before


def queries_of(function: Callable[[], object]) -> int:
    with CaptureQueriesContext(connection) as captured:
        function()
    return len(captured)


@pytest.fixture
def people() -> list[User]:
    return make_people(4)


class TestHashtag:
    def test_shows_the_posts_with_the_tag_newest_first(self, people):
        ana, ben, *_ = people
        first, other, last = write(ben, "jazz", "live"), write(ben, "rock"), write(ana, "jazz")
        assert ids(hashtag_page(tag="jazz", reader=ana)) == [last.pk, first.pk]
        assert ids(hashtag_page(tag="jazz", reader=None)) == [last.pk, first.pk]
        assert ids(hashtag_page(tag="rock", reader=None)) == [other.pk]
        assert ids(hashtag_page(tag="jaz", reader=None)) == []

    def test_hides_what_the_reader_may_not_see(self, people):
        ana, ben, zoe, _ = people
        public = write(ben, "jazz")
        followers = write(ben, "jazz", visibility=Visibility.FOLLOWERS)
        write(ben, "jazz", visibility=Visibility.PRIVATE)
        assert ids(hashtag_page(tag="jazz", reader=ana)) == [public.pk]
        Follow.objects.create(follower=ana, followee=ben)
        assert ids(hashtag_page(tag="jazz", reader=ana)) == [followers.pk, public.pk]
        Block.objects.create(blocker=ben, blocked=zoe)
        assert ids(hashtag_page(tag="jazz", reader=zoe)) == []
        User.objects.filter(pk=ben.pk).update(is_private=True)
        assert ids(hashtag_page(tag="jazz", reader=None)) == []

    def test_hides_the_muted_here_but_not_on_their_own_page(self, people):
        ana, ben, *_ = people
        post = write(ben, "jazz")
        Mute.objects.create(muter=ana, muted=ben)
        assert ids(hashtag_page(tag="jazz", reader=ana)) == []
        assert ids(hashtag_page(tag="jazz", reader=ben)) == [post.pk]
        assert ids(author_page(author=ben, reader=ana)) == [post.pk]

    def test_takes_two_queries_whatever_there_is(self, people):
        ana, ben, *_ = people
        for _ in range(30):
            write(ben, "jazz")
        assert queries_of(lambda: [post.author.name for post in hashtag_page(tag="jazz", reader=ana).posts]) == 2


class TestList:
    @pytest.fixture
    def mine(self, people) -> AccountList:
        """A list of the first person's with the second and third in it."""
        found = AccountList.objects.create(owner=people[0], name="friends")
        ListMember.objects.bulk_create([ListMember(list=found, member=one) for one in people[1:3]])
        return found

    def test_shows_what_its_members_wrote_followed_or_not(self, people, mine):
        ana, ben, zoe, eve = people
        one, other = write(ben), write(zoe)
        write(eve)
        write(ana)
        assert ids(list_page(account_list=mine)) == [other.pk, one.pk]

    def test_an_empty_list_is_empty(self, people):
        assert ids(list_page(account_list=AccountList.objects.create(owner=people[0], name="none"))) == []

    def test_shows_only_what_its_owner_may_see(self, people, mine):
        ana, ben, zoe, _ = people
        write(ben, visibility=Visibility.PRIVATE)
        followers = write(ben, visibility=Visibility.FOLLOWERS)
        theirs = write(zoe)
        User.objects.filter(pk=zoe.pk).update(is_private=True)
        assert ids(list_page(account_list=mine)) == []
        Follow.objects.create(follower=ana, followee=ben)
        Follow.objects.create(follower=ana, followee=zoe)
        assert ids(list_page(account_list=mine)) == [theirs.pk, followers.pk]
        Block.objects.create(blocker=zoe, blocked=ana)
        assert ids(list_page(account_list=mine)) == [followers.pk]
        Mute.objects.create(muter=ana, muted=ben)
        assert ids(list_page(account_list=mine)) == []

    def test_shows_replies_among_members_and_to_the_owner_only(self, people, mine):
        ana, ben, zoe, eve = people
        outside, inside, own, mine_too = write(eve), write(zoe), write(ben), write(ana)
        write(ben, reply_to=outside)
        shown = [write(ben, reply_to=post).pk for post in (inside, own, mine_too)]
        assert ids(list_page(account_list=mine)) == [*reversed(shown), own.pk, inside.pk]

    def test_shows_the_same_post_once_however_many_repost_it(self, people, mine):
        ana, ben, zoe, eve = people
        outside, inside = write(eve), write(ben)
        first = write(ben, repost_of=outside)
        write(zoe, repost_of=outside)
        write(zoe, repost_of=inside)
        assert ids(list_page(account_list=mine)) == [first.pk, inside.pk]
        Mute.objects.create(muter=ana, muted=eve)
        assert ids(list_page(account_list=mine)) == [inside.pk]

    def test_a_repost_that_is_not_shown_does_not_hide_another(self, people, mine):
        _, ben, zoe, eve = people
        outside = write(eve)
        write(ben, repost_of=outside)
        second = write(zoe, repost_of=outside)
        User.objects.filter(pk=ben.pk).update(is_private=True)
        assert ids(list_page(account_list=mine)) == [second.pk]

    def test_goes_on_where_the_page_before_ended(self, people, mine):
        _, ben, zoe, _ = people
        posts = [write(random.choice([ben, zoe])).pk for _ in range(23)][::-1]
        pages = list(through(lambda before: list_page(account_list=mine, before=before, limit=5)))
        assert [len(page) for page in pages] == [5, 5, 5, 5, 3]
        assert list(chain(*pages)) == posts

    def test_takes_two_queries_whatever_there_is(self, people, mine):
        for member in make_people(30, "member"):
            ListMember.objects.create(list=mine, member=member)
            write(member)
        assert queries_of(lambda: [post.author.name for post in list_page(account_list=mine).posts]) == 2


class TestBookmarks:
    def test_shows_the_last_kept_first_whatever_the_age_of_the_posts(self, people):
        ana, ben, *_ = people
        posts = [write(ben) for _ in range(5)]
        for post in (posts[2], posts[0], posts[4]):
            Bookmark.objects.create(user=ana, post=post)
        Bookmark.objects.create(user=ben, post=posts[1])
        expected = [posts[4].pk, posts[0].pk, posts[2].pk]
        assert ids(bookmarks_page(reader=ana)) == expected
        pages = through(lambda before: bookmarks_page(reader=ana, before=before, limit=1))
        assert list(chain(*pages)) == expected

    def test_shows_only_what_may_still_be_seen(self, people):
        ana, ben, *_ = people
        post = write(ben)
        Bookmark.objects.create(user=ana, post=post)
        Post.objects.filter(pk=post.pk).update(visibility=Visibility.FOLLOWERS)
        assert ids(bookmarks_page(reader=ana)) == []
        Follow.objects.create(follower=ana, followee=ben)
        assert ids(bookmarks_page(reader=ana)) == [post.pk]
        Mute.objects.create(muter=ana, muted=ben)
        assert ids(bookmarks_page(reader=ana)) == [post.pk]  # kept is kept
        do_delete_post(post=post, by=ben)
        assert ids(bookmarks_page(reader=ana)) == []

    def test_takes_two_queries_whatever_there_is(self, people):
        ana, ben, *_ = people
        Bookmark.objects.bulk_create([Bookmark(user=ana, post=write(ben)) for _ in range(30)])
        assert queries_of(lambda: [post.author.name for post in bookmarks_page(reader=ana).posts]) == 2


class TestAuthor:
    def test_without_replies_shows_their_own_threads_still(self, people):
        ana, ben, *_ = people
        asked = write(ana)
        post = write(ben)
        answer, thread, repost = write(ben, reply_to=asked), write(ben, reply_to=post), write(ben, repost_of=asked)
        assert ids(author_page(author=ben, reader=ana)) == [repost.pk, thread.pk, answer.pk, post.pk]
        assert ids(author_page(author=ben, reader=ana, replies=False)) == [repost.pk, thread.pk, post.pk]


@settings(max_examples=8)
@given(seed=st.integers(0, 2**32), limit=st.integers(1, 6))
@pytest.mark.parametrize("kind", ["hashtag", "list", "bookmarks", "author"])
def test_what_is_there_throughout_is_shown_exactly_once(kind, seed, limit):
    """Posts arrive and disappear between the requests of pages."""
    draw = random.Random(seed)
    reader, *authors = make_people(4, f"{kind}{seed}x{limit}n")
    members = AccountList.objects.create(owner=reader, name="all")
    ListMember.objects.bulk_create([ListMember(list=members, member=one) for one in authors])
    asks: dict[str, Ask] = {
        "hashtag": lambda before: hashtag_page(tag=f"t{seed}", reader=reader, before=before, limit=limit),
        "list": lambda before: list_page(account_list=members, before=before, limit=limit),
        "bookmarks": lambda before: bookmarks_page(reader=reader, before=before, limit=limit),
        "author": lambda before: author_page(author=authors[0], reader=reader, before=before, limit=limit),
    }

    def arrive() -> Post:
        post = write(authors[0] if kind == "author" else draw.choice(authors), f"t{seed}")
        Bookmark.objects.create(user=reader, post=post)
        return post

    there = {post.pk: post for post in (arrive() for _ in range(12))}
    throughout = set(there)
    seen: list[int] = []
    for page in through(asks[kind]):
        seen += page
        for _ in range(draw.randrange(3)):
            new = arrive()
            there[new.pk] = new
        for _ in range(draw.randrange(3)):
            gone = there.pop(draw.choice(list(there)))
            throughout.discard(gone.pk)
            do_delete_post(post=gone, by=gone.author)
    assert len(seen) == len(set(seen))
    assert throughout <= set(seen)
    assert seen == sorted(seen, reverse=True)
