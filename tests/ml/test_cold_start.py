from __future__ import annotations

import numpy as np
import pytest

from ml import als, cold_start
from ml.als import AlsConfig
from ml.artefacts import ArtefactError, dump
from ml.cold_start import ColdStartConfig, ColdStartModel
from ml.vectors import unit_rows
from tests.ml.planted import planted

CONFIG = ColdStartConfig()


def linear(
    rng: np.random.Generator, items: int = 300, noise: float = 0.0
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Content, the factors that follow from it, the factors as they were seen, and counts of interactions."""
    content = unit_rows(rng.normal(size=(items, 6)).astype(np.float32))
    true = (content @ rng.normal(size=(6, 4)) + np.array([1, -2, 0, 3])).astype(np.float32)
    seen = true + noise * rng.normal(size=true.shape).astype(np.float32)
    return content, true, seen, rng.integers(1, 100, items)


def test_finds_a_linear_map_and_its_intercept(rng):
    content, true, seen, counts = linear(rng)
    counts[:50] = 0
    seen[:50] = 0
    model = cold_start.fit(content, seen, counts, CONFIG, rng)
    assert model.predict(content[:50]) == pytest.approx(true[:50], abs=1e-2)
    assert model.r_squared == pytest.approx(1, abs=1e-3)
    assert model.ridge == min(CONFIG.ridges)


def test_is_the_ridge_of_scikit_learn(rng):
    from sklearn.linear_model import Ridge

    content, _, seen, counts = linear(rng, noise=0.5)
    model = cold_start.fit(content, seen, counts, ColdStartConfig(ridges=(0.02,), half_weight=5), rng)
    weights = counts / (counts + 5)
    reference = Ridge(alpha=0.02 * weights.sum()).fit(content, seen, sample_weight=weights)
    assert model.weights == pytest.approx(reference.coef_.T, abs=1e-4)
    assert model.intercept == pytest.approx(reference.intercept_, abs=1e-4)


def test_the_measure_is_that_of_items_left_out(rng):
    from sklearn.linear_model import Ridge

    content, _, seen, counts = linear(rng, items=60, noise=0.5)
    config = ColdStartConfig(ridges=(0.02,), folds=60, half_weight=5)  # each item is a fold, so chance plays no part
    weights = counts / (counts + 5)
    errors = spread = 0.0
    for item in range(60):
        others = np.arange(60) != item
        ridge = Ridge(alpha=0.02 * weights[others].sum())
        ridge.fit(content[others], seen[others], sample_weight=weights[others])
        errors += weights[item] * ((seen[item] - ridge.predict(content[[item]])[0]) ** 2).sum()
        mean = np.average(seen[others], axis=0, weights=weights[others])
        spread += weights[item] * ((seen[item] - mean) ** 2).sum()
    model = cold_start.fit(content, seen, counts, config, rng)
    assert model.r_squared == pytest.approx(1 - errors / spread, abs=1e-5)


def test_content_that_says_nothing_is_not_trusted(rng):
    content, _, _, counts = linear(rng)
    model = cold_start.fit(content, rng.normal(size=(300, 4)).astype(np.float32), counts, CONFIG, rng)
    assert model.r_squared < 0.02
    assert model.ridge == max(CONFIG.ridges)


def test_noise_wants_a_larger_ridge_and_earns_less_trust(rng):
    fitted = []
    for noise in (0.1, 1.0, 3.0):
        content, _, seen, counts = linear(np.random.default_rng(5), noise=noise)
        fitted.append(cold_start.fit(content, seen, counts, CONFIG, np.random.default_rng(6)))
    assert fitted[0].ridge <= fitted[1].ridge <= fitted[2].ridge
    assert fitted[0].ridge < fitted[2].ridge
    assert fitted[0].r_squared > fitted[1].r_squared > fitted[2].r_squared


def test_items_with_many_interactions_count_for_more(rng):
    content, true, seen, counts = linear(rng)
    counts[:] = 1000
    counts[150:] = 1
    seen[150:] = rng.normal(size=seen[150:].shape) * 5
    found = [
        np.abs(
            cold_start.fit(content, seen, counts, ColdStartConfig(half_weight=h), rng).predict(content) - true
        ).mean()
        for h in (0.0, 1000.0)
    ]
    assert found[1] < found[0] / 3


def test_errors_count_as_the_scores_of_users_feel_them(rng):
    content, _, seen, counts = linear(rng)
    seen[:, 0] = 10 * rng.normal(size=300)  # nothing predicts this one, and no user heeds it
    gram = np.diag([0, 1, 1, 1]).astype(np.float32)
    in_factors = cold_start.fit(content, seen, counts, CONFIG, np.random.default_rng(1))
    in_scores = cold_start.fit(content, seen, counts, CONFIG, np.random.default_rng(1), gram)
    assert in_factors.r_squared < 0.2
    assert in_scores.r_squared == pytest.approx(1, abs=1e-3)


def test_cold_items_are_scored_beside_those_of_their_group(rng):
    observed = planted(rng)  # users of 4 groups take up items of their group
    cold = np.arange(72, 80)
    observed = observed.tolil()
    observed[:, cold] = 0
    observed = observed.tocsr()
    counts = np.asarray((observed != 0).sum(axis=0)).ravel()
    content = np.eye(4, dtype=np.float32)[np.arange(80) % 4]
    factors = als.fit(observed, AlsConfig(dimensions=8, unobserved=1.0), rng)
    model = cold_start.fit(content, factors.items, counts, CONFIG, rng, als.gram(factors.users))
    assert model.r_squared > 0.9
    scores = factors.users @ model.complete(factors.items, counts, content)[cold].T
    own = (np.arange(200) % 4)[:, None] == (cold % 4)[None, :]
    assert scores[own].min() > scores[~own].max()


def test_only_cold_items_are_filled_in(rng):
    content, _, seen, counts = linear(rng, noise=1.0)
    counts[[3, 7]] = 0
    model = cold_start.fit(content, seen, counts, CONFIG, rng)
    completed = model.complete(seen, counts, content)
    assert (completed[[3, 7]] == model.predict(content[[3, 7]])).all()
    assert (np.delete(completed, [3, 7], axis=0) == np.delete(seen, [3, 7], axis=0)).all()
    assert completed.dtype == np.float32


def test_an_item_of_which_nothing_is_known_is_zero_and_teaches_nothing(rng):
    content, _, seen, counts = linear(rng, noise=0.1)
    model = cold_start.fit(content, seen, counts, ColdStartConfig(ridges=(0.01,)), rng)
    blank = np.vstack([content, np.zeros((5, 6), np.float32)])
    others = np.vstack([seen, np.full((5, 4), 100, np.float32)])
    again = cold_start.fit(blank, others, np.append(counts, [9] * 5), ColdStartConfig(ridges=(0.01,)), rng)
    assert again.weights == pytest.approx(model.weights, abs=1e-6)
    assert not model.predict(np.zeros((2, 6), np.float32)).any()


def test_factors_that_are_all_alike_are_predicted_and_not_trusted(rng):
    content, _, seen, counts = linear(rng)
    seen[:] = 2.0
    model = cold_start.fit(content, seen, counts, CONFIG, rng)
    assert model.predict(content) == pytest.approx(seen, abs=1e-4)
    assert model.r_squared == 0.0


def test_the_same_seed_gives_the_same_model(rng):
    content, _, seen, counts = linear(rng, noise=1.0)
    first = cold_start.fit(content, seen, counts, CONFIG, np.random.default_rng(1))
    second = cold_start.fit(content, seen, counts, CONFIG, np.random.default_rng(1))
    assert (first.weights == second.weights).all()
    assert first.r_squared == second.r_squared


def test_survives_its_bytes(rng):
    content, _, seen, counts = linear(rng, noise=1.0)
    model = cold_start.fit(content, seen, counts, CONFIG, rng)
    loaded = ColdStartModel.from_bytes(model.to_bytes())
    assert (loaded.predict(content) == model.predict(content)).all()
    assert (loaded.ridge, loaded.r_squared) == (model.ridge, model.r_squared)


@pytest.mark.parametrize("header", [{"ridge": 1.0}, {"ridge": 1.0, "r_squared": None}])
def test_refuses_bytes_without_a_measure(header):
    with pytest.raises(ArtefactError, match="missing"):
        ColdStartModel.from_bytes(dump("cold-start", header, {"intercept": np.ones(2), "weights": np.ones((3, 2))}))


def test_refuses_arrays_that_do_not_fit_together():
    header = {"ridge": 1.0, "r_squared": 0.5}
    with pytest.raises(ArtefactError, match="fit together"):
        ColdStartModel.from_bytes(dump("cold-start", header, {"intercept": np.ones(3), "weights": np.ones((3, 2))}))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"content": np.full((300, 6), np.nan)}, "finite"),
        ({"factors": np.full((300, 4), np.inf)}, "finite"),
        ({"factors": np.ones((299, 4))}, "same items"),
        ({"content": np.ones(300)}, "same items"),
        ({"counts": np.full(300, -1)}, "at least 0"),
        ({"counts": np.full(300, np.nan)}, "at least 0"),
        ({"counts": np.zeros(300)}, "Only 0 items"),
        ({"content": np.zeros((300, 6))}, "Only 0 items"),
        ({"user_gram": np.eye(3)}, "user_gram"),
        ({"user_gram": np.full((4, 4), np.nan)}, "user_gram"),
    ],
)
def test_refuses_what_cannot_be_learned_from(rng, change, message):
    content, _, factors, counts = linear(rng)
    given = {"content": content, "factors": factors, "counts": counts, **change}
    with pytest.raises(ValueError, match=message):
        cold_start.fit(config=CONFIG, rng=rng, **given)


def test_refuses_content_that_does_not_fit(rng):
    content, _, seen, counts = linear(rng)
    model = cold_start.fit(content, seen, counts, CONFIG, rng)
    for wrong in (np.ones((2, 5)), np.ones(6), np.full((1, 6), np.nan)):
        with pytest.raises(ValueError, match="Content"):
            model.predict(wrong.astype(np.float32))
    with pytest.raises(ValueError, match="same items"):
        model.complete(seen[1:], counts, content)


@pytest.mark.parametrize(
    "wrong", [{"ridges": ()}, {"ridges": (1.0, 0.0)}, {"ridges": (np.nan,)}, {"folds": 1}, {"half_weight": -1.0}]
)
def test_refuses_a_config_that_cannot_be(wrong):
    with pytest.raises(ValueError):
        ColdStartConfig(**wrong)
