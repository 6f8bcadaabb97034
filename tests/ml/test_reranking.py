from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ml.reranking import decay_by_group, maximal_marginal_relevance

relevances = st.lists(st.sampled_from([0.0, 0.1, 0.25, 0.5, 0.75, 1.0]), max_size=12).map(np.array)
seeds = st.integers(0, 2**32 - 1)


def plain_mmr(relevance, vectors, k, trade_off):
    def cosine(one, other):
        lengths = np.linalg.norm(vectors[one]) * np.linalg.norm(vectors[other])
        return vectors[one] @ vectors[other] / lengths if lengths else 0.0

    left, picked = list(range(len(relevance))), []
    while left and len(picked) < k:

        def value(item):
            closest = max((cosine(item, other) for other in picked), default=0.0)
            return trade_off * relevance[item] - (1 - trade_off) * closest

        picked.append(max(left, key=value if picked else lambda item: relevance[item]))
        left.remove(picked[-1])
    return picked


def plain_decay(relevance, columns, decays, k):
    left, picked = list(range(len(relevance))), []
    while left and len(picked) < k:

        def value(item):
            worth = relevance[item]
            for column, decay in zip(columns, decays, strict=True):
                same = sum(column[other] == column[item] for other in picked) if column[item] >= 0 else 0
                worth *= decay**same
            return worth

        picked.append(max(left, key=value))
        left.remove(picked[-1])
    return picked


@pytest.mark.parametrize("trade_off", [0.0, 0.3, 0.8, 1.0])
@pytest.mark.parametrize("k", [0, 1, 7, 40])
def test_mmr_gives_what_the_definition_gives(rng, trade_off, k):
    relevance, vectors = rng.random(25), rng.normal(size=(25, 4))
    vectors[3] = 0
    found = maximal_marginal_relevance(relevance, vectors, k, trade_off)
    assert found.order.tolist() == plain_mmr(relevance, vectors, k, trade_off)


@given(relevances, seeds, st.integers(0, 15))
def test_mmr_with_relevance_alone_is_the_order_of_relevance(relevance, seed, k):
    vectors = np.random.default_rng(seed).normal(size=(len(relevance), 3))
    found = maximal_marginal_relevance(relevance, vectors, k, 1.0)
    assert found.order.tolist() == np.argsort(-relevance, kind="stable")[:k].tolist()
    assert found.values.tolist() == relevance[found.order].tolist()


@given(relevances, seeds, st.integers(0, 15), st.floats(0, 1))
def test_every_pick_is_another_candidate(relevance, seed, k, share):
    rng = np.random.default_rng(seed)
    vectors, groups = rng.normal(size=(len(relevance), 3)), rng.integers(-1, 3, len(relevance))
    for found in (
        maximal_marginal_relevance(relevance, vectors, k, share),
        decay_by_group(relevance, [groups], [share], k),
    ):
        assert len(found.order) == len(set(found.order.tolist())) == min(k, len(relevance))
        assert set(found.order.tolist()) <= set(range(len(relevance)))
        assert np.isfinite(found.values).all()


def test_mmr_leaves_the_twin_of_a_pick_for_later():
    vectors = [[1, 0], [1, 0], [0, 1]]
    assert maximal_marginal_relevance([0.9, 0.8, 0.5], vectors, 3, 0.5).order.tolist() == [0, 2, 1]
    assert maximal_marginal_relevance([0.9, 0.8, 0.5], vectors, 3, 0.9).order.tolist() == [0, 1, 2]


def test_mmr_tells_the_worth_of_each_pick():
    found = maximal_marginal_relevance([0.8, 0.6], [[1, 0], [3, 4]], 2, 0.75)
    assert found.values == pytest.approx([0.75 * 0.8, 0.75 * 0.6 - 0.25 * 0.6])


def test_mmr_starts_with_the_most_relevant_even_for_diversity_alone():
    assert maximal_marginal_relevance([0.1, 0.9, 0.5], np.eye(3), 1, 0.0).order.tolist() == [1]


@given(seeds, st.floats(0.1, 0.9))
def test_mmr_does_not_mind_the_length_of_vectors(seed, trade_off):
    rng = np.random.default_rng(seed)
    relevance, vectors = rng.random(8), rng.normal(size=(8, 3))
    lengths = rng.choice([1e-200, 1.0, 1e200], (8, 1))
    one = maximal_marginal_relevance(relevance, vectors, 8, trade_off)
    other = maximal_marginal_relevance(relevance, vectors * lengths, 8, trade_off)
    assert one.order.tolist() == other.order.tolist()
    assert one.values == pytest.approx(other.values)


