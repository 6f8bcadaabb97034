from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recsys.recommend.candidates import Candidate
from recsys.recommend.ranking import blend, diversify

scores = st.floats(0.001, 1e6)
proposals = st.dictionaries(
    st.sampled_from(["cf", "content", "trending"]),
    st.lists(st.builds(Candidate, st.integers(1, 20), scores), max_size=10, unique_by=lambda one: one.item_id),
)
WEIGHTS = {"cf": 1.0, "content": 0.5, "trending": 0.25}


def test_adds_up_the_weighted_shares_of_each_sources_best():
    ranked = blend({"cf": [Candidate(1, 4.0), Candidate(2, 2.0)], "content": [Candidate(2, 0.1)]}, WEIGHTS)
    assert [(one.item_id, one.score, one.source) for one in ranked] == [(1, 1.0, "cf"), (2, 1.0, "cf")]
    assert ranked[1].scores == {"cf": 0.5, "content": 0.5}


def test_the_source_that_gave_most_explains_the_item():
    by_words = Candidate(2, 1.0, anchor_id=7)
    [one] = blend({"cf": [Candidate(2, 1.0)], "content": [by_words]}, {"cf": 0.1, "content": 0.5})
    assert (one.source, one.candidate) == ("content", by_words)


@given(proposals)
def test_is_ordered_complete_and_without_repetition(proposed):
    ranked = blend(proposed, WEIGHTS)
    assert {one.item_id for one in ranked} == {one.item_id for found in proposed.values() for one in found}
    assert len({one.item_id for one in ranked}) == len(ranked)
    keys = [(-one.score, one.item_id) for one in ranked]
    assert keys == sorted(keys)
    assert all(0 < one.score <= sum(WEIGHTS.values()) + 1e-9 for one in ranked)


@given(proposals, st.floats(0.1, 10))
def test_the_scale_of_a_sources_scores_does_not_matter(proposed, scale):
    scaled = {name: [Candidate(one.item_id, one.score * scale) for one in found] for name, found in proposed.items()}
    before = {one.item_id: one.score for one in blend(proposed, WEIGHTS)}
    after = {one.item_id: one.score for one in blend(scaled, WEIGHTS)}
    assert after == pytest.approx(before)


def test_a_source_of_weight_zero_takes_no_part():
    assert blend({"cf": [Candidate(1, 1.0)], "new": [Candidate(2, 1.0)]}, {"cf": 0.0}) == []


@given(st.lists(st.integers(0, 4), max_size=40), st.integers(1, 20))
def test_diversity_leaves_out_nobody_while_there_is_room(categories, count):
    ranked = list(enumerate(categories))
    chosen = diversify(ranked, count, [lambda one: one[1]])
    assert len(chosen) == min(count, len(ranked))
    assert len(set(chosen)) == len(chosen)


def test_of_one_category_come_at_most_two_fifths_while_others_have_something():
    ranked = [(number, "crime") for number in range(20)] + [(number, "love") for number in range(20, 30)]
    chosen = diversify(ranked, 10, [lambda one: one[1]])
    assert [category for _, category in chosen] == ["crime"] * 4 + ["love"] * 4 + ["crime"] * 2


def test_items_without_a_category_are_no_category():
    ranked = [(number, "") for number in range(20)]
    assert diversify(ranked, 10, [lambda one: one[1]]) == ranked[:10]


def test_the_first_item_keeps_its_place():
    assert diversify(["a", "b", "c"], 1, [lambda one: "same"]) == ["a"]
