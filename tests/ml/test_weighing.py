from __future__ import annotations

import numpy as np

from ml import item_graph, popularity
from ml.blend import BlendScorer
from ml.linear import LinearScorer
from ml.metrics import ndcg
from ml.ranking import top_scored
from ml.weighing import weigh
from tests.ml.planted import leave_one_out, planted


def test_what_knows_nothing_gets_no_weight_and_the_rest_reaches_what_it_says(rng, monkeypatch):
    monkeypatch.setattr("ml.ranking._BLOCK", 80 * 50)
    known, held_out = leave_one_out(planted(rng, users=200), rng)
    parts = {
        "graph": item_graph.fit(known),
        "popularity": popularity.fit(known),
        "noise": LinearScorer(rng.normal(size=(80, 80)).astype(np.float32)),
    }
    found = weigh(parts, known, held_out, 20)
    assert found.weights["graph"] == 1
    assert found.weights["noise"] <= 0.1
    best = top_scored(BlendScorer(parts, found.weights), known, 20)
    np.testing.assert_allclose(found.ndcg, ndcg(best, held_out), atol=1e-6)
