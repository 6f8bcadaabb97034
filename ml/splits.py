"""Ways to hold a part of the interactions out, to train without it and to be measured by it.

Each takes parallel arrays and gives a mask (n_events,): true for what is held out. A temporal split asks what a live
site asks; leave-last does so for each user; a random one is what most published tables are made of.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ml.interactions import split_by_time

Mask = NDArray[np.bool_]


def hold_out_latest(times: ArrayLike, share: float = 0.1) -> Mask:
    """What happened in the last `share` of all events, for whomever.

    What happened at one moment stays together, so it can be more than the share where times are coarse; but never
    what happened at the very first moment, so that there is something to train on: nothing where all happened at once.
    ValueError for a share outside of (0, 1).
    """
    moments = np.asarray(times, dtype=np.float64)
    if not len(moments):
        return np.zeros(0, dtype=bool)
    return np.asarray((moments >= split_by_time(moments, share)) & (moments > moments.min()))


def hold_out_last(users: ArrayLike, times: ArrayLike, share: float = 0.0, least: int = 1) -> Mask:
    """The last event of each user who has `least` more, or with a `share` the last floor(share n) of their n, if that
    is more; of equal times those that come later in the arrays.

    ValueError for arrays of different lengths, and for a share outside of [0, 1).
    """
    if not 0 <= share < 1:
        raise ValueError(f"share must be at least 0 and below 1, not {share}.")
    places = places_from_last(users, times)
    who, counts = np.unique(np.asarray(users), return_inverse=True, return_counts=True)[1:]
    floor = np.floor(np.round(share * counts, 9))  # .29 of 100 is 28.999999999999996 in floats
    wanted = np.minimum(np.maximum(floor, 1), np.maximum(counts - least, 0))
    return np.asarray(places < wanted[who], dtype=bool)


def places_from_last(users: ArrayLike, times: ArrayLike) -> NDArray[np.int64]:
    """How many events of the same user come after each, (n_events,); of equal times those later in the arrays do.

    ValueError for arrays of different lengths.
    """
    who, moments = np.asarray(users), np.asarray(times, dtype=np.float64)
    if who.shape != moments.shape:
        raise ValueError(f"{len(who)} users and {len(moments)} times: one each.")
    order = np.lexsort((np.arange(len(who)), moments, who))
    _, first, counts = np.unique(who[order], return_index=True, return_counts=True)
    places = np.empty(len(who), dtype=np.int64)
    places[order] = np.repeat(first + counts, counts) - 1 - np.arange(len(who))
    return places


def hold_out_random(users: ArrayLike, share: float, rng: np.random.Generator, least: int = 1) -> Mask:
    """About `share` of each user's events, drawn at random, so that at least `least` are left: floor(share n), and one
    more with the probability of the rest.

    ValueError for a share outside of (0, 1).
    """
    if not 0 < share < 1:
        raise ValueError(f"share must be between 0 and 1, not {share}.")
    who = np.asarray(users)
    order = np.lexsort((rng.random(len(who)), who))
    _, first, counts = np.unique(who[order], return_index=True, return_counts=True)
    wanted = np.floor(share * counts + rng.random(len(counts))).astype(np.int64)
    wanted = np.minimum(wanted, np.maximum(counts - least, 0))
    place = np.arange(len(who)) - np.repeat(first, counts)
    held = np.zeros(len(who), dtype=bool)
    held[order] = place < np.repeat(wanted, counts)
    return held
