from __future__ import annotations

import random
from datetime import timedelta

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from feeds import rebuild, selectors, timelines
from feeds.actions import do_create_post
from feeds.models import AuthorOverride, Follow, Mute, Post, ReadingPosition
from feeds.policy import do_decide_modes
from feeds.selectors import home_timeline
from feeds.timelines import home
from recsys.catalog.models import Item
from recsys.outbox.models import OutboxRow
from recsys.outbox.store import lease
from tests.feeds.graph import all_pages, let_follow, make_people, shown, truth

pytestmark = pytest.mark.django_db(transaction=True)


def make_community(seed: int, people: int = 12, posts: int = 120):
    """People who follow, mute and answer one another, some of them pulled, with posts of every kind."""
    dice = random.Random(seed)
    users = make_people(people)
    for user in users:
        let_follow([user], dice.sample(users, dice.randint(0, people - 1)))
    Mute.objects.bulk_create(
        [Mute(muter=one, muted=other) for one, other in (dice.sample(users, 2) for _ in range(5))],
        ignore_conflicts=True,
    )
    for author in dice.sample(users, 2):
        AuthorOverride.objects.create(author=author, mode="pull")
    made: list[Post] = []
    for number in range(posts):
        author = dice.choice(users[: dice.choice([2, people])])
        item = Item.objects.create(kind="post", title=str(number), creator=author)
        made.append(
            Post.objects.create(
                item=item,
                author=author,
                text=str(number),
                visibility=dice.choice(["public", "public", "public", "followers", "private"]),
                reply_to=dice.choice([None, None, *made[-10:]]),
            )
        )
    do_decide_modes(posts=[post.pk for post in made])
    return users


def window(reader) -> timelines.Window | None:
    return timelines.read_windows([home(reader.pk)], before=None, limit=10_000).get(home(reader.pk))


def filled_by_page(reader) -> timelines.Window:
    """What reading a page would fill the window with."""
    graph = selectors.graph_of(reader)
    contents = selectors._contents(graph, [home(reader.pk)])[home(reader.pk)]
    return contents.window(None, 10_000)


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("depth", [3, 1000])
def test_windows_hold_what_reading_would_fill_them_with(valkey, monkeypatch, seed, depth):
    monkeypatch.setattr(rebuild, "DEPTH", depth)
    users = make_community(seed)
    assert rebuild.do_rebuild_windows(readers=[user.pk for user in users]) == len(users)
    for user in users:
        rebuilt, expected = window(user), filled_by_page(user)
        assert rebuilt.tag == expected.tag
        assert rebuilt.posts == [post for post in expected.posts if post >= rebuilt.floor]
        assert depth == 3 or rebuilt.floor == 0


@pytest.mark.parametrize("length", [1, 7, 400])
def test_pages_are_exact_afterwards_and_beyond(valkey, monkeypatch, length, drain_outbox):
    monkeypatch.setattr(rebuild, "LENGTH", length)
    users = make_community(99)
    drain_outbox()
    rebuild.do_rebuild_windows(readers=[user.pk for user in users])
    for user in users:
        assert len(window(user).posts) <= length
        assert all_pages(user, 4) == truth(user)


def test_what_is_posted_meanwhile_is_there(valkey, monkeypatch, drain_outbox):
    """The windows are open before posts are read, so who posts in between finds them."""
    reader, author = make_people(2)
    let_follow([reader], [author])
    original, posts = rebuild._read_posts, []

    def read_and_post(authors):
        found = original(authors)
        posts.append(do_create_post(author=author, text="meanwhile").pk)
        drain_outbox()
        return found

    monkeypatch.setattr(rebuild, "_read_posts", read_and_post)
    rebuild.do_rebuild_windows(readers=[reader.pk])
    assert window(reader).posts == posts


def test_a_window_that_somebody_else_fills_is_left_to_them(valkey):
    one, other = make_people(2)
    timelines.open_windows([home(one.pk)])
    assert rebuild.do_rebuild_windows(readers=[one.pk, other.pk]) == 1
    assert window(one) is None


