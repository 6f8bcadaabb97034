"""Writing: what is refused, what is stored, and who may delete."""

from __future__ import annotations

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.contenttypes.models import ContentType
from django.core.exceptions import PermissionDenied

from feeds.actions import (
    check_text,
    do_bookmark,
    do_create_post,
    do_delete_post,
    do_edit_post,
    do_like_post,
    do_remove_bookmark,
    do_repost,
    do_undo_repost,
    do_unlike_post,
)
from feeds.graph import do_follow
from feeds.models import Block, Bookmark, Like, Post, PostStats
from feeds.visibility import UnseenPost
from recsys.accounts.actions import do_erase_user
from recsys.accounts.models import User
from recsys.catalog.models import Item
from recsys.events.models import Interaction
from recsys.inputs import InputError
from recsys.outbox.models import OutboxRow
from tests.feeds.graph import let_follow, make_people

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
        author, _, _ = people
        staff = User.objects.create_superuser("boss")
        for by in (author, staff):
            post = do_create_post(author=author, text="hello")
            do_delete_post(post=post, by=by)
            do_delete_post(post=post, by=by)  # somebody was faster: no error
        assert not Post.objects.exists()
        assert not Item.objects.exists()

    def test_what_staff_take_down_is_remembered_without_its_words(self, people):
        author, staff = people[0], User.objects.create_superuser("boss")
        for by in (author, staff):
            post = do_create_post(author=author, text="Secret words")
            for _ in range(2):  # once, though somebody was faster
                do_delete_post(post=post, by=by)
        entry = LogEntry.objects.get()
        assert (entry.user, entry.object_id, entry.is_deletion()) == (staff, str(post.pk), True)
        assert entry.content_type == ContentType.objects.get_for_model(Post)
        assert entry.change_message == f"Taken down; its author is user {author.pk}."
        assert "Secret" not in str(LogEntry.objects.values().get())
        do_delete_post(post=do_create_post(author=staff, text="hello"), by=staff)
        assert LogEntry.objects.get() == entry, "one's own is no take-down"

    @pytest.mark.parametrize("is_staff", [False, True])
    def test_nobody_else_deletes_it_nor_staff_without_the_right(self, people, is_staff):
        people[1].is_staff = is_staff
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


@pytest.fixture
def film() -> Item:
    return Item.objects.create(kind="film", title="Heat")


class TestContents:
    def test_what_is_given_is_stored(self, people, film):
        post = do_create_post(
            author=people[0],
            text="Seen",
            visibility="followers",
            attached=film,
            image_url=" https://example.org/a.png ",
            image_alt=" A heron ",
        )
        post.refresh_from_db()
        assert (post.visibility, post.attached, post.image_url, post.image_alt) == (
            "followers",
            film,
            "https://example.org/a.png",
            "A heron",
        )
        assert Item.objects.get(pk=post.pk).image_url == post.image_url

    @pytest.mark.parametrize(
        ("given", "field", "said"),
        [
            ({"visibility": "everyone"}, "visibility", "public, followers, private"),
            ({"image_url": "javascript:alert(1)", "image_alt": "x"}, "image_url", "https://"),
            ({"image_url": "data:image/png;base64,x", "image_alt": "x"}, "image_url", "https://"),
            ({"image_url": "https://", "image_alt": "x"}, "image_url", "https://"),
            ({"image_url": "https://a b/", "image_alt": "x"}, "image_url", "https://"),
            ({"image_url": "http://[", "image_alt": "x"}, "image_url", "https://"),
            ({"image_url": "https://a/" + "x" * 1000, "image_alt": "x"}, "image_url", "at most 1000"),
            ({"image_url": "https://a/\x00", "image_alt": "x"}, "image_url", "NUL"),
            ({"image_url": "https://a/x.png"}, "image_alt", "Say what the image shows"),
            ({"image_url": "https://a/x.png", "image_alt": "x" * 501}, "image_alt", "at most 500"),
            ({"image_alt": "x"}, "image_url", "no image"),
            ({"image_url": 7, "image_alt": "x"}, "image_url", "must be text"),
        ],
    )
    def test_what_cannot_be_is_refused_by_name(self, people, given, field, said):
        with pytest.raises(InputError) as caught:
            do_create_post(author=people[0], text="x", **given)
        assert [error.field for error in caught.value.errors] == [field]
        assert said in str(caught.value)
        assert not Item.objects.exists()

    def test_everything_that_is_wrong_is_said_at_once(self, people):
        with pytest.raises(InputError) as caught:
            do_create_post(author=people[0], text="", image_url="x", attached=Item(kind="post"))
        assert [error.field for error in caught.value.errors] == ["text", "image_url", "attached"]

    def test_neither_posts_nor_withheld_things_are_attached(self, people, film):
        post = do_create_post(author=people[0], text="x")
        film.is_withheld = True
        for item in (post.item, film):
            with pytest.raises(InputError, match="attached"):
                do_create_post(author=people[0], text="y", attached=item)

    def test_the_same_external_id_is_the_same_post(self, people, film):
        first = do_create_post(author=people[0], text="x", external_id="p/1")
        assert do_create_post(author=people[0], text="other", external_id="p/1") == first
        assert Post.objects.get().text == "x"
        with pytest.raises(InputError, match="external_id"):
            do_create_post(author=people[1], text="x", external_id="p/1")
        Item.objects.filter(pk=film.pk).update(external_id="film/1")
        with pytest.raises(InputError, match="external_id"):
            do_create_post(author=people[0], text="x", external_id="film/1")


