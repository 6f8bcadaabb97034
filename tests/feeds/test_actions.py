"""Writing: what is refused, what is stored, and who may delete."""

from __future__ import annotations

import pytest
from django.core.exceptions import PermissionDenied

from feeds.actions import check_text, do_create_post, do_delete_post, title_of
from feeds.graph import do_follow
from feeds.models import Post
from recsys.accounts.models import User
from recsys.catalog.models import Item
from recsys.inputs import InputError
from recsys.outbox.models import OutboxRow
from tests.feeds.graph import make_people

pytestmark = pytest.mark.django_db


@pytest.fixture
def people() -> list[User]:
    return make_people(3)


class TestPosts:
    def test_a_post_is_an_item_by_its_author(self, people):
        post = do_create_post(author=people[0], text="  Seen  Heat\nagain \r\n tonight ")
        assert post.text == "Seen  Heat\nagain \n tonight"
        assert (post.item.kind, post.item.title, post.item.creator) == ("post", "Seen Heat again tonight", people[0])
        assert post.mode is None, "the fan-out decides"
        assert post.created_at is not None

    def test_a_long_text_has_a_short_title(self):
        assert title_of("word " * 100) == ("word " * 16)[:79] + "…"

    @pytest.mark.parametrize(
        ("text", "said"),
        [
            ("", "must not be empty"),
            (" \n\t ", "must not be empty"),
            ("\u200b\u2060", "must not be empty"),
            ("x" * 2001, "2001 characters; at most 2000"),
            ("a\x00b", "NUL"),
            ("a\ud800b", "surrogate"),
            ("a\x1bb", "U+001B"),
            ("a\x85b", "U+0085"),
            (None, "must be text"),
            (7, "must be text"),
        ],
    )
    def test_what_cannot_be_a_text_is_refused_and_says_why(self, people, text, said):
        with pytest.raises(InputError, match="text: ") as caught:
            do_create_post(author=people[0], text=text)
        assert said in str(caught.value)
        assert not Item.objects.exists()

    @pytest.mark.parametrize("text", ["x" * 2000, "a\tb\nc", "👍🏽", "نعم", "e\u0301", "👩\u200d🚀"])
    def test_what_people_write_is_taken(self, text):
        assert check_text(text) == text

    def test_the_author_and_staff_delete_a_post_with_its_item(self, people):
        author, staff, _ = people
        staff.is_staff = True
        for by in (author, staff):
            post = do_create_post(author=author, text="hello")
            do_delete_post(post=post, by=by)
            do_delete_post(post=post, by=by)  # somebody was faster: no error
        assert not Post.objects.exists()
        assert not Item.objects.exists()

    def test_nobody_else_deletes_it(self, people):
        post = do_create_post(author=people[0], text="hello")
        with pytest.raises(PermissionDenied):
            do_delete_post(post=post, by=people[1])
        assert Post.objects.filter(pk=post.pk).exists()

    def test_every_write_is_captured(self, people):
        post = do_create_post(author=people[0], text="hello")
        do_delete_post(post=post, by=people[0])
        do_follow(follower=people[0], followee=people[1])
        rows = OutboxRow.objects.filter(aggregatetype__startswith="feeds.").values_list("aggregatetype", "type")
        assert set(rows) == {("feeds.post", "insert"), ("feeds.post", "delete"), ("feeds.follow", "insert")}
