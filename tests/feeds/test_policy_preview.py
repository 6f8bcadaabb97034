"""The figures of a preview, against a slow count by the rule for one author."""

from __future__ import annotations

import random
from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone
from hypothesis import given, settings
from hypothesis import strategies as st

from feeds import policy_preview
from feeds.models import AuthorOverride, AuthorStats, FanoutPolicy, Follow, Post
from feeds.policy import do_decide_modes, do_save_policy, expected_mode
from feeds.policy_preview import DAYS, Figures, Move, Preview, preview_policy
from recsys.accounts.models import User
from recsys.catalog.models import Item
from tests.feeds.graph import let_follow, make_people

pytestmark = pytest.mark.django_db


def write(author: User, count: int, *, days_ago: float = 1) -> list[Post]:
    written = timezone.now() - timedelta(days=days_ago)
    items = Item.objects.bulk_create(Item(title="x", kind="post", creator=author) for _ in range(count))
    return Post.objects.bulk_create(Post(item=item, author=author, text="x", created_at=written) for item in items)


def know(author: User, followers: int, *, celebrity: bool = False, pulled: bool = False) -> AuthorStats:
    return AuthorStats.objects.create(
        author=author, follower_count=followers, is_celebrity=celebrity, has_pull_posts=pulled
    )


def modes(policy: FanoutPolicy) -> dict[int, str]:
    """The mode of the next post of every author that the fan-out knows."""
    overrides = dict(AuthorOverride.objects.values_list("author", "mode"))
    return {
        stats.pk: expected_mode(
            follower_count=stats.follower_count,
            is_celebrity=stats.is_celebrity,
            override=overrides.get(stats.pk),
            policy=policy,
        )
        for stats in AuthorStats.objects.all()
    }


def reference(threshold: int, lower_bound: int) -> Preview:
    """The same figures, one author, post and reader after the other."""
    policies = FanoutPolicy.objects.get(), FanoutPolicy(celebrity_threshold=threshold, lower_bound=lower_bound)
    now, then = map(modes, policies)
    stats = AuthorStats.objects.in_bulk()
    recent = Post.objects.filter(created_at__gte=timezone.now() - timedelta(days=DAYS))
    deliveries = dict.fromkeys(stats, 0.0)
    for post in recent:
        deliveries[post.author_id] += stats[post.author_id].follower_count / DAYS
    readers: dict[int, list[int]] = {}
    for edge in Follow.objects.all():
        readers.setdefault(edge.follower_id, []).append(edge.followee_id)

    def figures(mode: dict[int, str]) -> Figures:
        lists = [
            sum(mode[one] == "pull" or stats[one].has_pull_posts for one in followed) for followed in readers.values()
        ]
        return Figures(
            pulled_authors=sum(one == "pull" for one in mode.values()),
            pushed_a_day=sum(deliveries[one] for one in mode if mode[one] == "push"),
            lists_average=sum(lists) / max(1, len(lists)),
            lists_most=max(lists, default=0),
        )

    moved = [one for one in stats if now[one] != then[one]]
    to_pull, to_push = (
        Move(len(some), sum(deliveries[one] for one in some))
        for some in ([one for one in moved if then[one] == mode] for mode in ("pull", "push"))
    )
    return Preview(figures(now), figures(then), to_pull, to_push, [], float(DAYS), recent.count(), len(readers))


def assert_same(found: Preview, expected: Preview) -> None:
    for name in ("now", "then"):
        one, other = getattr(found, name), getattr(expected, name)
        assert (one.pulled_authors, one.lists_most) == (other.pulled_authors, other.lists_most)
        assert one.pushed_a_day == pytest.approx(other.pushed_a_day)
        assert one.lists_average == pytest.approx(other.lists_average)
    for name in ("to_pull", "to_push"):
        one, other = getattr(found, name), getattr(expected, name)
        assert one.authors == other.authors
        assert one.deliveries_a_day == pytest.approx(other.deliveries_a_day)
    assert (found.days, found.posts, found.readers) == (expected.days, expected.posts, expected.readers)


bounds = st.tuples(st.integers(0, 8), st.integers(0, 8)).map(lambda pair: (max(pair), min(pair)))
authors = st.tuples(
    st.integers(0, 9), st.booleans(), st.booleans(), st.sampled_from([None, None, None, "push", "pull"]),
    st.integers(0, 2), st.integers(0, 2),
)  # fmt: skip


@settings(max_examples=80)
@given(saved=bounds, entered=bounds, known=st.lists(authors, max_size=8), seed=st.randoms(use_true_random=False))
def test_a_preview_counts_what_the_rule_for_one_author_says(saved, entered, known, seed: random.Random):
    Item.objects.all().delete()
    User.objects.all().delete()
    do_save_policy(threshold=saved[0], lower_bound=saved[1])
    people = make_people(len(known))
    for person in people:
        let_follow([person], seed.sample(people, seed.randrange(len(people))))
    for person, (followers, celebrity, pulled, override, posts, old_posts) in zip(people, known, strict=True):
        AuthorStats.objects.update_or_create(
            author=person,
            defaults={"follower_count": followers, "is_celebrity": celebrity, "has_pull_posts": pulled},
        )
        if override:
            AuthorOverride.objects.create(author=person, mode=override)
        write(person, posts)
        write(person, old_posts, days_ago=DAYS + 1)
    before, after = modes(FanoutPolicy.objects.get()), modes(FanoutPolicy(None, *entered))
    found = preview_policy(threshold=entered[0], lower_bound=entered[1])
    assert_same(found, reference(*entered))
    assert {one.pk: one.mode for one in found.largest} == {pk: mode for pk, mode in after.items() if before[pk] != mode}
    assert sum(one.deliveries_a_day for one in found.largest) == pytest.approx(
        found.to_pull.deliveries_a_day + found.to_push.deliveries_a_day
    )


