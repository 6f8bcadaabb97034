"""A learned order of a blend's candidates: gradient boosted trees that optimise NDCG (LambdaMART).

Burges, "From RankNet to LambdaRank to LambdaMART: An Overview" (MSR-TR-2010-82); Ke et al., "LightGBM: A Highly
Efficient Gradient Boosting Decision Tree" (NIPS 2017). Trained on candidates of users of whom a part was held out: what
was held out is relevant, whatever else was put forward is not. Where impressions at known positions are what it learns
from, `weights` of inverse propensities take the positions' share out of the clicks.

LightGBM takes seconds to import and needs the system's libgomp, so it is loaded where it is used.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ml.tree_text import check_trees, only_trees

Floats = NDArray[np.float32]

LEVEL = "level"  # the name of the feature that is the blend's own score


class RankerUnavailable(RuntimeError):
    """LightGBM cannot be loaded on this machine."""


class NothingToLearn(ValueError):
    """No user has a relevant candidate."""


@dataclass(frozen=True)
class RankerConfig:
    """`trees` of at most `leaves`, each for `learning_rate` of the step; leaves hold at least `least` candidates. The
    gain counts to place `cut`. `threads` to train with."""

    trees: int = 100
    leaves: int = 15
    learning_rate: float = 0.1
    least: int = 1000
    cut: int = 20
    threads: int = 1

    def __post_init__(self) -> None:
        if min(self.trees, self.least, self.cut, self.threads) < 1 or self.leaves < 2:
            raise ValueError("trees, least, cut and threads must be at least 1, and leaves at least 2.")
        if not 0 < self.learning_rate <= 1:
            raise ValueError(f"learning_rate must be above 0 and at most 1, not {self.learning_rate}.")


@dataclass(frozen=True)
class Ranker:
    """`text` is LightGBM's own form of the trees; `features` their names in order. ValueError for any other text, as
    LightGBM would end the process over it.

    `of_blend` is how much of the blend's own score (the feature `level`) is added to what the trees say, each in
    standard deviations over the user's candidates.
    """

    text: str
    features: tuple[str, ...]
    of_blend: float = 0.0

    def __post_init__(self) -> None:
        if not (np.isfinite(self.of_blend) and self.of_blend >= 0):
            raise ValueError(f"of_blend must be finite and not negative, not {self.of_blend}.")
        if self.of_blend and LEVEL not in self.features:
            raise ValueError(f"A share of the blend needs the feature {LEVEL!r}.")
        check_trees(self.text, self.features)

    def score(self, features: Floats, given: NDArray[np.bool_] | None = None) -> Floats:
        """Scores (n_users, k) of candidates with `features` (n_users, k, n_features).

        `given` (n_users, k) says which of them there are (all).

        ValueError for another number of features; RankerUnavailable.
        """
        if features.shape[-1] != len(self.features):
            raise ValueError(f"{features.shape[-1]} features, but this ranker knows {len(self.features)}.")
        flat = features.reshape(-1, features.shape[-1])
        if not len(flat):
            return np.zeros(features.shape[:-1], dtype=np.float32)
        found = np.asarray(self._booster.predict(flat, num_threads=1), dtype=np.float32).reshape(features.shape[:-1])
        if not self.of_blend:
            return found
        given = np.ones(found.shape, dtype=bool) if given is None else given
        level = features[..., self.features.index(LEVEL)]
        return np.asarray(_standardised(found, given) + np.float32(self.of_blend) * _standardised(level, given))

    @cached_property
    def _booster(self) -> Any:
        return _lightgbm().Booster(model_str=self.text)


def fit(
    features: Floats,
    relevant: NDArray[np.bool_],
    names: Sequence[str],
    config: RankerConfig,
    seed: int,
    *,
    given: NDArray[np.bool_] | None = None,
    weights: Floats | None = None,
) -> Ranker:
    """Learn to order candidates: `features` (n_users, k, n_features), `relevant` (n_users, k).

    Of users without a relevant candidate nothing can be learned, and they are left out. `given` (n_users, k) says
    which candidates there are (all), `weights` (n_users, k) how much each counts (1). NothingToLearn where no user is
    left, ValueError for shapes that do not fit and for numbers that are not finite; RankerUnavailable.
    """
    _check(features, relevant, names, given, weights)
    chosen = np.asarray(relevant.any(axis=1))
    if not chosen.any():
        raise NothingToLearn("No user has a relevant candidate: there is nothing to learn from.")
    inside: NDArray[np.bool_] = np.repeat(chosen[:, None], relevant.shape[1], axis=1)
    if given is not None:
        inside &= given
    lightgbm = _lightgbm()
    data = lightgbm.Dataset(
        features[inside],
        label=relevant[inside].astype(np.int8),
        group=inside[chosen].sum(axis=1),
        weight=None if weights is None else weights[inside],
        feature_name=list(names),
        params={"verbosity": -1, "max_bin": 127},
    )
    trained = lightgbm.train(_parameters(config, seed), data, num_boost_round=config.trees)
    return Ranker(only_trees(trained.model_to_string()), tuple(names))


def reordered(items: NDArray[np.int64], scores: Floats) -> NDArray[np.int64]:
    """Candidates (n_users, k) in the order of their scores, best first; those that are none (-1) stay last."""
    order = np.argsort(np.where(items < 0, np.inf, -scores), axis=1, kind="stable")
    return np.take_along_axis(items, order, axis=1)


def _standardised(scores: Floats, given: NDArray[np.bool_]) -> Floats:
    """What is `given` of each row (n_users, k) with mean 0 and standard deviation 1; zeros where all of it is equal,
    and for what is not given."""
    n = np.maximum(given.sum(axis=-1, keepdims=True), 1)
    total = np.where(given, scores, 0).sum(axis=-1, keepdims=True, dtype=np.float64)  # exact where all are equal
    deviations = np.where(given, scores - total / n, 0).astype(np.float32)
    spread = np.sqrt(np.square(deviations).sum(axis=-1, keepdims=True) / n).astype(np.float32)
    return np.divide(deviations, spread, out=np.zeros_like(deviations), where=spread > 0)


def _parameters(config: RankerConfig, seed: int) -> dict[str, Any]:
    return {
        "objective": "lambdarank",
        "lambdarank_truncation_level": config.cut + 10,
        "num_leaves": config.leaves,
        "learning_rate": config.learning_rate,
        "min_data_in_leaf": config.least,
        "num_threads": config.threads,
        "seed": seed,
        "deterministic": True,
        "force_row_wise": True,
        "verbosity": -1,
    }


def _check(
    features: Floats,
    relevant: NDArray[np.bool_],
    names: Sequence[str],
    given: NDArray[np.bool_] | None,
    weights: Floats | None,
) -> None:
    if features.ndim != 3 or features.shape[2] != len(names):
        raise ValueError(f"Features of shape {features.shape}: users, candidates and {len(names)} names are expected.")
    for name, array in (("relevant", relevant), ("given", given), ("weights", weights)):
        if array is not None and array.shape != features.shape[:2]:
            raise ValueError(f"{name} has the shape {array.shape}, not that of the candidates, {features.shape[:2]}.")
    if any(len(name.split()) != 1 or name.split()[0] != name for name in names):
        raise ValueError(f"The names of features are words without spaces, unlike some of {list(names)}.")
    if not np.isfinite(features).all():
        raise ValueError("Features must be finite.")
    if weights is not None and not (np.isfinite(weights).all() and (weights >= 0).all()):
        raise ValueError("Weights must be finite and not negative.")


def _lightgbm() -> ModuleType:
    try:
        import lightgbm
    except (ImportError, OSError) as error:
        raise RankerUnavailable(
            f"LightGBM cannot be loaded ({error}). Install the package lightgbm, and the system's libgomp1 it needs."
        ) from error
    return lightgbm
