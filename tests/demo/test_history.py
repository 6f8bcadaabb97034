from __future__ import annotations

from collections import Counter, defaultdict
from datetime import timedelta

import numpy as np
import pytest

from recsys.demo import history
from recsys.demo.catalogue import about
from recsys.demo.community import Catalogue, People
from recsys.demo.history import History, plan_activity
from recsys.demo.logins import DEMO_LOGINS
from recsys.demo.names import REGIONS
from tests.demo.conftest import NOW

COUNT = 30_000


def make(people: People, catalogue: Catalogue, count: int = COUNT, seed: int = 3) -> History:
    return History(np.random.default_rng(seed), people, catalogue, count, NOW)


@pytest.fixture(scope="module")
def rows(people, catalogue):
    return list(make(people, catalogue))


def test_exactly_as_many_as_asked_for_of_every_kind(rows):
    assert len(rows) == COUNT
    kinds = Counter(kind for _, _, kind, _, _, _ in rows)
    assert set(kinds) == {"view", "click", "like", "dislike", "rate", "hide"}
    assert kinds["view"] > kinds["click"] > kinds["like"] > kinds["hide"]


def test_values_go_with_ratings_in_half_stars(rows):
    for _, _, kind, value, _, _ in rows:
        assert (value is not None) == (kind == "rate")
    values = {value for *_, value, _, _ in rows if value}
    assert values <= {half / 2 for half in range(1, 11)}
    assert len(values) > 6


def test_times_lie_within_the_history_and_not_before_the_item_came_out(rows, catalogue):
    published = dict(zip(catalogue.ids.tolist(), catalogue.published.tolist(), strict=True))
    for _, item, _, _, _, at in rows:
        assert NOW - timedelta(days=60, seconds=1) <= at <= NOW
        assert at.timestamp() >= published[item] - 1


def test_nobody_meets_what_may_not_be_shown_there(rows, catalogue):
    for _, item, _, _, region, _ in rows:
        assert catalogue.allowed[REGIONS.index(region), item - catalogue.ids[0]]


def test_people_turn_to_what_they_like(rows, people, catalogue):
    """Likes lie far above chance on each person's favourite themes, and ratings rise with the taste for the item."""
    fit = people.tastes @ about(catalogue).T
    likes = [(user - 100, item - 1000) for user, item, kind, *_ in rows if kind == "like"]
    liked = np.mean([fit[user, item] for user, item in likes])
    chance = np.mean([fit[user].mean() for user, _ in likes])
    assert liked > 3 * chance
    rated = np.array([(fit[user - 100, item - 1000], value) for user, item, kind, value, *_ in rows if kind == "rate"])
    assert np.corrcoef(rated[:, 0] ** 0.5, rated[:, 1])[0, 1] > 0.3
    disliked = np.mean([fit[user - 100, item - 1000] for user, item, kind, *_ in rows if kind == "dislike"])
    assert disliked < liked


def test_items_and_people_are_heavy_tailed(rows):
    by_item = np.sort(list(Counter(item for _, item, *_ in rows).values()))[::-1]
    by_user = np.sort(list(Counter(user for user, *_ in rows).values()))[::-1]
    assert by_item[:20].sum() > 3 * 20 / len(by_item) * COUNT
    assert by_user[:50].sum() > 0.3 * COUNT


def test_regions_have_trends_of_their_own(rows):
    recent: dict[str, Counter[int]] = defaultdict(Counter)
    for _, item, kind, _, region, at in rows:
        if at > NOW - timedelta(days=history.RECENT_DAYS) and kind == "view":
            recent[region][item] += 1
    tops = {region: counts.most_common(1)[0] for region, counts in recent.items()}
    assert len({item for item, _ in tops.values()}) > len(tops) / 2


def test_the_logins_have_a_history(rows):
    counts = Counter(user for user, *_ in rows)
    assert min(counts[100 + number] for number in range(len(DEMO_LOGINS))) > 30


def test_the_same_seed_gives_the_same_history_and_another_one_another(people, catalogue):
    one, same, other = (list(make(people, catalogue, 2000, seed)) for seed in (3, 3, 4))
    assert one == same
    assert one != other


def test_small_chunks_stream_and_give_the_same_number(people, catalogue, monkeypatch):
    monkeypatch.setattr(history, "CHUNK", 500)
    rows = iter(make(people, catalogue, 5000))
    next(rows)
    assert 1 + sum(1 for _ in rows) == 5000


@pytest.mark.parametrize("count", [0, 1, 7, 300_000])
def test_extreme_sizes_are_exact_too(people, catalogue, count):
    assert plan_activity(np.random.default_rng(1), len(people), count).sum() == count
    few = make(people, catalogue, min(count, 1000))
    assert sum(1 for _ in few) == min(count, 1000)


def test_more_interactions_than_there_is_to_meet_are_repeated_views(people, catalogue):
    from recsys.demo.catalogue import generate_catalogue

    tiny = generate_catalogue(np.random.default_rng(2), np.arange(5), NOW)
    rows = list(make(people, tiny, 60_000))
    assert len(rows) == 60_000
    assert Counter(kind for _, _, kind, *_ in rows)["view"] > 40_000
