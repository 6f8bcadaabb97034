"""A post's conversation: what it answers and what answers it, as far as one may see it."""

from __future__ import annotations

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from feeds.actions import do_create_post, do_delete_post
from feeds.conversations import MOST_ANCESTORS, ancestors, find_post, replies
from feeds.models import Block, Post
from feeds.visibility import UnseenPost
from recsys.accounts.models import User
from tests.feeds.graph import let_follow, make_people

pytestmark = pytest.mark.django_db


@pytest.fixture
def people() -> list[User]:
    return make_people(4)


def chain(author: User, length: int) -> list[Post]:
    posts: list[Post] = []
    for number in range(length):
        posts.append(do_create_post(author=author, text=f"{number}", reply_to=posts[-1] if posts else None))
    return posts


class TestFindPost:
    def test_finds_what_the_reader_may_see(self, people):
        post = do_create_post(author=people[0], text="x", visibility="followers")
        let_follow([people[1]], [people[0]])
        assert find_post(reader=people[1], pk=post.pk) == post
        for reader in (people[2], None):
            with pytest.raises(UnseenPost):
                find_post(reader=reader, pk=post.pk)

    @pytest.mark.parametrize("pk", [0, 1, 2**63 - 1, 2**63, 10**30])
    def test_nothing_is_unseen(self, people, pk):
        with pytest.raises(UnseenPost):
            find_post(reader=None, pk=pk)


class TestAncestors:
    def test_are_the_chain_oldest_first(self, people):
        posts = chain(people[0], 4)
        found = ancestors(reader=None, post=posts[-1])
        assert (found.posts, found.is_whole) == (posts[:3], True)
        assert ancestors(reader=None, post=posts[0]).is_whole

    def test_end_where_one_is_gone_or_hidden(self, people):
        posts = chain(people[0], 5)
        do_delete_post(post=posts[1], by=people[0])
        last = find_post(reader=None, pk=posts[-1].pk)
        found = ancestors(reader=None, post=last)
        assert (found.posts, found.is_whole) == (posts[2:4], False)
        Post.objects.filter(pk=posts[2].pk).update(visibility="private")
        found = ancestors(reader=people[1], post=last)
        assert (found.posts, found.is_whole) == ([posts[3]], False)
        Block.objects.create(blocker=people[0], blocked=people[1])
        assert ancestors(reader=people[1], post=last).posts == []

    def test_are_bounded_in_number_and_queries(self, people):
        posts = chain(people[0], MOST_ANCESTORS + 5)
        with CaptureQueriesContext(connection) as queries:
            found = ancestors(reader=people[1], post=posts[-1])
        assert (found.posts, found.is_whole) == (posts[-MOST_ANCESTORS - 1 : -1], False)
        assert len(queries) == 2

    def test_a_circle_ends(self, people):
        one, other = chain(people[0], 2)
        Post.objects.filter(pk=one.pk).update(reply_to=other, reply_to_author=people[0])
        assert len(ancestors(reader=None, post=find_post(reader=None, pk=other.pk)).posts) <= MOST_ANCESTORS


class TestReplies:
    def test_come_oldest_first_by_keyset(self, people):
        post = do_create_post(author=people[0], text="?")
        answers = [do_create_post(author=people[1], text=f"{number}", reply_to=post) for number in range(5)]
        found, after = [], None
        for _ in range(4):
            page = replies(reader=None, post=post, after=after, limit=2)
            found += page.posts
            after = page.next_after
            if after is None:
                break
        assert found == answers

    def test_only_those_that_may_be_seen(self, people):
        post = do_create_post(author=people[0], text="?")
        open_one = do_create_post(author=people[1], text="a", reply_to=post)
        for_some = do_create_post(author=people[1], text="b", reply_to=post, visibility="followers")
        let_follow([people[2]], [people[1]])
        assert replies(reader=people[3], post=post).posts == [open_one]
        assert replies(reader=people[2], post=post).posts == [open_one, for_some]