class TestReplies:
    def test_answer_what_the_author_may_see(self, people):
        post = do_create_post(author=people[0], text="?")
        reply = do_create_post(author=people[1], text="!", reply_to=post)
        assert (reply.reply_to, reply.reply_to_author) == (post, people[0])
        assert PostStats.objects.get(post=post).reply_count == 1
        hidden = do_create_post(author=people[0], text="?", visibility="followers")
        with pytest.raises(UnseenPost):
            do_create_post(author=people[1], text="!", reply_to=hidden)
        Block.objects.create(blocker=people[0], blocked=people[1])
        with pytest.raises(UnseenPost):
            do_create_post(author=people[1], text="!", reply_to=post)

    def test_to_a_repost_answer_the_original(self, people):
        post = do_create_post(author=people[0], text="?")
        repost = do_repost(user=people[1], post=post)
        assert do_create_post(author=people[2], text="!", reply_to=repost).reply_to == post

    @pytest.mark.parametrize("wanted", ["public", "followers", "private"])
    def test_are_no_more_open_than_somebodys_post(self, people, wanted):
        let_follow([people[1]], [people[0]])
        post = do_create_post(author=people[0], text="?", visibility="followers")
        reply = do_create_post(author=people[1], text="!", reply_to=post, visibility=wanted)
        assert reply.visibility == ("followers" if wanted == "public" else wanted)
        own = do_create_post(author=people[0], text="!", reply_to=post, visibility=wanted)
        assert own.visibility == wanted

    def test_to_a_private_account_are_not_for_everybody(self, people):
        User.objects.filter(pk=people[0].pk).update(is_private=True)
        let_follow([people[1]], [people[0]])
        post = Post.objects.get(pk=do_create_post(author=people[0], text="?").pk)
        assert do_create_post(author=people[1], text="!", reply_to=post).visibility == "followers"

    def test_to_what_is_gone_are_refused(self, people):
        post = do_create_post(author=people[0], text="?")
        do_delete_post(post=post, by=people[0])
        with pytest.raises(UnseenPost):
            do_create_post(author=people[1], text="!", reply_to=post)


class TestEditing:
    def test_says_it_anew_and_when(self, people, film):
        post = do_create_post(author=people[0], text="One", image_url="https://a/x.png", image_alt="x")
        assert post.edited_at is None
        do_edit_post(post=post, by=people[0], text="Two", attached=film)
        found = Post.objects.get()
        assert (found.text, found.attached, found.image_url, found.image_alt) == ("Two", film, "", "")
        assert found.edited_at is not None
        assert ("feeds.post", "update") in set(OutboxRow.objects.values_list("aggregatetype", "type"))

    def test_the_same_words_are_no_edit(self, people):
        post = do_create_post(author=people[0], text="One")
        do_edit_post(post=post, by=people[0], text=" One ")
        assert Post.objects.get().edited_at is None

    def test_what_was_attached_may_stay_whatever_became_of_it(self, people, film):
        post = do_create_post(author=people[0], text="One", attached=film)
        film.is_withheld = True
        film.save()
        assert do_edit_post(post=post, by=people[0], text="Two", attached=film).attached == film

    def test_only_the_author_may_and_never_a_repost(self, people):
        people[1].is_staff = True
        post = do_create_post(author=people[0], text="One")
        with pytest.raises(PermissionDenied):
            do_edit_post(post=post, by=people[1], text="Two")
        repost = do_repost(user=people[1], post=post)
        with pytest.raises(InputError, match="no words"):
            do_edit_post(post=repost, by=people[1], text="Two")
        assert Post.objects.get(pk=post.pk).text == "One"

    def test_of_what_is_gone_is_refused(self, people):
        post = do_create_post(author=people[0], text="One")
        Item.objects.all().delete()
        with pytest.raises(UnseenPost):
            do_edit_post(post=post, by=people[0], text="Two")


