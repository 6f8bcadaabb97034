"""How much each cue of a session counts for what comes next: the weights of a mixture, learned by maximum likelihood.

Each cue c gives a distribution p_c over items (what followed the last item, the item two places back once more, ...):

    P(next = i | session) = sum over c of w[length, c] * p_c(i),        the weights of one length sum up to 1

Expectation maximisation (Dempster, Laird, Rubin, JRSS B 1977) finds the weights that make the next items of held-out
sessions likeliest; the problem is concave, so there is one answer and no grid to search. Weights are learned for each
group of session lengths, drawn towards those of all sessions by `prior` queries' worth (the maximum of a Dirichlet's
posterior), so that a group with few queries has sound weights too.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]

LENGTH_EDGES = (2, 3, 5, 10)  # groups of sessions with 1, 2, 3-4, 5-9 and at least 10 events
N_LENGTH_GROUPS = len(LENGTH_EDGES) + 1


def length_groups(lengths: ArrayLike) -> NDArray[np.intp]:
    """The group of each session length."""
    return np.searchsorted(LENGTH_EDGES, lengths, side="right")


def learn(shares: Floats, lengths: NDArray[np.integer], *, prior: float = 20.0, steps: int = 100) -> Floats:
    """The weights (N_LENGTH_GROUPS, n_cues) from queries of known outcome.

    `shares` (n_queries, n_cues) is what each cue gave to the item that really came next, `lengths` (n_queries,) the
    lengths of the sessions. Queries that no cue gave anything say nothing. ValueError for other shapes, shares that are
    not between 0 and 1, or no query that says anything.
    """
    if shares.ndim != 2 or lengths.shape != shares.shape[:1]:
        raise ValueError(f"{len(lengths)} lengths for shares of shape {shares.shape}.")
    if not ((shares >= 0) & (shares <= 1 + 1e-9)).all():
        raise ValueError("Shares must be between 0 and 1.")
    telling = shares.sum(axis=1) > 0
    if not telling.any():
        raise ValueError("No cue gave any of the next items a share: there is nothing to learn from.")
    shares, groups = shares[telling], length_groups(lengths[telling])
    overall = _maximise(shares, np.full(shares.shape[1], 1 / shares.shape[1]), 0.0, steps)
    return np.stack([_maximise(shares[groups == one], overall, prior, steps) for one in range(N_LENGTH_GROUPS)])


def _maximise(shares: Floats, overall: Floats, prior: float, steps: int) -> Floats:
    weights = overall
    for _ in range(steps if len(shares) else 0):
        carried = shares * weights
        carried /= np.maximum(carried.sum(axis=1, keepdims=True), np.finfo(np.float64).tiny)
        gathered = carried.sum(axis=0) + prior * overall
        weights = gathered / gathered.sum()
    return weights