@given(relevances, seeds, st.integers(0, 15), st.sampled_from([(0.5, 0.25), (0.5, 1.0), (1.0, 0.5), (0.0, 0.5)]))
def test_decay_gives_what_the_definition_gives(relevance, seed, k, decays):
    rng = np.random.default_rng(seed)
    columns = [rng.integers(-1, 3, len(relevance)) for _ in range(2)]
    found = decay_by_group(relevance, columns, decays, k)
    assert found.order.tolist() == plain_decay(relevance, columns, decays, k)


@given(relevances, seeds, st.integers(0, 15))
def test_a_decay_of_one_changes_nothing(relevance, seed, k):
    columns = np.random.default_rng(seed).integers(0, 2, (2, len(relevance)))
    found = decay_by_group(relevance, list(columns), [1, 1], k)
    assert found.order.tolist() == np.argsort(-relevance, kind="stable")[:k].tolist()
    assert found.values.tolist() == relevance[found.order].tolist()


def test_each_further_item_of_an_author_is_worth_less():
    found = decay_by_group([1.0, 0.9, 0.8, 0.3], [[7, 7, 7, 8]], [0.5], 4)
    assert found.order.tolist() == [0, 1, 3, 2]
    assert found.values == pytest.approx([1.0, 0.45, 0.3, 0.2])


def test_decays_of_category_and_author_multiply_and_no_group_is_no_group():
    found = decay_by_group([1.0, 0.9, 0.8], [[1, 1, 1], [5, 5, 6]], [0.5, 0.2], 3)
    assert found.order.tolist() == [0, 2, 1]
    assert found.values == pytest.approx([1.0, 0.4, 0.9 * 0.25 * 0.2])
    assert decay_by_group([1.0, 0.9, 0.8], [[-1, -1, -1]], [0.0], 3).order.tolist() == [0, 1, 2]


def test_a_decay_of_nothing_puts_every_other_group_first():
    assert decay_by_group([1.0, 0.9, 0.1, 0.05], [[1, 1, 2, 3]], [0.0], 4).order.tolist() == [0, 2, 3, 1]


def test_without_groups_relevance_is_the_order():
    assert decay_by_group([0.1, 0.3], [], [], 2).order.tolist() == [1, 0]


def test_relevance_is_left_as_it_was():
    relevance = np.array([1.0, 0.5])
    decay_by_group(relevance, [[1, 1]], [0.5], 2)
    maximal_marginal_relevance(relevance, np.eye(2), 2, 0.5)
    assert relevance.tolist() == [1.0, 0.5]


@pytest.mark.parametrize(
    ("relevance", "vectors", "k", "trade_off", "message"),
    [
        ([math.nan], [[1.0]], 1, 0.5, "Relevance"),
        ([[1.0]], [[1.0]], 1, 0.5, "Relevance"),
        ([1.0], [[math.inf]], 1, 0.5, "finite vector"),
        ([1.0], [[1.0], [2.0]], 1, 0.5, "vector for each"),
        ([1.0], [1.0], 1, 0.5, "vector for each"),
        ([1.0], [[1.0]], -1, 0.5, "k must"),
        ([1.0], [[1.0]], 1, 1.5, "trade-off"),
        ([1.0], [[1.0]], 1, math.nan, "trade-off"),
    ],
)
def test_mmr_refuses_what_makes_no_sense(relevance, vectors, k, trade_off, message):
    with pytest.raises(ValueError, match=message):
        maximal_marginal_relevance(relevance, vectors, k, trade_off)


@pytest.mark.parametrize(
    ("relevance", "groups", "decays", "k", "message"),
    [
        ([-0.1], [[1]], [0.5], 1, "negative"),
        ([math.inf], [[1]], [0.5], 1, "finite"),
        ([0.1], [[1, 2]], [0.5], 1, "group for each"),
        ([0.1], [[1]], [], 1, "decay for each"),
        ([0.1], [[1]], [1.5], 1, "between 0 and 1"),
        ([0.1], [[1]], [math.nan], 1, "between 0 and 1"),
        ([0.1], [[1]], [0.5], -1, "k must"),
    ],
)
def test_decay_refuses_what_makes_no_sense(relevance, groups, decays, k, message):
    with pytest.raises(ValueError, match=message):
        decay_by_group(relevance, groups, decays, k)
