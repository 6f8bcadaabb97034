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

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ml.scorers import check_histories

if TYPE_CHECKING:
    import scipy.sparse as sp  # which takes 0.2 s to load: only trainings do

Floats = NDArray[np.float32]

_CHUNK = 1 << 18  # numbers of factors at a time: 1 MB, which stay in the processor's cache for all steps
_LONG = 1 << 22  # numbers of factors from which on a single row is summed up in parts


@dataclass(frozen=True)
class AlsConfig:
    """`dimensions` d; `unobserved`, the weight of all pairs together over that of the observed ones, from which a
    follows; `regularisation` l, `frequency_exponent` nu; `epochs` over both sides, with `cg_steps` conjugate gradient
    steps for each row in each."""

    dimensions: int = 64
    unobserved: float = 10.0
    regularisation: float = 0.01
    frequency_exponent: float = 1.0
    epochs: int = 10
    cg_steps: int = 4
    initial_scale: float = 0.1

    def __post_init__(self) -> None:
        if self.dimensions < 1 or self.epochs < 0 or self.cg_steps < 1:
            raise ValueError("dimensions and cg_steps must be at least 1, and epochs at least 0.")
        for name in ("unobserved", "regularisation", "initial_scale"):
            if not 0 < getattr(self, name) < math.inf:
                raise ValueError(f"{name} must be positive and finite, not {getattr(self, name)}.")
        if not math.isfinite(self.frequency_exponent):
            raise ValueError(f"frequency_exponent must be finite, not {self.frequency_exponent}.")


@dataclass(frozen=True)
class ItemSide:
    """What folding a user in needs to know of all items: the `gram` (d, d) of their factors, how many they are, and the
    weight a of an `unobserved` pair.
    """

    gram: Floats
    n_items: int
    unobserved: float

    @classmethod
    def of(cls, items: Floats, unobserved: float) -> ItemSide:
        """Of the factors of all `items` (n_items, d)."""
        return cls(gram(items), len(items), unobserved)


@dataclass(frozen=True)
class AlsFactors:
    """`users` (n_users, d) and `items` (n_items, d), float32; a row without observations is zero. `unobserved` is a."""

    users: Floats
    items: Floats
    unobserved: float

    @property
    def side(self) -> ItemSide:
        return ItemSide.of(self.items, self.unobserved)


def fit(
    observed: sp.csr_matrix,
    config: AlsConfig,
    rng: np.random.Generator,
    progress: Callable[[int, int], None] | None = None,
    start: Floats | None = None,
) -> AlsFactors:
    """Factorise `observed` (n_users, n_items): confidence weights above 0. `progress(epoch, epochs)` is called after
    each. `start` (n_items, d) are item factors of before, from which fewer epochs lead as far.

    ValueError for weights that are not finite and positive, and for a start that is not finite or of another shape.
    """
    from ml.linear import check_weights

    by_user = check_weights(observed)
    by_item = by_user.T.tocsr()
    users = np.zeros((by_user.shape[0], config.dimensions), dtype=np.float32)
    unobserved = _unobserved_weight(by_user, config)
    items = _start(by_user.shape[1], config, rng) if start is None else start.astype(np.float32)
    if items.shape != (by_user.shape[1], config.dimensions):
        raise ValueError(f"A start of shape {items.shape} for {by_user.shape[1]} items.")
    if not np.isfinite(items).all():
        raise ValueError("A start must be finite.")
    for epoch in range(config.epochs):
        users = _half_step(by_user, users, items, unobserved, config)
        items = _half_step(by_item, items, users, unobserved, config)
        if progress:
            progress(epoch + 1, config.epochs)
    return AlsFactors(users=users, items=items, unobserved=unobserved)


def fold_in_many(observed: sp.csr_matrix, items: Floats, unobserved: float, config: AlsConfig) -> Floats:
    """The vectors (n_users, d) of many users at once, given `items` (n_items, d); each is that of `fold_in`."""
    folding = Folding(items, unobserved, config)
    return np.asarray(folding.rotated_users(observed) @ folding.rotation.T, dtype=np.float32)


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
    carried = np.linalg.solve(system, history.T * confidence).T
    return FoldedUser(vector=carried.sum(axis=0).astype(np.float32), carried=carried.astype(np.float32))


