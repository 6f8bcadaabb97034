from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp

from ml.als import AlsConfig
from ml.cold_start import ColdStartConfig
from ml.content import ContentScorer
from ml.content_evaluation import (
    ColdMeasures,
    ColdSplit,
    baselines,
    category_popularity,
    fit_mapped,
    mean_by_user,
    measure,
    split_cold,
)

# Users 0 to 3, items 0 to 4; items 3 and 4 appear from 10 on, item 5 never does.
EVENTS = [
    # user, item, time
    (0, 0, 1.0),
    (0, 1, 2.0),
    (0, 3, 11.0),
    (0, 2, 12.0),  # after their first cold item: no history
    (1, 0, 3.0),
    (2, 1, 10.0),  # a warm item after the moment, before the first cold one
    (2, 4, 13.0),
    (2, 3, 14.0),
    (3, 4, 15.0),  # no history at all
    (3, 2, 16.0),
    (1, 2, 4.0),
]


def split(moment: float = 10.0) -> ColdSplit:
    users, items, times = (np.array(column) for column in zip(*EVENTS, strict=True))
    return split_cold(users.astype(int), items.astype(int), np.ones(len(EVENTS)), times, (4, 6), moment)


def test_items_first_taken_up_from_the_moment_on_are_cold():
    assert split().cold.tolist() == [False, False, False, True, True, False]


def test_what_is_known_ends_before_the_moment():
    assert split().known.toarray().tolist() == [[1, 1, 0, 0, 0, 0], [1, 0, 1, 0, 0, 0], [0] * 6, [0] * 6]


def test_histories_end_before_the_first_cold_item():
    found = split()
    assert found.users.tolist() == [0, 2]
    assert found.histories.toarray().tolist() == [[1, 1, 0, 0, 0, 0], [0, 1, 0, 0, 0, 0]]
    assert found.later.toarray().tolist() == [[0, 0, 0, 1, 0, 0], [0, 0, 0, 1, 1, 0]]


def test_an_item_of_which_something_was_seen_before_is_neither_cold_nor_known():
    users, items, times = (np.array(column) for column in zip(*EVENTS, strict=True))
    seen = np.array([1, 2, 4, 9.9, 13, np.inf])
    columns = users.astype(int), items.astype(int), np.ones(len(EVENTS)), times
    found = split_cold(*columns, (4, 6), 10.0, seen)
    assert found.cold.tolist() == [False, False, False, False, True, False]
    assert not found.known[:, 3].nnz
    assert found.later.toarray().tolist() == [[0, 0, 0, 0, 1, 0]]
    with pytest.raises(ValueError, match="first_seen"):
        split_cold(*columns, (4, 6), 10.0, seen[:3])


def measured(found: ColdSplit, scores, k: int, rng) -> ColdMeasures:
    return measure(found, lambda histories: {"one": np.asarray(scores, dtype=np.float32)}, k, rng)["one"]


def test_a_moment_after_everything_leaves_nothing_to_judge(rng):
    found = split(100.0)
    assert not found.cold.any()
    assert not len(found.users)
    assert measure(found, lambda histories: {}, 5, rng) == {}


def test_measures_rank_cold_items_alone(rng):
    scores = [[9, 9, 9, 2, 1, 9], [9, 9, 9, 1, 2, 9]]
    found = measured(split(), scores, 1, rng)
    assert found.users.tolist() == [0, 2]
    assert found.recall.tolist() == [1.0, 0.5]
    assert found.ndcg.tolist() == [1.0, 1.0]


def test_the_worst_ranking_hits_nothing(rng):
    assert measured(split(), [0, 0, 0, 1, 2, 0], 1, rng).recall[0] == 0.0


def test_equal_scores_are_ordered_by_chance():
    found = [measured(split(), np.zeros(6), 1, np.random.default_rng(seed)).recall[0] for seed in range(200)]
    assert np.mean(found) == pytest.approx(0.5, abs=0.1)


def test_every_source_is_measured_by_the_same_order_of_ties(rng):
    zeros = np.zeros((2, 6), np.float32)
    found = measure(split(), lambda histories: {"one": zeros, "other": zeros[0]}, 1, rng)
    assert (found["one"].ndcg == found["other"].ndcg).all()


