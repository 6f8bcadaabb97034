"""Implicit alternating least squares (iALS): users and items as vectors whose inner product ranks.

Minimises, over user factors X (n_users, d) and item factors Y (n_items, d),

    sum over observed (u, i) of c_ui (x_u . y_i - 1)^2  +  a * sum over all (u, i) of (x_u . y_i)^2
    + l * ( sum over u of (|c_u| + a |I|)^nu ||x_u||^2  +  the same for items )

with c the confidence weights, a the weight of a pair that was not observed, and the regularisation scaled by
frequency: Hu, Koren, Volinsky, "Collaborative Filtering for Implicit Feedback Datasets" (ICDM 2008), as revisited by
Rendle et al., "Revisiting the Performance of iALS on Item Recommendation Benchmarks" (RecSys 2022). Each half-step
solves one linear system per row, for all rows at once by conjugate gradients from the last solution (Takács, Pilászy,
Tikk, RecSys 2011).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np
import scipy.linalg
import scipy.sparse as sp
from numpy.typing import NDArray

Floats = NDArray[np.float32]

_CHUNK = 1 << 18  # numbers of factors at a time: 1 MB, which stay in the processor's cache for all steps


@dataclass(frozen=True)
class AlsConfig:
    """`dimensions` d, `unobserved` a, `regularisation` l, `frequency_exponent` nu; `epochs` over both sides, with
    `cg_steps` conjugate gradient steps for each row in each."""

    dimensions: int = 64
    unobserved: float = 0.3
    regularisation: float = 0.01
    frequency_exponent: float = 1.0
    epochs: int = 10
    cg_steps: int = 4
    initial_scale: float = 0.1

    def __post_init__(self) -> None:
        if self.dimensions < 1 or self.epochs < 0 or self.cg_steps < 1:
            raise ValueError("dimensions and cg_steps must be at least 1, and epochs at least 0.")
        if not (self.unobserved > 0 and self.regularisation > 0):
            raise ValueError("unobserved and regularisation must be positive.")


@dataclass(frozen=True)
class ItemSide:
    """What folding a user in needs to know of all items: the `gram` (d, d) of their factors, how many they are, and the
    weight a of an `unobserved` pair.
    """

    gram: Floats
    n_items: int
    unobserved: float


@dataclass(frozen=True)
class AlsFactors:
    """`users` (n_users, d) and `items` (n_items, d), float32; a row without observations is zero. `unobserved` is a."""

    users: Floats
    items: Floats
    unobserved: float

    @property
    def side(self) -> ItemSide:
        return ItemSide(gram(self.items), len(self.items), self.unobserved)


def fit(
    observed: sp.csr_matrix,
    config: AlsConfig,
    rng: np.random.Generator,
    progress: Callable[[int, int], None] | None = None,
    start: Floats | None = None,
) -> AlsFactors:
    """Factorise `observed` (n_users, n_items): confidence weights above 0. `progress(epoch, epochs)` is called after
    each. `start` (n_items, d) are item factors of before, from which fewer epochs lead as far.

    ValueError for weights that are not finite and positive, and for a start of another shape.
    """
    by_user = sp.csr_matrix(observed, dtype=np.float32)
    by_user.sum_duplicates()
    if by_user.nnz and not (np.isfinite(by_user.data).all() and by_user.data.min() > 0):
        raise ValueError("Confidence weights must be finite and above 0.")
    by_item = by_user.T.tocsr()
    users = np.zeros((by_user.shape[0], config.dimensions), dtype=np.float32)
    unobserved = _unobserved_weight(by_user, config)
    items = _start(by_user.shape[1], config, rng) if start is None else start.astype(np.float32)
    if items.shape != (by_user.shape[1], config.dimensions):
        raise ValueError(f"A start of shape {items.shape} for {by_user.shape[1]} items.")
    for epoch in range(config.epochs):
        users = _half_step(by_user, users, items, unobserved, config)
        items = _half_step(by_item, items, users, unobserved, config)
        if progress:
            progress(epoch + 1, config.epochs)
    return AlsFactors(users=users, items=items, unobserved=unobserved)


def fold_in_many(
    observed: sp.csr_matrix, items: Floats, unobserved: float, config: AlsConfig, cg_steps: int = 12
) -> Floats:
    """The vectors (n_users, d) of many users at once, given `items` (n_items, d); each close to that of `fold_in`."""
    by_user = sp.csr_matrix(observed, dtype=np.float32)
    users = np.zeros((by_user.shape[0], items.shape[1]), dtype=np.float32)
    return _half_step(by_user, users, items, unobserved, replace(config, cg_steps=cg_steps))


def gram(factors: Floats) -> Floats:
    """The (d, d) product of factors with themselves, which `fold_in` needs of all items."""
    return np.asarray(factors.T @ factors, dtype=np.float32)


@dataclass(frozen=True)
class FoldedUser:
    """`vector` (d,) and `carried` (n_history, d): the share of each history item in it. They sum up to it, so
    `carried @ item` says which history items carried an item's score."""

    vector: Floats
    carried: Floats


