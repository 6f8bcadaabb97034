"""What posts mean is in the tables, whoever writes them."""

from __future__ import annotations

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from feeds.actions import do_create_post, do_edit_post, do_repost
from feeds.models import Hashtag, Mention, Post
from feeds.words import do_index_posts, title_of
from recsys.accounts.models import User
from recsys.catalog.models import Item
from tests.feeds.graph import make_people

pytestmark = pytest.mark.django_db


@pytest.fixture
def people() -> list[User]:
    return make_people(3)


def held(post: Post) -> tuple[set[str], set[str]]:
    tags = Hashtag.objects.filter(post=post).values_list("tag", flat=True)
    return set(tags), set(Mention.objects.filter(post=post).values_list("user__username", flat=True))


def test_a_long_text_has_a_short_title():
    assert title_of("word " * 100) == ("word " * 16)[:79] + "…"


def test_writing_and_editing_keep_tags_mentions_and_the_item(people):
    post = do_create_post(author=people[0], text="Hi @p1 and @P2, not @nobody #Heat #heat #Café")
    assert held(post) == ({"heat", "café"}, {"p1", "p2"})
    assert Item.objects.get(pk=post.pk).tags == ["heat", "café"]
    do_edit_post(post=post, by=people[0], text="Only @p2 now #heat #new")
    assert held(post) == ({"heat", "new"}, {"p2"})
    item = Item.objects.get(pk=post.pk)
    assert item.title == item.description == "Only @p2 now #heat #new"
    assert item.tags == ["heat", "new"]


def test_an_inactive_person_is_not_mentioned(people):
    User.objects.filter(pk=people[1].pk).update(is_active=False)
    assert held(do_create_post(author=people[0], text="@p1")) == (set(), set())


def test_posts_of_raw_sql_have_them_too(people, drain_outbox):
    item = Item.objects.create(kind="post", title="?", creator=people[0])
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO feeds_post (item_id, author_id, text) VALUES (%s, %s, '#raw by @p1')", [item.pk, people[0].pk]
        )
    drain_outbox()
    post = Post.objects.get()
    assert held(post) == ({"raw"}, {"p1"})
    assert Item.objects.get().title == "#raw by @p1"
    Post.objects.update(text="#cooked for @p2")
    drain_outbox()
    assert held(post) == ({"cooked"}, {"p2"})
    assert Item.objects.get().tags == ["cooked"]


def test_a_repost_says_nothing_itself(people, drain_outbox):
    post = do_create_post(author=people[0], text="#heat @p1")
    repost = do_repost(user=people[1], post=post)
    drain_outbox()
    assert held(repost) == (set(), set())
    assert Item.objects.get(pk=repost.pk).title == "#heat @p1"


def test_repeating_it_writes_nothing_and_asks_three_questions(people):
    posts = [do_create_post(author=people[0], text=f"#tag{number} @p1").pk for number in range(10)]
    with CaptureQueriesContext(connection) as queries:
        do_index_posts(posts=posts)
    assert all(query["sql"].lstrip().startswith("SELECT") for query in queries)
    assert len(queries) == 3
    do_index_posts(posts=[2**40])  # gone: no error
