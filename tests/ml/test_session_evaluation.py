from __future__ import annotations

import numpy as np
import pytest

from ml.session_data import from_arrays
from ml.session_evaluation import evaluate_next_item


class Fixed:
    """Recommends the same items always, and remembers what it was asked."""

    def __init__(self, items):
        self.items = items
        self.asked = []

    def recommend(self, session_items, k):
        self.asked.append((session_items.tolist(), k))
        return np.array(self.items[:k], dtype=np.int64), np.ones(len(self.items[:k]))


EVENTS = from_arrays([1, 1, 1, 2, 3, 3], [5, 6, 5, 7, 8, 9], [0, 1, 2, 3, 4, 5])


def test_every_event_but_the_first_of_a_session_is_asked_for():
    model = Fixed([6, 5])
    evaluate_next_item(model, EVENTS, k=2)
    assert model.asked == [([5], 2), ([5, 6], 2), ([8], 2)]


def test_ranks_hits_and_reciprocal_ranks_by_hand():
    found = evaluate_next_item(Fixed([6, 5]), EVENTS, k=2)
    assert found.ranks.tolist() == [1, 2, 0]
    assert found.hits.tolist() == [1, 1, 0]
    assert found.reciprocal_ranks == pytest.approx([1, 0.5, 0])
    assert found.lengths.tolist() == [1, 2, 1]


def test_only_the_first_k_count():
    assert evaluate_next_item(Fixed([6, 5]), EVENTS, k=1).ranks.tolist() == [1, 0, 0]


def test_the_time_of_each_recommendation_is_taken():
    found = evaluate_next_item(Fixed([6]), EVENTS)
    assert found.seconds.shape == found.cpu_seconds.shape == (3,)
    assert (found.seconds > 0).all()
    assert (found.cpu_seconds >= 0).all()


def test_sessions_without_a_next_item_ask_nothing():
    found = evaluate_next_item(Fixed([6]), from_arrays([1, 2], [5, 6], [0, 1]))
    assert found.ranks.size == found.hits.size == found.reciprocal_ranks.size == 0
