"""Interactions with a structure that a model has to find."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp


def planted(
    rng: np.random.Generator, users: int = 200, items: int = 80, groups: int = 4, each: int = 8
) -> sp.csr_matrix:
    """Users of a group take up items of their group alone."""
    rows, columns = [], []
    for user in range(users):
        mine = np.arange(user % groups, items, groups)
        rows += [user] * each
        columns += rng.choice(mine, each, replace=False).tolist()
    return sp.csr_matrix((np.ones(len(rows), np.float32), (rows, columns)), shape=(users, items))


def leave_one_out(observed: sp.csr_matrix, rng: np.random.Generator) -> tuple[sp.csr_matrix, sp.csr_matrix]:
    """Without one item of each user, drawn at random, and those items."""
    known, held_out = observed.tolil(copy=True), sp.lil_matrix(observed.shape, dtype=np.float32)
    for user in range(observed.shape[0]):
        item = rng.choice(observed[user].indices)
        known[user, item] = 0
        held_out[user, item] = 1
    return known.tocsr(), held_out.tocsr()