def test_users_are_scored_in_blocks_and_say_the_same(rng):
    """More users than a block holds, each of whom scores the one cold item that they go on to highest."""
    n_users, n_items = 600, 7
    wanted = rng.integers(2, n_items, n_users)
    users, items = np.tile(np.arange(n_users), 2), np.concatenate([np.arange(n_users) % 2, wanted])
    times = np.repeat([0.0, 10.0], n_users)
    data = split_cold(users, items, np.ones(2 * n_users), times, (n_users, n_items), 5.0)
    sizes = []

    def score(histories: sp.csr_matrix):
        start = sum(sizes)
        sizes.append(histories.shape[0])
        return {"right": np.eye(n_items, dtype=np.float32)[wanted[start : start + sizes[-1]]]}

    found = measure(data, score, 1, rng)["right"]
    assert sum(sizes) == n_users
    assert max(sizes) <= 256
    assert found.users.tolist() == list(range(n_users))
    assert (found.recall == 1).all()


def test_of_several_moments_each_user_counts_once():
    first = ColdMeasures(np.array([0, 2]), np.array([1.0, 0.5]), np.array([0.2, 0.4]))
    second = ColdMeasures(np.array([2, 5]), np.array([0.0, 0.1]), np.array([0.0, 0.3]))
    found = mean_by_user([first, second])
    assert found.users.tolist() == [0, 2, 5]
    assert found.recall == pytest.approx(np.array([1, 0.25, 0.1]))
    assert found.ndcg == pytest.approx(np.array([0.2, 0.2, 0.3]))


def test_a_category_is_as_popular_as_its_items_were():
    # Known: item 0 twice, 1 and 2 once. Category 0 holds 0 and 1 (1.5 each), 1 holds 2 (1.0), 2 has no warm item.
    categories = sp.csr_matrix(np.array([[1, 0, 0], [1, 0, 0], [0, 1, 0], [1, 1, 0], [0, 0, 1], [0, 0, 0]]))
    assert category_popularity(split(), categories) == pytest.approx(np.array([1.5, 1.5, 1, 1.25, 0, 0]))


def test_the_baselines_know_no_ones_taste():
    found = baselines(split(), sp.csr_matrix(np.eye(6)))
    assert set(found) == {"random", "category", "hindsight"}
    assert all(scores.shape == (6,) for scores in found.values())
    assert found["hindsight"].tolist() == [0, 0, 0, 2, 1, 0]
    assert not found["random"].any()


def test_content_and_what_is_mapped_from_it_beat_the_baselines_where_taste_follows_content(rng):
    """Users of 4 groups take up items of their group, whose content names it; a fifth of the items comes late."""
    users = np.repeat(np.arange(120), 12)
    late = np.tile(np.arange(12) >= 9, 120)
    items = np.where(late, rng.integers(20, 25, len(users)), rng.integers(0, 20, len(users))) * 4 + users % 4
    times = np.where(late, 100.0, 0.0) + np.tile(np.arange(12), 120)
    data = split_cold(users, items, np.ones(len(users)), times, (120, 100), 100.0)
    content = np.eye(4, dtype=np.float32)[np.arange(100) % 4]
    mapped, by_content = (
        fit_mapped(data, content, AlsConfig(dimensions=8), ColdStartConfig(), rng),
        ContentScorer(content),
    )
    known_to_all = baselines(data, sp.csr_matrix(content))

    def score(histories: sp.csr_matrix):
        return known_to_all | {"content": by_content.score(histories), "mapped": mapped.score(histories)}

    found = measure(data, score, 5, rng)
    assert len(data.users) == 120
    assert mapped.r_squared > 0.8
    assert found["content"].recall.mean() == pytest.approx(1.0)  # the group's 5 cold items fill the 5 places
    assert found["mapped"].recall.mean() == pytest.approx(1.0)
    assert found["random"].recall.mean() == pytest.approx(0.25, abs=0.08)
    assert found["category"].recall.mean() < 0.5


def test_refuses_columns_of_different_lengths():
    with pytest.raises(ValueError, match="same length"):
        split_cold([0, 1], [0, 1], [1, 1], [1.0], (2, 2), 1.0)


@pytest.mark.parametrize("outside", [([0, 4], [0, 1]), ([0, 1], [0, 6]), ([0, -1], [0, 1])])
def test_refuses_users_and_items_outside_of_the_shape(outside):
    with pytest.raises(ValueError, match="shape"):
        split_cold(*outside, [1, 1], [1.0, 2.0], (4, 6), 1.0)


def test_refuses_times_that_are_none():
    with pytest.raises(ValueError, match="times"):
        split_cold([0, 1], [0, 1], [1, 1], [1.0, np.nan], (2, 2), 1.0)


def test_refuses_scores_of_others_and_no_places(rng):
    with pytest.raises(ValueError, match="Scores of shape"):
        measured(split(), np.zeros((3, 6)), 5, rng)
    with pytest.raises(ValueError, match="k must be"):
        measured(split(), np.zeros((2, 6)), 0, rng)
