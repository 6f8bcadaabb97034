"""From a commit to windows and streams: what is written where, in which order, and what a repetition does."""

from __future__ import annotations

import pytest

from feeds import audience, fanout, timelines
from feeds.actions import do_create_post, do_delete_post, do_edit_post, do_repost
from feeds.graph import do_follow, do_mute, do_unfollow
from feeds.models import AuthorOverride, Follow, Post
from feeds.selectors import home_timeline
from feeds.subscriptions import author_stream, timeline_streams, user_stream
from feeds.timelines import author_list, home, read_windows
from realtime import streams
from recsys.accounts.models import User
from recsys.outbox import store
from recsys.outbox.handlers import Row, execute
from recsys.outbox.models import OutboxRow
from tests.feeds.graph import let_follow, make_people, shown

pytestmark = pytest.mark.django_db


def window(key):
    found = read_windows([key], before=None, limit=1000).get(key)
    return found and found.posts


def listen(*readers: User) -> dict[User, str]:
    return {reader: streams.positions(timeline_streams([reader.pk])[reader.pk]) for reader in readers}


def heard(reader: User, position: str) -> list[tuple]:
    """(type, post) of all events since `position`."""
    recovery = streams.read(timeline_streams([reader.pk])[reader.pk], position)
    assert not recovery.resync
    return [(event["type"], event.get("post")) for event in recovery.events]


def pull(author: User) -> None:
    AuthorOverride.objects.create(author=author, mode="pull")


@pytest.fixture
def people(drain_outbox) -> list[User]:
    """An author, and three who follow them."""
    people = make_people(4)
    let_follow(people[1:], people[:1])
    drain_outbox()
    return people


class TestPush:
    def test_reaches_warm_windows_and_costs_cold_readers_nothing(self, people, drain_outbox, valkey):
        author, warm, cold, _ = people
        home_timeline(reader=warm)
        post = do_create_post(author=author, text="hello")
        drain_outbox()
        assert window(home(warm.pk)) == [post.pk]
        assert not valkey.exists(home(cold.pk).name)
        assert not [key for key in valkey.scan_iter() if str(cold.pk) in key.decode().split(":")]

    def test_tells_followers_and_the_author_once(self, people, drain_outbox):
        positions = listen(*people)
        post = do_create_post(author=people[0], text="hello")
        drain_outbox()
        for reader, position in positions.items():
            assert heard(reader, position) == [("post.new", post.pk)]

    def test_tells_nobody_else(self, people, drain_outbox):
        (stranger,) = make_people(1, "stranger")
        home_timeline(reader=stranger)
        position = listen(stranger)[stranger]
        do_create_post(author=people[0], text="hello")
        drain_outbox()
        assert heard(stranger, position) == []
        assert window(home(stranger.pk)) == []

    def test_a_large_author_is_split_into_chunks_that_reach_each_follower_once(self, people, drain_outbox, monkeypatch):
        monkeypatch.setattr(audience, "CHUNK", 3)
        author, followers = people[0], [*people[1:], *make_people(7, "more")]
        let_follow(followers[3:], [author])
        drain_outbox()
        positions = listen(author, *followers)
        for reader in followers:
            home_timeline(reader=reader)
        post = do_create_post(author=author, text="hello")
        execute("feeds.post", [row for row in store.lease(100) if row.topic == "feeds.post"])
        chunks = OutboxRow.objects.filter(aggregatetype=fanout.CHUNK_TOPIC)
        assert sorted(len(row.payload["readers"]) for row in chunks) == [1, 3, 3, 3]
        assert all(window(home(reader.pk)) == [] for reader in followers), "the chunks deliver, not the parent"
        drain_outbox()
        for reader in followers:
            assert window(home(reader.pk)) == [post.pk]
        for reader, position in positions.items():
            assert heard(reader, position) == [("post.new", post.pk)]

    @pytest.mark.parametrize("followers", [0, 1, 2, 3, 4, 6])
    def test_chunks_cover_all_followers_whatever_their_number(self, followers, monkeypatch):
        monkeypatch.setattr(audience, "CHUNK", 2)
        author, *readers = make_people(followers + 1)
        let_follow(readers, [author])
        children = fanout.spread(author.pk, "deliver", {"posts": []})
        reached = [reader for child in children for reader in child.payload["readers"]]
        assert reached == sorted(reader.pk for reader in readers) if children else followers <= 2

    def test_a_chunk_delivers_to_who_follows_now_and_what_exists_now(self, people, drain_outbox, monkeypatch):
        monkeypatch.setattr(audience, "CHUNK", 1)
        author, gone, stays, _ = people
        posts = [do_create_post(author=author, text="hello") for _ in range(2)]
        for reader in (gone, stays):
            home_timeline(reader=reader)
        execute("feeds.post", [row for row in store.lease(100) if row.topic == "feeds.post"])
        do_unfollow(follower=gone, followee=author)
        do_delete_post(post=posts[0], by=author)
        OutboxRow.objects.exclude(aggregatetype=fanout.CHUNK_TOPIC).delete()
        position = listen(gone)[gone]
        drain_outbox()
        assert heard(gone, position) == []
        assert shown(stays) == [posts[1].pk]

    def test_a_second_delivery_changes_no_timeline(self, people, drain_outbox):
        author, reader, *_ = people
        home_timeline(reader=reader)
        post = do_create_post(author=author, text="hello")
        rows = store.lease(100)
        for _ in range(2):
            execute("feeds.post", [row for row in rows if row.topic == "feeds.post"])
        drain_outbox()
        assert window(home(reader.pk)) == [post.pk]
        assert shown(reader) == [post.pk]


