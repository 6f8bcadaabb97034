from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp

from ml import item_graph, popularity
from ml.blend import BlendScorer
from ml.linear import LinearScorer
from ml.metrics import ndcg
from ml.ranking import top_scored
from ml.scorers import Scorer
from ml.weighing import weigh
from tests.ml.planted import leave_one_out, planted

Held = tuple[dict[str, Scorer], sp.csr_matrix, sp.csr_matrix]


def held_out_of(rng: np.random.Generator) -> Held:
    """Parts, what they know, and what they don't."""
    known, held_out = leave_one_out(planted(rng, users=200), rng)
    parts: dict[str, Scorer] = {
        "graph": item_graph.fit(known),
        "popularity": popularity.fit(known),
        "noise": LinearScorer(rng.normal(size=(80, 80)).astype(np.float32)),
    }
    return parts, known, held_out


@pytest.mark.parametrize(("samples", "most"), [(1, 0.1), (5, 0.2)])
def test_what_knows_nothing_gets_little_and_the_rest_reaches_what_it_says(samples, most, rng, monkeypatch):
    monkeypatch.setattr("ml.ranking._BLOCK", 80 * 50)
    parts, known, held_out = held_out_of(rng)
    found = weigh(parts, known, held_out, 20, rng, samples)
    assert found.weights["graph"] == 1
    assert found.weights["noise"] <= most
    best = top_scored(BlendScorer(parts, found.weights), known, 20)
    np.testing.assert_allclose(found.ndcg, ndcg(best, held_out), atol=1e-6)


def test_samples_make_weights_that_depend_less_on_who_happens_to_judge():
    held = [held_out_of(np.random.default_rng(seed)) for seed in range(6)]

    def deviation(samples: int) -> float:
        found = [
            weigh(parts, known, held_out, 20, np.random.default_rng(0), samples) for parts, known, held_out in held
        ]
        return float(np.std([one.weights["popularity"] for one in found]))

    assert deviation(10) < 0.7 * deviation(1)


@pytest.mark.parametrize("chosen", [{"graph": 1.0, "popularity": 1.5, "noise": 0.02}, {"graph": 1.0, "noise": 0.02}])
def test_without_samples_the_weights_are_those_that_do_best(chosen, rng, monkeypatch):
    monkeypatch.setattr("ml.weighing.choose_weights", lambda names, judge: chosen)
    assert weigh(*held_out_of(rng), 20, rng).weights == chosen


def test_there_must_be_a_sample(rng):
    with pytest.raises(ValueError, match="samples must be"):
        weigh(*held_out_of(rng), 20, rng, 0)


def test_nobody_to_judge_is_said(rng):
    parts, known, _ = held_out_of(rng)
    with pytest.raises(ValueError, match="Nothing was held out"):
        weigh(parts, known, sp.csr_matrix(known.shape), 20, rng)
