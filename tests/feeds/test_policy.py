"""Push or pull: decided once, by what staff saved last."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from feeds.actions import do_create_post
from feeds.graph import do_unfollow
from feeds.models import AuthorOverride, AuthorStats, FanoutPolicy, Post
from feeds.policy import (
    do_decide_modes,
    do_delete_overrides,
    do_save_override,
    do_save_policy,
    expected_mode,
    get_policy,
)
from recsys.accounts.models import User
from recsys.inputs import InputError
from tests.feeds.graph import let_follow, make_people

pytestmark = pytest.mark.django_db


def set_policy(threshold: int, lower_bound: int) -> None:
    FanoutPolicy.objects.update_or_create(pk=1, defaults={"celebrity_threshold": threshold, "lower_bound": lower_bound})


def mode_of_new_post(author: User) -> str | None:
    post = do_create_post(author=author, text="hello")
    do_decide_modes(posts=[post.pk])
    post.refresh_from_db()
    return post.mode


@pytest.fixture
def author() -> User:
    """Somebody with three followers."""
    author, *followers = make_people(4)
    let_follow(followers, [author])
    return author


def test_a_new_database_has_a_policy(db):
    assert get_policy().celebrity_threshold == 10_000
    assert FanoutPolicy.objects.count() == 1


def test_a_lost_policy_is_the_default_one(author):
    FanoutPolicy.objects.all().delete()
    assert mode_of_new_post(author) == "push"


@pytest.mark.parametrize(("threshold", "mode"), [(4, "push"), (3, "pull"), (2, "pull")])
def test_the_threshold_decides(author, threshold, mode):
    set_policy(threshold, lower_bound=1)
    assert mode_of_new_post(author) == mode


def test_without_followers_a_post_is_pushed(db):
    (author,) = make_people(1)
    assert mode_of_new_post(author) == "push"


def test_between_the_bounds_an_author_stays_what_they_were(author):
    set_policy(3, lower_bound=2)
    assert mode_of_new_post(author) == "pull"
    set_policy(4, lower_bound=2)
    assert mode_of_new_post(author) == "pull", "not below the lower bound yet"
    set_policy(5, lower_bound=4)
    assert mode_of_new_post(author) == "push"
    set_policy(5, lower_bound=2)
    assert mode_of_new_post(author) == "push", "not at the threshold yet"


def test_bounds_that_make_no_sense_are_refused_by_the_action_too():
    with pytest.raises(InputError, match="cannot be above the threshold \\(5\\)"):
        do_save_policy(threshold=5, lower_bound=6)
    assert get_policy().celebrity_threshold == 10_000


def test_what_staff_save_decides_the_next_post(author):
    do_save_policy(threshold=3, lower_bound=3)
    assert mode_of_new_post(author) == "pull"
    do_save_override(author=author, mode="push", reason="a test")
    do_save_override(author=author, mode="push", reason="a better reason")
    assert AuthorOverride.objects.get().reason == "a better reason"
    assert mode_of_new_post(author) == "push"
    do_delete_overrides(authors=[author.pk])
    assert mode_of_new_post(author) == "pull"


def test_losing_followers_counts_too(author):
    set_policy(3, lower_bound=2)
    assert mode_of_new_post(author) == "pull"
    for edge in author.followers.all()[:2]:
        do_unfollow(follower=edge.follower, followee=author)
    assert mode_of_new_post(author) == "push"


@pytest.mark.parametrize("mode", ["push", "pull"])
def test_an_override_decides_whatever_the_count_and_leaves_no_trace(author, mode):
    override = AuthorOverride.objects.create(author=author, mode=mode)
    for threshold in (1, 100):
        set_policy(threshold, lower_bound=threshold)
        assert mode_of_new_post(author) == mode
    override.delete()
    assert mode_of_new_post(author) == "push"


def test_a_decision_is_for_ever(author):
    set_policy(3, lower_bound=3)
    post = do_create_post(author=author, text="hello")
    do_decide_modes(posts=[post.pk])
    set_policy(100, lower_bound=100)
    do_decide_modes(posts=[post.pk])
    assert Post.objects.get().mode == "pull"


def test_readers_learn_of_the_first_pulled_post_and_keep_knowing(author):
    assert mode_of_new_post(author) == "push"
    assert not AuthorStats.objects.get(author=author).has_pull_posts
    set_policy(3, lower_bound=3)
    assert mode_of_new_post(author) == "pull"
    set_policy(100, lower_bound=100)
    assert mode_of_new_post(author) == "push"
    assert AuthorStats.objects.get(author=author).has_pull_posts, "the old post is still pulled"


def test_many_posts_take_as_many_queries_as_one(author, django_assert_max_num_queries):
    posts = [do_create_post(author=person, text="hello").pk for person in make_people(30, "q") for _ in range(2)]
    get_policy()  # a test before may have emptied its table
    with django_assert_max_num_queries(6):
        do_decide_modes(posts=posts)
    assert set(Post.objects.filter(pk__in=posts).values_list("mode", flat=True)) == {"push"}


@settings(max_examples=60, deadline=None)
@given(
    count=st.integers(0, 6), threshold=st.integers(0, 6), below=st.integers(0, 6), before=st.booleans(),
    override=st.sampled_from([None, "push", "pull"]),
)  # fmt: skip
def test_what_staff_are_told_is_what_happens(count, threshold, below, before, override):
    User.objects.all().delete()
    set_policy(threshold, lower_bound=max(0, threshold - below))
    (author,) = make_people(1)
    AuthorStats.objects.create(author=author, follower_count=count, is_celebrity=before)
    if override:
        AuthorOverride.objects.create(author=author, mode=override)
    told = expected_mode(follower_count=count, is_celebrity=before, override=override, policy=get_policy())
    assert mode_of_new_post(author) == told