class TestPull:
    def test_writes_the_same_however_many_follow(self, people, drain_outbox, valkey):
        author, *readers = people
        pull(author)
        for reader in readers:
            home_timeline(reader=reader)
        first = do_create_post(author=author, text="hello")
        drain_outbox()
        for reader in readers:
            assert shown(reader) == [first.pk]
            assert window(home(reader.pk)) == []
        second = do_create_post(author=author, text="again")
        drain_outbox()
        assert window(author_list(author.pk)) == [second.pk, first.pk]
        assert [shown(reader) for reader in readers] == [[second.pk, first.pk]] * 3

    def test_tells_the_authors_stream(self, people, drain_outbox):
        author, reader, *_ = people
        pull(author)
        do_create_post(author=author, text="the first")
        drain_outbox()
        positions = listen(author, reader)
        post = do_create_post(author=author, text="hello")
        drain_outbox()
        assert heard(reader, positions[reader]) == [("post.new", post.pk)]
        assert ("post.new", post.pk) in heard(author, positions[author])

    def test_announces_nothing_that_some_of_the_listeners_do_not_see(self, people, drain_outbox):
        """A repost of what a reader has already, and a reply to somebody whom the reader does not follow."""
        author, reader, *_ = people
        followed, stranger = make_people(2, "other")
        do_follow(follower=reader, followee=followed)
        known = do_create_post(author=followed, text="known")
        answered = do_create_post(author=stranger, text="by a stranger")
        pull(author)
        do_create_post(author=author, text="the first")
        drain_outbox()
        position = listen(reader)[reader]
        do_repost(user=author, post=known)
        do_create_post(author=author, text="a reply", reply_to=answered)
        thread = do_create_post(author=author, text="to everybody")
        own = do_create_post(author=author, text="and on", reply_to=thread)
        drain_outbox()
        assert [post for _, post in heard(reader, position)] == [thread.pk, own.pk]
        assert shown(reader)[:2] == [own.pk, thread.pk]

    def test_the_first_pulled_post_that_is_a_repost_is_not_announced(self, people, drain_outbox):
        author, reader, *_ = people
        (followed,) = make_people(1, "other")
        do_follow(follower=reader, followee=followed)
        known = do_create_post(author=followed, text="known")
        drain_outbox()
        pull(author)
        own_stream = [user_stream(reader.pk)]
        position = streams.positions(own_stream)
        do_repost(user=author, post=known)
        drain_outbox()
        assert [event["type"] for event in streams.read(own_stream, position).events] == ["resubscribe"]

    def test_the_first_pulled_post_makes_followers_listen_without_a_gap(self, people, drain_outbox, monkeypatch):
        """Who is connected while an author crosses the threshold: told of the post, and where to listen from."""
        monkeypatch.setattr(audience, "CHUNK", 2)
        author, reader, *_ = people
        own_stream = [user_stream(reader.pk)]
        position = streams.positions(own_stream)
        pull(author)
        first = do_create_post(author=author, text="the first")
        drain_outbox()
        second = do_create_post(author=author, text="the second")
        drain_outbox()
        events = streams.read(own_stream, position).events
        assert [event["type"] for event in events] == ["post.new", "resubscribe"]
        assert events[0]["post"] == first.pk
        after = streams.read([author_stream(author.pk)], events[1]["position"])
        assert [event["post"] for event in after.events][-1] == second.pk
        assert not after.resync

    def test_the_first_pulled_post_is_announced_to_nobody_who_has_muted_the_author(self, people, drain_outbox):
        author, reader, *_ = people
        do_mute(muter=reader, muted=author)
        drain_outbox()
        pull(author)
        own_stream = [user_stream(reader.pk)]
        position = streams.positions(own_stream)
        do_create_post(author=author, text="the first")
        drain_outbox()
        assert "post.new" not in [event["type"] for event in streams.read(own_stream, position).events]

    def test_more_first_pulled_posts_than_are_told_of_one_by_one_make_followers_reload(
        self, people, drain_outbox, monkeypatch
    ):
        """As where the announcement comes late: who follows listens already, from behind the first of them."""
        monkeypatch.setattr(fanout, "ANNOUNCED", 2)
        author, reader, *_ = people
        own_stream = [user_stream(reader.pk)]
        position = streams.positions(own_stream)
        pull(author)
        posts = [do_create_post(author=author, text=f"post {number}") for number in range(3)]
        drain_outbox()
        assert streams.read(own_stream, position).resync
        page = home_timeline(reader=reader)
        assert [post.pk for post in page.posts[:3]] == [post.pk for post in reversed(posts)]
        last = do_create_post(author=author, text="one more")
        drain_outbox()
        assert heard(reader, page.position) == [("post.new", last.pk)]

    def test_crossing_the_threshold_either_way_leaves_old_posts_where_they_are(self, people, drain_outbox):
        author, reader, *_ = people
        home_timeline(reader=reader)
        posts = [do_create_post(author=author, text="pushed")]
        drain_outbox()
        pull(author)
        posts.append(do_create_post(author=author, text="pulled"))
        drain_outbox()
        AuthorOverride.objects.all().delete()
        posts.append(do_create_post(author=author, text="pushed again"))
        drain_outbox()
        assert [Post.objects.get(pk=post.pk).mode for post in posts] == ["push", "pull", "push"]
        assert shown(reader) == [post.pk for post in reversed(posts)]


