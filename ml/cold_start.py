"""Items without interactions in the collaborative space: their factors are predicted from their content.

Ridge regression from content C (n_items, d_content) to the factors Y (n_items, d) of items that do have interactions:

    minimise  sum over items of w_i || y_i - b - W' c_i ||^2 / sum of w_i  +  r ||W||^2,      w_i = n_i / (n_i + h)

The idea is that of Gantner et al., "Learning Attribute-to-Feature Mappings for Cold-Start Recommendations" (ICDM 2010).
The factors of an item with few interactions n_i are noisy, hence the weights, which level off at 1. The ridge r is the
one of least error in k-fold cross-validation, all of them from one eigendecomposition a fold (Hastie, Tibshirani,
Friedman, "The Elements of Statistical Learning", 3.4.1). With the gram of the user factors, errors are counted as the
users' scores feel them: ||e||^2 = e' (X'X) e.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.linalg
from numpy.typing import NDArray

from ml.artefacts import ArtefactError, dump, load

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]

_SORT = "cold-start"


@dataclass(frozen=True)
class ColdStartConfig:
    """`ridges` r to choose from (for unit content vectors, 1 is heavy); `folds` of the cross-validation; an item with
    `half_weight` h interactions weighs half as much as one with very many.
    """

    ridges: tuple[float, ...] = (1e-5, 3e-5, 1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2, 1e-1, 1.0)
    folds: int = 5
    half_weight: float = 10.0

    def __post_init__(self) -> None:
        if not self.ridges or not all(np.isfinite(ridge) and ridge > 0 for ridge in self.ridges):
            raise ValueError("There must be ridges, all finite and above 0.")
        if self.folds < 2:
            raise ValueError(f"Cross-validation needs at least 2 folds, not {self.folds}.")
        if not (np.isfinite(self.half_weight) and self.half_weight >= 0):
            raise ValueError("half_weight must be finite and at least 0.")


@dataclass(frozen=True)
class ColdStartModel:
    """`intercept` b (d,) and `weights` W (d_content, d), float32, with the `ridge` that was chosen.

    `r_squared` says how far to trust it: the share of the spread of items' factors that was predicted for items left
    out of the fit. 1 is perfect; at 0 or below, content says nothing of who likes what.
    """

    intercept: Floats
    weights: Floats
    ridge: float
    r_squared: float

    def predict(self, content: Floats) -> Floats:
        """The factors (n_items, d) of items with `content` (n_items, d_content). Zero where the content is zero.

        ValueError for content that is not finite or has other dimensions.
        """
        if content.ndim != 2 or content.shape[1] != len(self.weights) or not np.isfinite(content).all():
            raise ValueError(f"Content must be finite, of shape (n_items, {len(self.weights)}).")
        predicted = content @ self.weights + self.intercept
        return np.asarray(predicted * _said(content)[:, None], dtype=np.float32)

    def complete(self, factors: Floats, counts: NDArray[np.number], content: Floats) -> Floats:
        """`factors` (n_items, d), with those predicted from `content` where `counts` (n_items,) is 0."""
        if not len(factors) == len(counts) == len(content):
            raise ValueError("factors, counts and content must be of the same items.")
        completed = factors.astype(np.float32)
        cold = np.asarray(counts) == 0
        completed[cold] = self.predict(content[cold])
        return completed

    def to_bytes(self) -> bytes:
        header = {"ridge": self.ridge, "r_squared": self.r_squared}
        return dump(_SORT, header, {"intercept": self.intercept, "weights": self.weights})

    @classmethod
    def from_bytes(cls, data: bytes) -> ColdStartModel:
        """The model that `to_bytes` packed; ArtefactError where the bytes are damaged or something else."""
        header, arrays = load(data, _SORT)
        try:
            model = cls(arrays["intercept"], arrays["weights"], float(header["ridge"]), float(header["r_squared"]))
        except (KeyError, TypeError, ValueError) as error:
            raise ArtefactError(f"Something of this cold-start model is missing: {error}") from error
        if model.weights.ndim != 2 or model.intercept.shape != model.weights.shape[1:]:
            raise ArtefactError("The arrays of this cold-start model do not fit together.")
        return model


def fit(
    content: Floats,
    factors: Floats,
    counts: NDArray[np.number],
    config: ColdStartConfig,
    rng: np.random.Generator,
    user_gram: Floats | None = None,
) -> ColdStartModel:
    """Learn from the items with interactions: `content` (n_items, d_content), `factors` (n_items, d), `counts`
    (n_items,) of interactions, 0 for those to be left out. `user_gram` (d, d): the product of the user factors with
    themselves, to measure errors in scores; None: in factors.

    Items whose content is zero are left out too. ValueError for shapes that do not fit, numbers that are not finite,
    counts below 0, or fewer items than folds.
    """
    _check(content, factors, counts, user_gram)
    warm = (np.asarray(counts) > 0) & _said(content)
    if warm.sum() < config.folds:
        raise ValueError(f"Only {warm.sum()} items have both interactions and content; {config.folds} are needed.")
    inputs, outputs = content[warm].astype(np.float64), factors[warm].astype(np.float64)
    number = np.asarray(counts, dtype=np.float64)[warm]
    weights = number / (number + config.half_weight)
    fold_of = rng.permutation(len(inputs)) % config.folds
    root = _root(user_gram, outputs.shape[1])
    errors, spread = _cross_validate(inputs, outputs, weights, fold_of, config, root)
    best = int(errors.argmin())
    intercept, solved = _Moments.of(inputs, outputs, weights).solve(config.ridges[best : best + 1])
    rounding = 1e-12 * _squared(outputs, weights, root)
    r_squared = 1 - errors[best] / spread if spread > rounding else 0.0
    return ColdStartModel(
        intercept[0].astype(np.float32), solved[0].astype(np.float32), config.ridges[best], float(r_squared)
    )


@dataclass(frozen=True)
class _Moments:
    """Weighted sums over items, which all ridges of a fold need and which add up over the folds."""

    weight: float
    content: Doubles
    factors: Doubles
    gram: Doubles
    cross: Doubles

    @classmethod
    def of(cls, content: Doubles, factors: Doubles, weights: Doubles) -> _Moments:
        weighted = content * weights[:, None]
        sums = weighted.sum(axis=0), weights @ factors
        return cls(float(weights.sum()), *sums, weighted.T @ content, weighted.T @ factors)

    def __sub__(self, other: _Moments) -> _Moments:
        return _Moments(
            self.weight - other.weight,
            self.content - other.content,
            self.factors - other.factors,
            self.gram - other.gram,
            self.cross - other.cross,
        )

    def solve(self, ridges: tuple[float, ...]) -> tuple[Doubles, Doubles]:
        """The intercepts (n_ridges, d) and weights (n_ridges, d_content, d) for each ridge."""
        content, factors = self.content / self.weight, self.factors / self.weight
        values, vectors = scipy.linalg.eigh(self.gram / self.weight - np.outer(content, content))
        rotated = vectors.T @ (self.cross / self.weight - np.outer(content, factors))
        shrunk = rotated / (np.maximum(values, 0)[:, None] + np.array(ridges)[:, None, None])
        weights = vectors @ shrunk
        return factors - content @ weights, weights


def _cross_validate(
    content: Doubles,
    factors: Doubles,
    weights: Doubles,
    fold_of: NDArray[np.integer],
    config: ColdStartConfig,
    root: Doubles,
) -> tuple[Doubles, float]:
    """The weighted squared error of each ridge (n_ridges,) over items left out, and that of the others' mean."""
    total = _Moments.of(content, factors, weights)
    errors, spread = np.zeros(len(config.ridges)), 0.0
    for fold in range(config.folds):
        left_out = fold_of == fold
        part = content[left_out], factors[left_out], weights[left_out]
        others = total - _Moments.of(*part)
        for index, (intercept, solved) in enumerate(zip(*others.solve(config.ridges), strict=True)):
            errors[index] += _squared(part[1] - part[0] @ solved - intercept, part[2], root)
        spread += _squared(part[1] - others.factors / others.weight, part[2], root)
    return errors, spread


