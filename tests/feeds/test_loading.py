from __future__ import annotations

import pytest
from django.db import connection

from feeds.actions import do_create_post
from feeds.loading import load_posts
from feeds.models import Post
from recsys.catalog.models import Item
from tests.feeds.graph import make_people

pytestmark = pytest.mark.django_db


@pytest.fixture
def posts(django_capture_on_commit_callbacks):
    """A post about an item, one without, and a repost of the first by somebody else."""
    author, other = make_people(2)
    film = Item.objects.create(kind="film", title="Heat")
    first = do_create_post(author=author, text="about a film", attached=film)
    second = do_create_post(author=other, text="about nothing")
    item = Item.objects.create(kind="post", title="repost", creator=other)
    return [first, second, Post.objects.create(item=item, author=other, repost_of=first)]


def test_everything_that_pages_show_is_there(posts, django_assert_num_queries):
    first, second, repost = posts
    with django_assert_num_queries(2):
        loaded = load_posts([repost.pk, second.pk, first.pk])
    with django_assert_num_queries(0):
        assert [post.pk for post in loaded] == [repost.pk, second.pk, first.pk]
        assert [post.author.username for post in loaded] == ["p1", "p1", "p0"]
        assert loaded[0].repost_of.author.username == "p0"
        assert loaded[0].repost_of.attached.title == "Heat"
        assert loaded[1].attached is None
        assert loaded[1].repost_of is None
        assert loaded[2].attached.title == "Heat"


def test_posts_are_what_the_orm_makes_of_them(posts):
    for loaded in load_posts([post.pk for post in posts]):
        other = Post.objects.select_related("author").get(pk=loaded.pk)
        for one, expected in ((loaded, other), (loaded.author, other.author)):
            fields = [field.attname for field in one._meta.concrete_fields]
            assert [getattr(one, name) for name in fields] == [getattr(expected, name) for name in fields]
            assert one == expected
            assert not one._state.adding


def test_the_order_is_that_of_the_ids_and_what_is_gone_is_left_out(posts):
    first, second, _ = posts
    assert [post.pk for post in load_posts([first.pk, 10**12, second.pk])] == [first.pk, second.pk]


def test_nothing_costs_nothing(django_assert_num_queries):
    with django_assert_num_queries(0):
        assert load_posts([]) == []


def test_it_takes_one_query_where_nothing_is_attached(posts, django_assert_num_queries):
    with django_assert_num_queries(1):
        load_posts([posts[1].pk])


@pytest.mark.django_db(transaction=True)
def test_an_attached_item_may_go_whoever_deletes_it():
    (author,) = make_people(1)
    films = [Item.objects.create(kind="film", title=title) for title in ("Heat", "Ronin")]
    posts = [do_create_post(author=author, text="look", attached=film) for film in films]
    Item.objects.filter(pk=films[0].pk).delete()
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM catalog_item WHERE id = %s", [films[1].pk])
    assert [Post.objects.get(pk=post.pk).attached_id for post in posts] == [None, None]