class TestReposts:
    def test_are_made_once_and_taken_back(self, people):
        post = do_create_post(author=people[0], text="Hello")
        repost = do_repost(user=people[1], post=post)
        assert do_repost(user=people[1], post=post) == repost
        assert (repost.repost_of, repost.text) == (post, "")
        assert Item.objects.get(pk=repost.pk).is_withheld, "a repost is not recommended"
        assert PostStats.objects.get(post=post).repost_count == 1
        assert do_undo_repost(user=people[1], post=post)
        assert not do_undo_repost(user=people[1], post=post)
        assert Post.objects.get() == post
        assert Item.objects.count() == 1

    def test_of_a_repost_show_the_original(self, people):
        post = do_create_post(author=people[0], text="Hello")
        first = do_repost(user=people[1], post=post)
        second = do_repost(user=people[2], post=first)
        assert second.repost_of == post
        assert do_undo_repost(user=people[2], post=first)

    @pytest.mark.parametrize("visibility", ["followers", "private"])
    def test_only_of_what_is_for_everybody(self, people, visibility):
        let_follow([people[1]], [people[0]])
        post = do_create_post(author=people[0], text="Hello", visibility=visibility)
        with pytest.raises(InputError if visibility == "followers" else UnseenPost):
            do_repost(user=people[1], post=post)

    def test_not_of_private_accounts_nor_of_ones_own(self, people):
        let_follow([people[1]], [people[0]])
        post = do_create_post(author=people[0], text="Hello")
        with pytest.raises(InputError, match="your own"):
            do_repost(user=people[0], post=post)
        User.objects.update(is_private=True)
        with pytest.raises(InputError, match="for everybody"):
            do_repost(user=people[1], post=Post.objects.get())
        assert Post.objects.get() == post

    def test_not_by_an_account_that_has_been_erased_meanwhile(self, people):
        post = do_create_post(author=people[0], text="Hello")
        do_erase_user(user=people[1])
        with pytest.raises(InputError, match="no such account any more"):
            do_repost(user=people[1], post=post)
        assert Item.objects.get() == post.item

    def test_go_with_what_they_show(self, people):
        post = do_create_post(author=people[0], text="Hello")
        do_repost(user=people[1], post=post)
        do_delete_post(post=post, by=people[0])
        assert not Post.objects.exists()
        assert not Item.objects.exists()


class TestLikesAndBookmarks:
    def test_a_like_goes_through_the_events(self, people):
        post = do_create_post(author=people[0], text="Hello")
        assert do_like_post(user=people[1], post=post)
        assert not do_like_post(user=people[1], post=post)
        assert Like.objects.get().user == people[1]
        assert Interaction.objects.get().kind == "like"
        assert PostStats.objects.get(post=post).like_count == 1
        assert do_unlike_post(user=people[1], post=post)
        assert not do_unlike_post(user=people[1], post=post)
        assert not Like.objects.exists()
        assert do_like_post(user=people[1], post=post), "and again"

    def test_a_bookmark_is_kept_once(self, people):
        post = do_create_post(author=people[0], text="Hello")
        assert do_bookmark(user=people[1], post=post)
        assert not do_bookmark(user=people[1], post=post)
        assert Bookmark.objects.count() == 1
        assert do_remove_bookmark(user=people[1], post=post)
        assert not do_remove_bookmark(user=people[1], post=post)

    def test_of_a_repost_they_are_about_the_original(self, people):
        post = do_create_post(author=people[0], text="Hello")
        repost = do_repost(user=people[1], post=post)
        do_like_post(user=people[2], post=repost)
        do_bookmark(user=people[2], post=repost)
        assert Like.objects.get().post == Bookmark.objects.get().post == post
        assert do_unlike_post(user=people[2], post=repost)
        assert do_remove_bookmark(user=people[2], post=repost)

    @pytest.mark.parametrize("deed", [do_like_post, do_bookmark, do_repost])
    def test_nobody_does_anything_with_what_they_may_not_see(self, people, deed):
        for visibility in ("followers", "private"):
            with pytest.raises(UnseenPost):
                deed(user=people[1], post=do_create_post(author=people[0], text="Hello", visibility=visibility))
        post = do_create_post(author=people[0], text="Hello")
        Block.objects.create(blocker=people[0], blocked=people[1])
        with pytest.raises(UnseenPost):
            deed(user=people[1], post=post)
        assert not any(model.objects.exists() for model in (Like, Bookmark, Interaction))