def _squared(missed: Doubles, weights: Doubles, root: Doubles) -> float:
    return float(weights @ ((missed @ root) ** 2).sum(axis=1))


def _root(gram: Floats | None, dimensions: int) -> Doubles:
    """A (d, d) matrix R with R R' = gram, which may be singular."""
    if gram is None:
        return np.eye(dimensions)
    values, vectors = scipy.linalg.eigh(gram.astype(np.float64))
    return np.asarray(vectors * np.sqrt(np.maximum(values, 0)))


def _said(content: Floats) -> NDArray[np.bool_]:
    return np.asarray((content != 0).any(axis=1), dtype=bool)


def _check(content: Floats, factors: Floats, counts: NDArray[np.number], user_gram: Floats | None) -> None:
    if content.ndim != 2 or factors.ndim != 2 or not len(content) == len(factors) == len(counts):
        raise ValueError("content, factors and counts must be of the same items.")
    if not (np.isfinite(content).all() and np.isfinite(factors).all()):
        raise ValueError("content and factors must be finite.")
    if not (np.isfinite(counts).all() and (np.asarray(counts) >= 0).all()):
        raise ValueError("counts must be finite and at least 0.")
    shape = (factors.shape[1], factors.shape[1])
    if user_gram is not None and not (user_gram.shape == shape and np.isfinite(user_gram).all()):
        raise ValueError(f"user_gram must be finite, of shape {shape}.")