class Folding:
    """Folds many users in: what all of them need of the `items` (n_items, d) is computed once.

    With the Gram matrix G = Q diag(g) Q', and in the basis Q, the system of a user is diag(a g + ridge) plus a product
    as small as the history, which the identity of Woodbury solves in O(n_history^2 (n_history + d)).
    """

    def __init__(self, items: Floats, unobserved: float, config: AlsConfig) -> None:
        values, rotation = np.linalg.eigh(gram(items).astype(np.float64))
        self.rotation = rotation.astype(np.float32)  # (d, d): Q
        self.items = np.asarray(items @ self.rotation, dtype=np.float32)  # (n_items, d): their factors in the basis Q
        self._values = np.maximum(values, 0) * unobserved
        self._unobserved, self._config = unobserved, config

    def rotated_users(self, histories: sp.csr_matrix) -> Floats:
        """The vectors (n_users, d) of histories (n_users, n_items) of confidence weights, in the basis Q.

        Their product with `items` is that of the vectors and factors as they are.
        """
        rows = histories.tocsr().astype(np.float32, copy=False)
        dimensions = self.items.shape[1]
        found = np.zeros((rows.shape[0], dimensions), dtype=np.float32)
        for part in _parts(np.diff(rows.indptr), dimensions):
            entries = _entries(rows, part)
            weights = rows.data[entries]
            ridge = _ridge(weights.sum(axis=1), len(self.items), self._unobserved, self._config)
            scale = (1 / np.sqrt(self._values + ridge[:, None])).astype(np.float32)
            if entries.shape[1] > dimensions:
                found[part] = self._solve_long(rows.indices[entries], weights, scale)
            else:
                found[part] = self._solve_short(rows.indices[entries], weights, scale)
        return found

    def _solve_short(self, history: NDArray[np.integer], weights: Floats, scale: Floats) -> Floats:
        root = np.sqrt(weights)[:, :, None]
        factors = self.items[history] * root * scale[:, None, :]
        system = np.matmul(factors, factors.transpose(0, 2, 1))
        system[:, *np.diag_indices(system.shape[1])] += 1
        solved = np.asarray(np.linalg.solve(system, root)[:, :, 0], dtype=np.float32)
        return np.asarray(_sums(solved, factors) * scale)

    def _solve_long(self, history: NDArray[np.integer], weights: Floats, scale: Floats) -> Floats:
        found = np.empty_like(scale)
        for row, by in enumerate(scale):
            system, target = np.eye(len(by), dtype=np.float32), np.zeros(len(by), dtype=np.float32)
            for [factors], [own] in _Pieces(history[[row]], weights[[row]], self.items):
                scaled = factors * by
                system += (scaled * own[:, None]).T @ scaled
                target += own @ scaled
            found[row] = np.linalg.solve(system, target) * by
        return found


@dataclass(frozen=True)
class AlsScorer:
    """Scores by folding histories in, given the `items` (n_items, d) and the weight a of an `unobserved` pair."""

    items: Floats
    unobserved: float
    config: AlsConfig

    @property
    def n_items(self) -> int:
        return len(self.items)

    @cached_property
    def _folding(self) -> Folding:
        return Folding(self.items, self.unobserved, self.config)

    @cached_property
    def _side(self) -> ItemSide:
        return ItemSide.of(self.items, self.unobserved)

    def score(self, histories: sp.csr_matrix) -> Floats:
        """The scores (n_users, n_items) for histories (n_users, n_items) of confidence weights."""
        check_histories(histories)
        return np.asarray(self._folding.rotated_users(histories) @ self._folding.items.T, dtype=np.float32)

    def carried(self, history: NDArray[np.integer], weights: Floats, items: NDArray[np.integer]) -> Floats:
        """What each item of a history brings to the scores of `items`: (len(history), len(items))."""
        folded = fold_in(self.items[history], weights, self._side, self.config)
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
        entries = _entries(rows, part)
        weights = rows.data[entries]
        ridge = _ridge(weights.sum(axis=1), other.shape[0], unobserved, config).astype(np.float32)
        solved[part] = _solve(rows.indices[entries], weights, other, old[part], weighted_gram, ridge, config.cg_steps)
    return solved


def _parts(counts: NDArray[np.integer], dimensions: int) -> Iterator[NDArray[np.intp]]:
    """Rows with the same number of entries, so that their systems make up one array, as many as fit into _CHUNK."""
    order = np.argsort(counts, kind="stable")
    found, first, many = np.unique(counts[order], return_index=True, return_counts=True)
    for count, start, end in zip(found.tolist(), first, first + many, strict=True):
        if count:
            step = max(1, _CHUNK // (count * dimensions))
            yield from (order[begin : min(begin + step, end)] for begin in range(start, end, step))


def _entries(rows: sp.csr_matrix, part: NDArray[np.intp]) -> NDArray[np.integer]:
    """Where the entries of rows of one length are: (len(part), n_entries of each)."""
    return np.asarray(rows.indptr[part][:, None] + np.arange(rows.indptr[part[0] + 1] - rows.indptr[part[0]]))


def _solve(
    columns: NDArray[np.integer],
    weights: Floats,
    other: Floats,
    start: Floats,
    weighted_gram: Floats,
    ridge: Floats,
    steps: int,
) -> Floats:
    """Conjugate gradients on (a G + sum of c y y' + ridge I) x = sum of c y, for n rows of m entries each at once.

    `columns` of y (n, m) among `other` (n_other, d), `weights` c (n, m), `start` (n, d), `ridge` (n,).
    """
    if columns.size * other.shape[1] <= _LONG:
        pieces: Iterable[tuple[Floats, Floats]] = [(other[columns], weights)]
    else:  # one row of so many entries that their factors are not to be in memory together
        pieces = _Pieces(columns, weights, other)

    def apply(x: Floats) -> Floats:
        total = x @ weighted_gram + ridge[:, None] * x
        for factors, own in pieces:
            total += _sums(own * np.matmul(factors, x[:, :, None])[:, :, 0], factors)
        return np.asarray(total)

    target = np.sum([_sums(own, factors) for factors, own in pieces], axis=0)
    return _conjugate_gradients(apply, target, start, steps)


@dataclass(frozen=True)
class _Pieces:
    """The factors (n, some, d) of `columns` (n, m), and their `weights` (n, some), made anew whenever they are gone
    through."""

    columns: NDArray[np.integer]
    weights: Floats
    factors: Floats

    def __iter__(self) -> Iterator[tuple[Floats, Floats]]:
        step = max(1, _CHUNK // self.factors.shape[1])
        for begin in range(0, self.columns.shape[1], step):
            piece = slice(begin, begin + step)
            yield self.factors[self.columns[:, piece]], self.weights[:, piece]


def _conjugate_gradients(apply: Callable[[Floats], Floats], target: Floats, start: Floats, steps: int) -> Floats:
    """Solve `apply(x) = target` (n, d), n systems at once, from `start`."""
    x = start.copy()
    residual = target - apply(x)
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