class TestDelete:
    @pytest.mark.parametrize("mode", ["push", "pull"])
    def test_takes_the_post_from_pages_and_says_so(self, people, drain_outbox, mode):
        author, reader, *_ = people
        AuthorOverride.objects.create(author=author, mode=mode)
        posts = [do_create_post(author=author, text="hello") for _ in range(2)]
        drain_outbox()
        assert shown(reader) == [posts[1].pk, posts[0].pk]
        positions = listen(author, reader)
        do_delete_post(post=posts[0], by=author)
        assert shown(reader) == [posts[1].pk], "reading decides, before anything was handled"
        drain_outbox()
        assert heard(reader, positions[reader]) == [("post.deleted", posts[0].pk)]
        assert ("post.deleted", posts[0].pk) in heard(author, positions[author])

    def test_before_its_fan_out_leaves_nothing(self, people, drain_outbox):
        author, reader, *_ = people
        home_timeline(reader=reader)
        do_delete_post(post=do_create_post(author=author, text="hello"), by=author)
        drain_outbox()
        assert window(home(reader.pk)) == []
        assert shown(reader) == []

    def test_a_late_delivery_cannot_bring_it_back(self, people, drain_outbox):
        author, reader, *_ = people
        post = do_create_post(author=author, text="hello")
        drain_outbox()
        home_timeline(reader=reader)
        do_delete_post(post=post, by=author)
        drain_outbox()
        timelines.add_posts([([home(reader.pk).name], [post.pk])])
        assert shown(reader) == []