def fold_in(history_factors: Floats, weights: Floats, side: ItemSide, config: AlsConfig) -> FoldedUser:
    """The vector of a user whose history has `history_factors` (n_history, d) with confidence `weights` (n_history,).

    Exactly what a half-step gives (solved directly), so a new user needs no training. The history's order does not
    matter.
    """
    history = np.asarray(history_factors, dtype=np.float64)
    confidence = np.asarray(weights, dtype=np.float64)
    ridge = _ridge(np.array([confidence.sum()]), side.n_items, side.unobserved, config)[0]
    system = side.unobserved * side.gram.astype(np.float64) + (history.T * confidence) @ history
    system[np.diag_indices_from(system)] += ridge
    carried = scipy.linalg.solve(system, history.T * confidence, assume_a="pos").T
    return FoldedUser(vector=carried.sum(axis=0).astype(np.float32), carried=carried.astype(np.float32))


@dataclass(frozen=True)
class AlsScorer:
    """Scores by folding histories in, given the `items` (n_items, d) and the weight a of an `unobserved` pair."""

    items: Floats
    unobserved: float
    config: AlsConfig

    @property
    def n_items(self) -> int:
        return len(self.items)

    def score(self, histories: sp.csr_matrix) -> Floats:
        """The scores (n_users, n_items) for histories (n_users, n_items) of confidence weights."""
        users = fold_in_many(histories, self.items, self.unobserved, self.config)
        return np.asarray(users @ self.items.T, dtype=np.float32)

    def carried(self, history: NDArray[np.integer], weights: Floats, items: NDArray[np.integer]) -> Floats:
        """What each item of a history brings to the scores of `items`: (len(history), len(items))."""
        side = ItemSide(gram(self.items), self.n_items, self.unobserved)
        folded = fold_in(self.items[history], weights, side, self.config)
        return np.asarray(folded.carried @ self.items[items].T, dtype=np.float32)


def _start(n_items: int, config: AlsConfig, rng: np.random.Generator) -> Floats:
    scale = config.initial_scale / np.sqrt(config.dimensions)
    return rng.normal(0, scale, (n_items, config.dimensions)).astype(np.float32)


def _unobserved_weight(observed: sp.csr_matrix, config: AlsConfig) -> float:
    pairs = observed.shape[0] * observed.shape[1]
    return config.unobserved * float(observed.data.sum(dtype=np.float64)) / pairs if pairs else 0.0


def _ridge(
    confidence_sums: NDArray[np.floating], n_other: int, unobserved: float, config: AlsConfig
) -> NDArray[np.floating]:
    frequency = confidence_sums + unobserved * n_other
    return np.asarray(config.regularisation * frequency**config.frequency_exponent)


def _half_step(rows: sp.csr_matrix, old: Floats, other: Floats, unobserved: float, config: AlsConfig) -> Floats:
    """Solve for every row's factors with those of the other side fixed."""
    solved = np.zeros_like(old)
    weighted_gram = np.float32(unobserved) * gram(other)
    for part in _parts(np.diff(rows.indptr), other.shape[1]):
        entries = rows.indptr[part][:, None] + np.arange(rows.indptr[part[0] + 1] - rows.indptr[part[0]])
        weights = rows.data[entries]
        ridge = _ridge(weights.sum(axis=1), other.shape[0], unobserved, config).astype(np.float32)
        solved[part] = _solve(weights, old[part], other[rows.indices[entries]], weighted_gram, ridge, config.cg_steps)
    return solved


def _parts(counts: NDArray[np.integer], dimensions: int) -> Iterator[NDArray[np.intp]]:
    """Rows with the same number of entries, so that their systems make up one array, as many as fit into _CHUNK."""
    order = np.argsort(counts, kind="stable")
    found, first, many = np.unique(counts[order], return_index=True, return_counts=True)
    for count, start, end in zip(found.tolist(), first, first + many, strict=True):
        if count:
            step = max(1, _CHUNK // (count * dimensions))
            yield from (order[begin : min(begin + step, end)] for begin in range(start, end, step))


def _solve(weights: Floats, start: Floats, factors: Floats, weighted_gram: Floats, ridge: Floats, steps: int) -> Floats:
    """Conjugate gradients on (a G + sum of c y y' + ridge I) x = sum of c y, for n rows of m entries each at once.

    `weights` c (n, m), `start` (n, d), `factors` y (n, m, d), `ridge` (n,).
    """

    def apply(x: Floats) -> Floats:
        predicted = np.matmul(factors, x[:, :, None])[:, :, 0]
        return np.asarray(x @ weighted_gram + _sums(weights * predicted, factors) + ridge[:, None] * x)

    x = start.copy()
    residual = _sums(weights, factors) - apply(x)
    direction = residual.copy()
    squared = np.einsum("ij,ij->i", residual, residual)
    for _ in range(steps):
        applied = apply(direction)
        curvature = np.einsum("ij,ij->i", direction, applied)
        alpha = np.divide(squared, curvature, out=np.zeros_like(squared), where=curvature > 0)
        x += alpha[:, None] * direction
        residual -= alpha[:, None] * applied
        next_squared = np.einsum("ij,ij->i", residual, residual)
        beta = np.divide(next_squared, squared, out=np.zeros_like(squared), where=squared > 0)
        direction = residual + beta[:, None] * direction
        squared = next_squared
    return x


def _sums(weights: Floats, factors: Floats) -> Floats:
    return np.asarray(np.matmul(weights[:, None, :], factors)[:, 0, :])
