from __future__ import annotations

import numpy as np
import pytest

from ml.interactions import Interactions
from recsys.recommend.judging import Recipe, judge, split
from recsys.recommend.training_data import Events


def events(pairs: list[tuple[int, int]]) -> Events:
    users, items = np.array(pairs, dtype=np.int64).reshape(-1, 2).T
    count = len(pairs)
    return Events(users, items, np.ones(count, np.float32), np.arange(count, dtype=float), np.zeros(count, bool))


# Each of 60 users takes up item 0, and later item 1.
DATA = events([(user, 0) for user in range(60)] + [(99, item) for item in range(1, 40)] + [(u, 1) for u in range(60)])
MOMENT = 99.0


def favouring(item: int) -> Recipe:
    """A model that recommends `item` to everybody, and after it the ones of small numbers."""

    def recipe(known: Interactions) -> tuple[np.ndarray, np.ndarray]:
        liking = np.where(known.item_ids == item, 100.0, -known.item_ids).astype(np.float32)
        return np.ones((len(known.user_ids), 1), np.float32), liking[:, None]

    return recipe


def test_knows_only_what_was_before_the_split():
    data = split(DATA, MOMENT)
    assert data.known.matrix.nnz == 99
    assert data.later.nnz == data.users == 60


def test_what_was_known_before_is_no_success_later():
    again = events([(1, 0), (1, 1), (2, 1), (1, 1), (2, 0)])
    assert split(again, 3.0).later.toarray().tolist() == [[0, 0], [1, 0]]


def test_splits_off_the_last_tenth_by_itself():
    data = split(events([(number % 7, number % 11) for number in range(100)]))
    assert data.moment == pytest.approx(89.1)


def test_better_serves_and_worse_does_not():
    data = split(DATA, MOMENT)
    assert judge(data, favouring(1), favouring(30), 1).promote
    verdict = judge(data, favouring(30), favouring(1), 1)
    assert not verdict.promote
    assert verdict.metrics["gain"]["mean"] < 0
    assert "NDCG@20 fell by" in verdict.reason


def test_the_same_is_not_worse():
    verdict = judge(split(DATA, MOMENT), favouring(1), favouring(1), 1)
    assert verdict.promote
    assert verdict.metrics["gain"]["mean"] == 0
    assert verdict.metrics["ndcg@20"] == 1


def test_the_first_model_serves():
    assert judge(split(DATA, MOMENT), favouring(30), None, 1).promote


def test_where_nobody_came_back_there_is_nothing_to_measure_by():
    verdict = judge(split(DATA, 1000.0), favouring(30), favouring(1), 1)
    assert verdict.promote
    assert verdict.metrics == {}


def test_many_users_are_sampled(monkeypatch):
    monkeypatch.setattr("recsys.recommend.judging.MOST_USERS", 10)
    assert judge(split(DATA, MOMENT), favouring(1), None, 1).metrics["users"] == 10
