"""How well a model of sessions predicts the next item, query by query, so that intervals can be made of it.

For each event of a held-out session but its first, the model ranks items given the events so far, and the rank of the
item that really came counts; items of the session may come again (Ludewig, Jannach, UMUAI 2018; as in session-rec and
Serenade). The mean of `hits` is HR@k, that of `reciprocal_ranks` MRR@k.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ml.session_data import Ids, SessionEvents, next_item_queries

Floats = NDArray[np.float64]


class NextItemModel(Protocol):
    """Whatever recommends items for a session."""

    def recommend(self, session_items: Ids, k: int) -> tuple[Ids, Floats]: ...


@dataclass(frozen=True)
class NextItemRanks:
    """Arrays (n_queries,). `ranks`: from 1 to k of the item that came, 0 where it was not recommended. `seconds` that
    each recommendation took, and `cpu_seconds` of this thread, which others' load does not change. `lengths` of the
    sessions so far."""

    ranks: NDArray[np.int64]
    seconds: Floats
    cpu_seconds: Floats
    lengths: NDArray[np.int64]

    @property
    def hits(self) -> Floats:
        return (self.ranks > 0).astype(np.float64)

    @property
    def reciprocal_ranks(self) -> Floats:
        return np.divide(1.0, self.ranks, out=np.zeros(len(self.ranks)), where=self.ranks > 0)


def evaluate_next_item(model: NextItemModel, sessions: SessionEvents, k: int = 20) -> NextItemRanks:
    """Ask the model for each next item of the sessions, in this thread."""
    ranks, seconds, cpu_seconds, lengths = [], [], [], []
    for session, item in next_item_queries(sessions):
        begun, cpu_begun = time.perf_counter(), time.thread_time()
        recommended, _ = model.recommend(session, k)
        cpu_seconds.append(time.thread_time() - cpu_begun)
        seconds.append(time.perf_counter() - begun)
        found = np.flatnonzero(recommended[:k] == item)
        ranks.append(int(found[0]) + 1 if len(found) else 0)
        lengths.append(len(session))
    return NextItemRanks(
        ranks=np.array(ranks, dtype=np.int64),
        seconds=np.array(seconds, dtype=np.float64),
        cpu_seconds=np.array(cpu_seconds, dtype=np.float64),
        lengths=np.array(lengths, dtype=np.int64),
    )