def test_readers_are_taken_in_parts_that_fit_into_memory(valkey, monkeypatch, django_assert_num_queries):
    users = make_people(7)
    let_follow(users, users)
    monkeypatch.setattr(rebuild, "MOST_FOLLOWS", 12)
    assert [len(part) for part in rebuild._parts([user.pk for user in users])] == [2, 2, 2, 1]
    monkeypatch.setattr(rebuild, "FOLLOWS_PER_TRIP", 6)
    merged = []
    merge = rebuild._contents
    monkeypatch.setattr(rebuild, "_contents", lambda graphs, posts: merged.append(len(graphs)) or merge(graphs, posts))
    with monkeypatch.context() as patch:
        patch.setattr(rebuild, "GRAPHS_AT_ONCE", 3)
        assert [len(part) for part in rebuild._parts([user.pk for user in users])] == [2, 2, 2, 1]
    with django_assert_num_queries(1 + 4):
        rebuild.do_rebuild_windows(readers=[user.pk for user in users])
    assert all(window(user) for user in users)
    assert merged == [1] * 7


def test_people_who_are_gone_or_follow_nobody_do_not_matter(valkey):
    (lonely,) = make_people(1)
    rebuild.do_rebuild_windows(readers=[lonely.pk, 10**12])
    assert window(lonely).posts == []
    assert home_timeline(reader=lonely).posts == []


def read_lately(readers, ago=timedelta()):
    for reader in readers:
        ReadingPosition.objects.update_or_create(reader=reader, defaults={"read_at": timezone.now() - ago})


class TestAfterLoss:
    def test_those_who_read_lately_have_warm_windows_again_the_last_first(self, valkey, monkeypatch, drain_outbox):
        monkeypatch.setattr(rebuild, "CHUNK", 1)
        early, late, away, author = make_people(4)
        let_follow([early, late, away], [author])
        post = do_create_post(author=author, text="hello")
        drain_outbox()
        read_lately([early], timedelta(hours=2))
        read_lately([late])
        read_lately([away], timedelta(days=30))
        valkey.flushdb()
        assert rebuild.do_rebuild_after_loss() == 2
        assert [row.payload["readers"] for row in lease(10)] == [[late.pk], [early.pk]]
        OutboxRow.objects.update(leased_until=timezone.now())
        drain_outbox()
        assert window(early).posts == window(late).posts == [post.pk]
        assert window(away) is None, "who is away costs nothing"

    def test_it_is_noticed_once(self, valkey):
        read_lately(make_people(1))
        assert rebuild.do_rebuild_after_loss() == 1
        assert rebuild.do_rebuild_after_loss() == 0
        valkey.flushdb()
        assert rebuild.do_rebuild_after_loss() == 1

    def test_the_number_of_readers_is_bounded(self, valkey, monkeypatch):
        monkeypatch.setattr(rebuild, "MOST_READERS", 2)
        read_lately(make_people(3))
        (row,) = rebuild.rebuild_chunks()
        assert len(row.payload["readers"]) == 2


class TestCommand:
    def test_it_has_windows_rebuilt_that_lack_something(self, valkey, drain_outbox, capsys):
        reader, author = make_people(2)
        let_follow([reader], [author])
        post = do_create_post(author=author, text="hello")
        drain_outbox()
        home_timeline(reader=reader)
        read_lately([reader])
        valkey.zrem(home(reader.pk).name, post.pk)
        assert shown(reader) == []
        call_command("rebuild_timelines")
        assert "1 readers" in capsys.readouterr().out
        drain_outbox()
        assert shown(reader) == [post.pk]

    def test_it_refuses_nonsense(self):
        with pytest.raises(CommandError, match="1 to 3650"):
            call_command("rebuild_timelines", "--days", "0")


def test_a_follow_after_the_rebuild_makes_the_window_cold_again(valkey, drain_outbox):
    reader, author, other = make_people(3)
    let_follow([reader], [author])
    post = do_create_post(author=other, text="hello")
    drain_outbox()
    rebuild.do_rebuild_windows(readers=[reader.pk])
    Follow.objects.create(follower=reader, followee=other)
    assert shown(reader) == [post.pk]
