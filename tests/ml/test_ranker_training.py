from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp
from numpy.typing import NDArray

from ml import item_graph, popularity
from ml.metrics import ndcg, summarise
from ml.ranker import RankerConfig, reordered
from ml.ranker_features import Featurizer
from ml.ranker_training import learn
from ml.scorers import Scorer
from tests.ml.planted import leave_one_out, planted

CONFIG = RankerConfig(trees=10, leaves=5, least=10)
Split = tuple[sp.csr_matrix, sp.csr_matrix]


@pytest.fixture
def split(rng) -> Split:
    return leave_one_out(planted(rng, users=300), rng)


def making(known: sp.csr_matrix, weights: dict[str, float]) -> Featurizer:
    graph, counts = item_graph.fit(known), popularity.fit(known)
    parts: dict[str, Scorer] = {"graph": graph, "popularity": counts}
    factors = np.ones((known.shape[1], 2), dtype=np.float32)
    return Featurizer(parts, weights, sp.csr_matrix(graph.weights), counts.counts, factors, k=80)


def test_a_ranker_that_beats_the_blend_is_kept(split, monkeypatch):
    """A blend of popularity alone knows nothing of the groups, but the weights between items do."""
    monkeypatch.setattr("ml.ranking._BLOCK", 80 * 70)
    known, held_out = split
    blend = making(known, {"popularity": 1.0})
    learned = learn(blend, known, held_out, CONFIG, 13, seed=0)
    assert learned.why_none == ""
    assert learned.ranker is not None
    found = blend.candidates(known)
    ranked = reordered(found.items, learned.ranker.score(found.features))
    before, after = (summarise(ndcg(items[:, :13], held_out)).mean for items in (found.items, ranked))
    assert after > 2 * before


@pytest.mark.parametrize(
    ("means", "spread", "kept"),
    [
        ((0.55, 0.55, 0.55, 0.55, 0.50), 0.01, 0.3),
        ((0.55, 0.60, 0.55, 0.55, 0.50), 0.01, 0.2),
        ((0.55, 0.60, 0.70, 0.65, 0.50), 0.01, 0.1),
        ((0.80, 0.81, 0.80, 0.80, 0.50), 0.3, 0.3),
        ((0.55, 0.55, 0.55, 0.55, 0.50), 1.0, None),
    ],
)
def test_what_is_better_by_chance_alone_changes_nothing(split, means, spread, kept, monkeypatch):
    """The means are those of the ranker with each share of the blend, and of the blend alone."""
    known, held_out = split
    left = list(means)

    def judged(ranked: NDArray[np.int64], _: sp.csr_matrix) -> NDArray[np.float64]:
        return left.pop(0) + np.random.default_rng(len(left)).normal(0, spread, len(ranked))

    monkeypatch.setattr("ml.ranker_training.ndcg", judged)
    learned = learn(making(known, {"graph": 1.0}), known, held_out, CONFIG, 13, seed=0)
    assert (learned.ranker and learned.ranker.of_blend) == kept


def test_a_ranker_that_does_not_win_is_left_out_and_says_why(split):
    known, held_out = split
    learned = learn(making(known, {"graph": 1.0}), known, held_out, CONFIG, 13, seed=0)
    assert learned.ranker is None
    assert "does not beat the blend" in learned.why_none


def test_where_nobody_has_a_relevant_candidate_there_is_nothing_to_learn(split):
    known, _ = split
    learned = learn(making(known, {"graph": 1.0}), known, sp.csr_matrix(known.shape), CONFIG, 13, seed=0)
    assert learned.ranker is None
    assert "nothing to learn" in learned.why_none