def test_what_is_previewed_is_what_the_next_posts_get():
    people = make_people(6)
    for number, person in enumerate(people):
        know(person, followers=number * 10, celebrity=number % 2 == 0)
    do_save_policy(threshold=100, lower_bound=0)
    found = preview_policy(threshold=30, lower_bound=20)
    assert FanoutPolicy.objects.get().celebrity_threshold == 100
    do_save_policy(threshold=30, lower_bound=20)
    posts = [post.pk for person in people for post in write(person, 1)]
    do_decide_modes(posts=posts)
    pulled = Post.objects.filter(mode="pull").values_list("author__username", flat=True)
    assert sorted(pulled) == ["p2", "p3", "p4", "p5"]
    assert found.then.pulled_authors == 4
    assert {one.username: one.mode for one in found.largest} == {"p0": "push", "p3": "pull", "p5": "pull"}


def test_the_saved_bounds_move_nobody():
    (ana,) = make_people(1)
    know(ana, followers=50)
    found = preview_policy(threshold=10_000, lower_bound=8_000)
    assert found.now == found.then
    assert found.authors_moved == 0
    assert found.largest == []


def test_the_most_followed_are_named_first():
    people = make_people(25)
    for number, person in enumerate(people):
        know(person, followers=100 + number)
    write(people[24], 14)
    found = preview_policy(threshold=100, lower_bound=50)
    assert [one.username for one in found.largest] == [f"p{number}" for number in range(24, 4, -1)]
    assert found.largest[0].posts_a_day == pytest.approx(2, rel=1e-3)
    assert found.largest[0].deliveries_a_day == pytest.approx(248)
    assert found.authors_moved == 25


def test_of_very_many_posts_the_newest_stand_for_the_time_since_the_oldest_of_them(monkeypatch):
    monkeypatch.setattr(policy_preview, "MOST_POSTS", 4)
    (ana,) = make_people(1)
    know(ana, followers=10)
    write(ana, 100, days_ago=3)
    write(ana, 4, days_ago=2)
    found = preview_policy(threshold=10, lower_bound=10)
    assert found.is_sampled
    assert found.posts == 4
    assert found.days == pytest.approx(2, abs=1e-3)
    assert found.to_pull.deliveries_a_day == pytest.approx(20, rel=1e-3)
    assert found.largest[0].posts_a_day == pytest.approx(2, rel=1e-3)


def test_old_posts_among_the_newest_ids_are_no_sample(monkeypatch):
    monkeypatch.setattr(policy_preview, "MOST_POSTS", 4)
    (ana,) = make_people(1)
    know(ana, followers=10)
    write(ana, 4, days_ago=30)
    found = preview_policy(threshold=10, lower_bound=10)
    assert (found.is_sampled, found.posts, found.days) == (False, 0, DAYS)


def test_a_burst_is_not_taken_for_the_pace_of_a_day(monkeypatch):
    monkeypatch.setattr(policy_preview, "MOST_POSTS", 4)
    (ana,) = make_people(1)
    know(ana, followers=1)
    write(ana, 8, days_ago=0)
    found = preview_policy(threshold=1, lower_bound=1)
    assert found.days == pytest.approx(1 / 24, rel=1e-3)
    assert found.to_pull.deliveries_a_day == pytest.approx(4 * 24, rel=1e-3)


def test_of_many_readers_a_bounded_number_is_asked(monkeypatch):
    monkeypatch.setattr(policy_preview, "READERS", 5)
    author, *readers = make_people(100)
    let_follow(readers, [author])
    found = preview_policy(threshold=1, lower_bound=1)
    assert 5 <= found.readers <= 10
    assert (found.then.lists_average, found.then.lists_most) == (1, 1)


def test_five_queries_however_many_authors_move(django_assert_num_queries):
    people = make_people(40)
    let_follow(people, people[:30])
    for person in people[:30]:
        write(person, 1)
    with django_assert_num_queries(5):
        found = preview_policy(threshold=5, lower_bound=5)
    assert found.to_pull.authors == 30


def test_an_empty_site_has_figures_too():
    found = preview_policy(threshold=0, lower_bound=0)
    assert found.then == Figures(0, 0, 0, 0)


def test_authors_below_both_lower_bounds_are_not_read():
    AuthorStats.objects.bulk_create(AuthorStats(author=author, follower_count=1) for author in make_people(300))
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE feeds_authorstats")  # or the plan depends on what the tests before left behind
        cursor.execute("SET LOCAL enable_seqscan = off")
        bounds = {"upper": 10_000, "lower": 8_000, "new_upper": 5_000, "new_lower": 4_000}
        for query in (policy_preview._COUNT, policy_preview._LARGEST):
            cursor.execute(f"EXPLAIN {query}", bounds | {"oldest": 0, "since": timezone.now(), "largest": 20})
            plan = "\n".join(line for (line,) in cursor.fetchall())
            assert "authorstats_popular" in plan