class TestBeforeItsFanOut:
    """A post that is edited or deleted at once: the row of that does not know how the post will be delivered."""

    @pytest.fixture
    def pulled(self, people, drain_outbox, monkeypatch) -> list[User]:
        """The author is pulled, and known as such; each follower is a chunk."""
        pull(people[0])
        do_create_post(author=people[0], text="the first")
        drain_outbox()
        for reader in people[1:]:
            home_timeline(reader=reader)
        monkeypatch.setattr(audience, "CHUNK", 1)
        return people

    def posts_and_chunks(self, rows: list[Row]) -> tuple[list[Row], int]:
        """Handle what is captured of posts; the rows, and how many chunks for followers came of them."""
        posts = [row for row in rows if row.topic == "feeds.post"]
        assert not execute("feeds.post", posts)
        return posts, OutboxRow.objects.filter(aggregatetype=fanout.CHUNK_TOPIC).count()

    def test_an_edit_of_a_pulled_post_goes_to_the_authors_stream_alone(self, pulled, drain_outbox):
        author, reader, *_ = pulled
        own_stream = [user_stream(reader.pk)]
        position, own_position = listen(reader)[reader], streams.positions(own_stream)
        post = do_create_post(author=author, text="helo")
        do_edit_post(post=post, by=author, text="hello")
        rows, chunks = self.posts_and_chunks(store.lease(100))
        assert ([row.payload["mode"] for row in rows], chunks) == ([None, None], 0)
        drain_outbox()
        assert heard(reader, position) == [("post.new", post.pk), ("post.edited", post.pk)]
        assert streams.read(own_stream, own_position).events == []
        assert window(home(reader.pk)) == []
        assert shown(reader)[0] == post.pk

    @pytest.mark.parametrize("mode", ["push", "pull"])
    def test_an_edit_that_is_handled_first_delivers_the_post(self, pulled, drain_outbox, mode):
        author, reader, *_ = pulled
        AuthorOverride.objects.filter(author=author).update(mode=mode)
        position = listen(reader)[reader]
        post = do_create_post(author=author, text="helo")
        do_edit_post(post=post, by=author, text="hello")
        rows = store.lease(100)
        _, chunks = self.posts_and_chunks([row for row in rows if row.type == "update"])
        assert bool(chunks) == (mode == "push")
        drain_outbox()
        assert Post.objects.get(pk=post.pk).mode == mode
        assert set(heard(reader, position)) == {("post.new", post.pk), ("post.edited", post.pk)}
        assert (post.pk in window(home(reader.pk))) == (mode == "push")
        assert (post.pk in window(author_list(author.pk))) == (mode == "pull")
        before = shown(reader)
        self.posts_and_chunks([row for row in rows if row.type == "insert"])
        drain_outbox()
        assert shown(reader) == before
        assert before[0] == post.pk

    @pytest.mark.parametrize("mode", ["push", "pull"])
    def test_a_deletion_is_told_to_its_author_alone_and_nothing_is_delivered_later(self, pulled, drain_outbox, mode):
        author, reader, *_ = pulled
        AuthorOverride.objects.filter(author=author).update(mode=mode)
        positions = listen(author, reader)
        post = do_create_post(author=author, text="hello")
        do_delete_post(post=post, by=author)
        rows = store.lease(100)
        _, chunks = self.posts_and_chunks([row for row in rows if row.type == "delete"])
        self.posts_and_chunks([row for row in rows if row.type == "insert"])
        assert chunks == 0
        drain_outbox()
        assert heard(author, positions[author]) == [("post.deleted", post.pk)]
        assert heard(reader, positions[reader]) == []
        assert post.pk not in [*window(home(reader.pk)), *window(author_list(author.pk))]


class TestFollow:
    @pytest.mark.parametrize("mode", ["push", "pull"])
    def test_counts_in_the_very_next_page(self, people, drain_outbox, mode):
        author, *_ = people
        (reader,) = make_people(1, "new")
        AuthorOverride.objects.create(author=author, mode=mode)
        post = do_create_post(author=author, text="hello")
        drain_outbox()
        assert shown(reader) == []
        do_follow(follower=reader, followee=author)
        assert shown(reader) == [post.pk]
        do_unfollow(follower=reader, followee=author)
        assert shown(reader) == []
        do_follow(follower=reader, followee=author)
        assert shown(reader) == [post.pk]

    def test_what_was_posted_between_unfollowing_and_following_is_there(self, people, drain_outbox):
        """The same people are followed as before, yet the window lacks what came meanwhile."""
        author, reader, *_ = people
        home_timeline(reader=reader)
        do_unfollow(follower=reader, followee=author)
        post = do_create_post(author=author, text="hello")
        drain_outbox()
        do_follow(follower=reader, followee=author)
        assert shown(reader) == [post.pk]

    def test_connections_ask_again_which_streams_they_have(self, people, drain_outbox):
        author, reader, *_ = people
        position = streams.positions([user_stream(reader.pk)])
        do_unfollow(follower=reader, followee=author)
        drain_outbox()
        recovery = streams.read([user_stream(reader.pk)], position)
        assert [event["type"] for event in recovery.events] == ["resubscribe"]

    def test_edges_written_past_the_application_count_too(self, people, drain_outbox):
        author, reader, *_ = people
        post = do_create_post(author=author, text="hello")
        drain_outbox()
        Follow.objects.filter(follower=reader).delete()
        assert shown(reader) == []
        Follow.objects.create(follower=reader, followee=author)
        assert shown(reader) == [post.pk]


@pytest.mark.parametrize("chunk", [1, 1000])
def test_a_post_that_becomes_visible_gets_into_windows_that_lack_it(valkey, drain_outbox, monkeypatch, chunk):
    """No action of ours does so; raw SQL may."""
    monkeypatch.setattr(audience, "CHUNK", chunk)
    first, second, author = make_people(3)
    let_follow([first, second], [author])
    post = do_create_post(author=author, text="for me alone", visibility="private")
    drain_outbox()
    assert [shown(first), shown(second)] == [[], []]  # their windows are warm now
    Post.objects.filter(pk=post.pk).update(visibility="public")
    drain_outbox()
    assert [shown(first), shown(second)] == [[post.pk], [post.pk]]
