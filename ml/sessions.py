"""What comes next in a session, from transitions between items and from its own items once more.

    score(i) = sum over places r (0 = the last item) of
                   repeat[r] * [i is the item at r] + forward[r] * following(x_r, i)
                   + backward[r] * preceding(x_r, i) + two_steps[r] * two_steps(x_r, i)

over the distinct items x_r of the session, the latest first. The rows are those of `ml.transitions`; the weights depend
on the session's length and are learned (`ml.session_weights`), so a score is a probability, or less where rows were
cut. How often people come back to what they just had differs most between catalogues. Neighbours among sessions
(VMIS-kNN: Kersbergen, Sprangers, Schelter, "Serenade", SIGMOD 2022) see the co-occurrences that one step of such a
graph sees; two steps reach further, and a mixture of both with neighbours and popularity ranked no better than without
those.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ml.session_data import Ids, SessionEvents, as_ids, next_item_queries, split_last
from ml.session_store import SessionStore
from ml.session_weights import N_LENGTH_GROUPS, learn, length_groups
from ml.transitions import Row, TransitionGraph, largest, merge

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class SessionConfig:
    """`window`: how many events apart two items may be to count. `places` of a session are looked at for transitions,
    `repeat_places` for repeats. Walks of two steps go by the `neighbours` strongest items.

    Memory is bounded by `max_sessions` (those that grew last are kept) of `max_session_length` events (the last ones
    count), `max_transitions_per_item` bounds what a recommendation reads.
    """

    window: int = 5
    places: int = 3
    repeat_places: int = 8
    neighbours: int = 20
    max_sessions: int = 200_000
    max_session_length: int = 200
    max_transitions_per_item: int = 100

    def __post_init__(self) -> None:
        for field in fields(self):
            if getattr(self, field.name) < 1:
                raise ValueError(f"{field.name} must be at least 1, not {getattr(self, field.name)}.")
        if self.window > 32:
            raise ValueError(f"window must be at most 32, not {self.window}.")

    @property
    def n_cues(self) -> int:
        return self.repeat_places + 3 * self.places


class SessionModel:
    """Recommends what comes next, and learns from each event as it comes. `weights` are (N_LENGTH_GROUPS, n_cues)."""

    def __init__(self, config: SessionConfig, weights: Floats | None = None) -> None:
        self.config = config
        self.weights = default_weights(config) if weights is None else np.asarray(weights, dtype=np.float64)
        if self.weights.shape != (N_LENGTH_GROUPS, config.n_cues):
            raise ValueError(f"Weights of shape {(N_LENGTH_GROUPS, config.n_cues)} are due, not {self.weights.shape}.")
        if not (np.isfinite(self.weights).all() and self.weights.min() >= 0):
            raise ValueError("Weights must be finite and not negative.")
        self.graph = TransitionGraph(config.window, config.neighbours, config.max_transitions_per_item)
        self._store = SessionStore(self.graph, config.max_sessions, config.max_session_length)

    def __len__(self) -> int:
        """The number of sessions that are kept."""
        return len(self._store)

    def update(self, events: SessionEvents) -> None:
        """Learn from events, of open sessions and new ones.

        Events in the order of time give the same model in one call or in many. Late ones are put in their place in
        their session; one that is there already (session, item and time) is ignored, so that a stream may repeat
        itself. A session that comes back after it was evicted begins anew.
        """
        self._store.update(events)

    def recommend(self, session_items: ArrayLike, k: int, *, repeats: bool = True) -> tuple[Ids, Floats]:
        """The at most `k` likeliest next items (ids and scores, best first) after `session_items` (the latest last).

        Without `repeats` the session's own items are left out. An empty session, or one of unknown items only and no
        repeats, gets nothing. ValueError where `k` is below 1 or the items are no ids.
        """
        if k < 1:
            raise ValueError(f"k must be at least 1, not {k}.")
        session = _as_session(session_items)
        cues, rows = self._cues(session)
        items, scores = merge(rows, self._cue_weights(len(session))[cues])
        wanted = scores > 0
        if not repeats:
            wanted &= ~np.isin(items, session)
        items, scores = items[wanted], scores[wanted]
        best = largest(scores, items, k)
        best = best[np.lexsort((items[best], -scores[best]))]
        return items[best], scores[best]

    def recommend_many(self, sessions: Sequence[ArrayLike], k: int, *, repeats: bool = True) -> tuple[Ids, Floats]:
        """`recommend` for each session: ids and scores (n_sessions, k), filled up with -1 and 0."""
        items = np.full((len(sessions), k), -1, dtype=np.int64)
        scores = np.zeros((len(sessions), k))
        for place, session in enumerate(sessions):
            found, their_scores = self.recommend(session, k, repeats=repeats)
            items[place, : len(found)], scores[place, : len(found)] = found, their_scores
        return items, scores

    def carried(self, session_items: ArrayLike, items: ArrayLike) -> Floats:
        """What each event of the session brings to the scores of `items`: (n_events, n_items), summing up to them.

        What a repeated item brings stands at its last event.
        """
        session, wanted = _as_session(session_items), as_ids(items, "Item ids")
        carried = np.zeros((len(session), len(wanted)))
        last_event = {item: place for place, item in enumerate(session)}
        sources = [last_event[item] for item in _latest_first(session, len(session))]
        cues, rows = self._cues(session)
        for cue, row in zip(cues, rows, strict=True):
            carried[sources[self._place(cue)]] += self._cue_weights(len(session))[cue] * _looked_up(row, wanted)
        return carried

    def cue_shares(self, session_items: ArrayLike, item: int) -> Floats:
        """The share (n_cues,) that each cue of the session gives to the item, from which weights are learned."""
        shares = np.zeros(self.config.n_cues)
        cues, rows = self._cues(_as_session(session_items))
        for cue, row in zip(cues, rows, strict=True):
            shares[cue] = _looked_up(row, np.array([item]))[0]
        return shares

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """All that `from_arrays` needs, as plain arrays."""
        config = np.array(astuple(self.config), dtype=np.int64)
        return {"config": config, "weights": self.weights, **self._store.to_arrays()}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]]) -> SessionModel:
        """The model that `to_arrays` was made of. ValueError where an array is missing or they do not fit together."""
        missing = {"config", "weights", "sessions", "lengths", "items", "times"} - set(arrays)
        if missing or arrays["config"].shape != (len(fields(SessionConfig)),):
            raise ValueError(f"These are no arrays of a session model (missing: {sorted(missing)}).")
        model = cls(SessionConfig(*arrays["config"].tolist()), arrays["weights"])
        model._store.restore(arrays)
        model.graph.warm()
        return model

    def _cues(self, session: list[int]) -> tuple[list[int], list[Row]]:
        """The cues that a session has, as columns of the weights, and the row of each."""
        cues: list[int] = []
        rows: list[Row] = []
        repeat_places, places = self.config.repeat_places, self.config.places
        walks = (self.graph.following, self.graph.preceding, self.graph.two_steps)
        for place, item in enumerate(_latest_first(session, max(repeat_places, places))):
            if place < repeat_places:
                cues.append(place)
                rows.append((np.array([item]), np.ones(1)))
            if place < places:
                cues += [repeat_places + kind * places + place for kind in range(len(walks))]
                rows += [walk(item) for walk in walks]
        return cues, rows

    def _place(self, cue: int) -> int:
        return cue if cue < self.config.repeat_places else (cue - self.config.repeat_places) % self.config.places

    def _cue_weights(self, length: int) -> Floats:
        return np.asarray(self.weights[length_groups(length)])


def fit(events: SessionEvents, config: SessionConfig, weights: Floats | None = None) -> SessionModel:
    """A model of `events`, with weights that `tune` learned or else `default_weights`."""
    model = SessionModel(config, weights)
    model.update(events)
    model.graph.warm()
    return model


def tune(train: SessionEvents, valid: SessionEvents | None = None, config: SessionConfig | None = None) -> Floats:
    """Learn the weights: fit on `train`, then ask what each cue gave to the next items in `valid`.

    Without `valid` the last tenth of the sessions of `train` is held out. ValueError where the held-out sessions have
    no next item to learn from.
    """
    if valid is None:
        train, valid = split_last(train)
    model = fit(train, config or SessionConfig())
    queries = list(next_item_queries(valid))
    shares = [model.cue_shares(session, item) for session, item in queries]
    lengths = np.array([len(session) for session, _ in queries], dtype=np.int64)
    return learn(np.reshape(shares, (len(queries), model.config.n_cues)), lengths)


def default_weights(config: SessionConfig) -> Floats:
    """Weights for want of sessions to learn from: each kind of cue counts a quarter, each place half the one before."""
    kinds = [config.repeat_places, *[config.places] * 3]
    row = np.concatenate([0.25 * 0.5 ** np.arange(n) / (0.5 ** np.arange(n)).sum() for n in kinds])
    return np.tile(row, (N_LENGTH_GROUPS, 1))


def _as_session(session_items: ArrayLike) -> list[int]:
    session = as_ids(session_items, "Item ids")
    if session.ndim != 1:
        raise ValueError(f"A session is of one dimension, not {session.ndim}.")
    if session.size and session.min() < 0:
        raise ValueError("Item ids must be 0 or more.")
    return session.tolist()


def _latest_first(session: list[int], places: int) -> list[int]:
    """The distinct items of the session, at most `places` of them."""
    distinct: dict[int, None] = {}
    for item in reversed(session):
        distinct[item] = None
        if len(distinct) == places:
            break
    return list(distinct)


def _looked_up(row: Row, items: Ids) -> Floats:
    known, shares = row
    if not len(known):
        return np.zeros(len(items))
    places = np.minimum(np.searchsorted(known, items), len(known) - 1)
    return np.where(known[places] == items, shares[places], 0.0)
