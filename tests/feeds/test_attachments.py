"""Finding what a post can be about."""

from __future__ import annotations

import pytest
from django.db import connection

from feeds.actions import do_create_post
from feeds.attachments import LOOKED_AT, MOST_FOUND, item_of_number, item_of_page, search_attachable
from recsys.catalog.models import Item
from tests.feeds.graph import make_people

pytestmark = pytest.mark.django_db


@pytest.fixture
def film() -> Item:
    return Item.objects.create(kind="film", title="L'Été d'une Héroïne: Part 2")


@pytest.mark.parametrize("words", ["été", "ÉTÉ hér", "part 2", "hé", "une part", "l'été", "été: part!"])
def test_words_of_the_title_find_it(film, words):
    assert search_attachable(words) == [film]


@pytest.mark.parametrize("words", ["", "p", "tété", "été winter", "& | !", "' OR 1=1 --", ":*", "(((", "x" * 1000])
def test_other_words_find_nothing(film, words):
    assert search_attachable(words) == []


def test_the_shortest_titles_come_first_and_not_too_many():
    Item.objects.bulk_create(Item(kind="film", title="Heat " + "x" * number) for number in range(20))
    assert [item.title for item in search_attachable("heat")][:2] == ["Heat ", "Heat x"]
    assert len(search_attachable("heat")) == MOST_FOUND


def test_neither_posts_nor_what_is_not_for_everybody(film):
    post = do_create_post(author=make_people(1)[0], text="été")
    Item.objects.filter(pk=film.pk).update(is_withheld=True)
    assert search_attachable("été") == []
    assert item_of_number(str(film.pk)) is None
    assert item_of_page(f"/items/{post.pk}/") is None


@pytest.mark.parametrize("form", ["/items/{}/", "/items/{}", "https://example.org/items/{}/?r=1#x", " /items/{}/ "])
def test_the_address_of_its_page_names_it(film, form):
    assert item_of_page(form.format(film.pk)) == film


@pytest.mark.parametrize("address", ["", "/items/", "/items/x/", "/items/0/", "12", "/items/99999999999999999999/"])
def test_other_addresses_name_nothing(film, address):
    assert item_of_page(address) is None


def test_the_search_is_served_by_its_index():
    """Seen in the plan, with sequential reading forbidden: the query must be of the very form that the index has."""
    from feeds.attachments import _BY_TITLE

    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
        cursor.execute("EXPLAIN " + _BY_TITLE, ["heat:*", LOOKED_AT, MOST_FOUND])
        plan = "\n".join(row for (row,) in cursor.fetchall())
    assert "item_title_words" in plan
