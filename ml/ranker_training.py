"""Teaches a ranker by what was held out, and keeps it only where it beats the blend."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from ml import ranker
from ml.metrics import compare, first_unless_beaten, hits, ndcg
from ml.ranker import NothingToLearn, Ranker, RankerConfig, RankerUnavailable, reordered
from ml.ranker_features import Featurizer
from ml.ranking import blocks

Floats = NDArray[np.float32]

OF_BLEND = (0.3, 0.2, 0.1, 0.0)  # what is tried, in standard deviations
_JUDGES = 5  # one of so many users judges the ranker, which the others taught


@dataclass(frozen=True)
class Learned:
    """The `ranker`, or `why_none`."""

    ranker: Ranker | None
    why_none: str = ""


def learn(
    making: Featurizer, histories: sp.csr_matrix, held_out: sp.csr_matrix, config: RankerConfig, k: int, seed: int
) -> Learned:
    """A ranker of the candidates for `histories`, by what was held out of them, (n_users, n_items) each.

    Users who did not teach it judge how much of the blend is added to it, by NDCG@k: much, unless less of it is better
    with 95% confidence, as the trees know the hold-out better than what comes after. It is kept where it then beats the
    blend with the same confidence, which is a little less where another share than the first was chosen before.
    """
    lessons = _lessons(making, histories, held_out)
    judged = lessons.users % _JUDGES == 0
    taught = lessons.only(~judged)
    try:
        learned = ranker.fit(taught.features, taught.relevant, making.names, config, seed, given=taught.items >= 0)
    except (NothingToLearn, RankerUnavailable) as error:
        return Learned(None, str(error))
    judges = lessons.only(judged)
    later = held_out[judges.users]

    def quality(one: Ranker) -> NDArray[np.float64]:
        return ndcg(reordered(judges.items, one.score(judges.features, judges.items >= 0))[:, :k], later)

    def mixed(share: float) -> tuple[tuple[Ranker, NDArray[np.float64]], NDArray[np.float64]]:
        one = replace(learned, of_blend=share)
        values = quality(one)
        return (one, values), values

    best, reached = first_unless_beaten(map(mixed, OF_BLEND))
    won = compare(reached, ndcg(judges.items[:, :k], later))
    if not won.first_wins:
        return Learned(
            None, f"The ranker does not beat the blend on held-out users ({won.interval.low:+.4f} at worst)."
        )
    return Learned(best)


@dataclass(frozen=True)
class _Lessons:
    """`users` (n,) who have a relevant candidate: their candidates' `items` (n, k), `features` (n, k, n_features), and
    which are `relevant` (n, k). Of the others nothing can be learned, and any order is as good for them."""

    users: NDArray[np.int64]
    items: NDArray[np.int64]
    features: Floats
    relevant: NDArray[np.bool_]

    def only(self, chosen: NDArray[np.bool_]) -> _Lessons:
        return _Lessons(self.users[chosen], self.items[chosen], self.features[chosen], self.relevant[chosen])


def _lessons(making: Featurizer, histories: sp.csr_matrix, held_out: sp.csr_matrix) -> _Lessons:
    found = []
    for users in blocks(*histories.shape):
        block = histories[users]
        scored = making.scores(block)
        items = making.items_of(scored, block)
        relevant = hits(items, held_out[users])
        some = np.flatnonzero(relevant.any(axis=1))
        features = making.features_of(items[some], {name: one[some] for name, one in scored.items()}, block[some])
        found.append(_Lessons(users.start + some, items[some], features, relevant[some]))
    return _Lessons(
        *(np.concatenate([getattr(one, name) for one in found]) for name in ("users", "items", "features", "relevant"))
    )
