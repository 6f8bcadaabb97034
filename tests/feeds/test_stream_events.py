"""What readers of posts are told, and how many of it become one."""

from __future__ import annotations

import orjson
import pytest

from feeds.actions import do_create_post, do_delete_post, do_edit_post, do_repost
from feeds.entries import entries
from feeds.models import Post
from feeds.stream_events import NAMED, edits_of, merge_posts, post_new, version_of
from realtime import streams
from realtime.coalescing import coalesce
from recsys.catalog.counts import stream_of
from tests.feeds.graph import make_people

pytestmark = pytest.mark.django_db


class TestMerging:
    def test_new_posts_are_counted_once_and_named_newest_first(self):
        merged = merge_posts([post_new(3, 1), post_new(7, 2), post_new(3, 1)])
        assert merged == {"type": "posts.new", "posts": [7, 3], "count": 2}

    def test_what_was_merged_merges_further(self):
        events = [post_new(post, 1) for post in range(1, NAMED + 51)]
        at_once = merge_posts(events)
        assert at_once == merge_posts([merge_posts(events[:NAMED]), *events[NAMED:]])
        assert (at_once["count"], len(at_once["posts"])) == (NAMED + 50, NAMED)
        assert at_once["posts"][0] == NAMED + 50
        twice = merge_posts([at_once, merge_posts([post_new(NAMED + 51, 1), post_new(NAMED + 52, 1)])])
        assert (twice["count"], twice["posts"][:2]) == (NAMED + 52, [NAMED + 52, NAMED + 51])

    def test_they_are_registered_and_leave_other_events_where_they_are(self):

        gone = {"type": "post.deleted", "key": 5, "post": 5}
        events = [post_new(1, 1), gone, post_new(2, 1), gone, {"type": "other", "n": 1}]
        merged = [orjson.loads(event) for event in coalesce([orjson.dumps(event).decode() for event in events])]
        assert merged == [{"type": "posts.new", "posts": [2, 1], "count": 2}, gone, {"type": "other", "n": 1}]


class TestVersion:
    def test_it_is_that_of_the_page_and_changes_with_the_words(self):
        author, other = make_people(2)
        post = do_create_post(author=author, text="One")
        repost = do_repost(user=other, post=post)
        seen = {version_of(post)}
        for change in ({"text": "Two"}, {"visibility": "followers"}, {"image_url": "https://a.example/b"}):
            Post.objects.filter(pk=post.pk).update(**change)
            post.refresh_from_db()
            seen.add(version_of(post))
            assert edits_of([post.pk])[post.pk]["version"] == entries(author, [post])[0].version == version_of(post)
            repost = Post.objects.select_related("repost_of").get(pk=repost.pk)
            assert edits_of([repost.pk])[repost.pk]["version"] == entries(author, [repost])[0].version
        assert len(seen) == 4

    def test_what_is_not_about_its_words_leaves_it(self):
        (author,) = make_people(1)
        post = do_create_post(author=author, text="One")
        before = version_of(post)
        Post.objects.filter(pk=post.pk).update(mode="pull")
        post.refresh_from_db()
        assert version_of(post) == before


class TestOnlookers:
    """Whoever has a post before them hears of it, whether they follow its author or not."""

    def told(self, post: int, position: str) -> list[str]:
        recovery = streams.read([stream_of(post)], position)
        assert not recovery.resync
        return [event["type"] for event in recovery.events]

    def test_they_hear_of_edits_and_of_the_end(self, drain_outbox):
        (author,) = make_people(1)
        post = do_create_post(author=author, text="One")
        drain_outbox()
        pk, position = post.pk, streams.positions([stream_of(post.pk)])
        do_edit_post(post=post, by=author, text="Two")
        drain_outbox()
        assert self.told(pk, position) == ["post.edited"]
        do_delete_post(post=post, by=author)
        drain_outbox()
        assert "post.deleted" in self.told(pk, position)

    @pytest.mark.parametrize("visibility", ["followers", "private"])
    def test_for_what_is_not_public_any_more_rights_are_asked_anew(self, drain_outbox, visibility):
        (author,) = make_people(1)
        post = do_create_post(author=author, text="One")
        drain_outbox()
        position = streams.positions([stream_of(post.pk)])
        Post.objects.filter(pk=post.pk).update(visibility=visibility)
        drain_outbox()
        assert {"post.edited", "resubscribe"} <= set(self.told(post.pk, position))
