from __future__ import annotations

import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ml.session_data import from_arrays, next_item_queries
from ml.session_evaluation import evaluate_next_item
from ml.session_weights import N_LENGTH_GROUPS
from ml.sessions import SessionConfig, SessionModel, default_weights, fit, tune

SMALL = SessionConfig(window=2, places=2, repeat_places=3, neighbours=4, max_sessions=4, max_session_length=5)
rows = st.lists(st.tuples(st.integers(0, 6), st.integers(0, 8), st.integers(0, 20)), max_size=40)
sessions = st.lists(st.integers(0, 10), max_size=8)


def events_of(found):
    columns = np.array(found, dtype=np.int64).reshape(-1, 3)
    return from_arrays(columns[:, 0], columns[:, 1], columns[:, 2])


def paths(rng, n_sessions=300, n_items=30, n_steps=4, stay=0.0):
    """Sessions that walk round a ring of items step by step, or go back to the item before with chance `stay`."""
    found, time = [], 0
    for session in range(n_sessions):
        walk = [int(rng.integers(n_items))]
        for _ in range(n_steps):
            back = len(walk) > 1 and rng.random() < stay
            walk.append(walk[-2] if back else (walk[-1] + 1) % n_items)
        for item in walk:
            found.append((session, item, time))
            time += 1
    return events_of(found)


def plain_scores(model, session):
    """The formula, item by item."""
    config, graph = model.config, model.graph
    weights = model.weights[np.searchsorted([2, 3, 5, 10], len(session), side="right")]
    repeat, rest = weights[: config.repeat_places], weights[config.repeat_places :].reshape(3, config.places)
    distinct = list(dict.fromkeys(reversed(session)))
    scores = {}
    for place, item in enumerate(distinct):
        if place < config.repeat_places:
            scores[item] = scores.get(item, 0) + repeat[place]
        if place < config.places:
            for weight, walk in zip(rest[:, place], (graph.following, graph.preceding, graph.two_steps), strict=True):
                for other, share in zip(*walk(item), strict=True):
                    scores[int(other)] = scores.get(int(other), 0) + weight * share
    return {item: score for item, score in scores.items() if score > 0}


@given(rows, sessions, st.integers(1, 12))
def test_recommendations_are_the_best_by_the_formula(found, session, k):
    model = fit(events_of(found), SMALL, np.random.default_rng(3).random((N_LENGTH_GROUPS, SMALL.n_cues)))
    items, scores = model.recommend(session, k)
    expected = plain_scores(model, session)
    assert len(items) == len(set(items.tolist())) == min(k, len(expected))
    assert scores == pytest.approx(sorted(expected.values(), reverse=True)[:k])
    assert scores == pytest.approx([expected[item] for item in items.tolist()])


@given(rows, st.integers(0, 40), sessions)
def test_a_model_that_was_updated_is_one_that_was_fitted_to_all(found, place, session):
    stream = sorted(found, key=lambda row: row[2])
    fitted = fit(events_of(stream), SMALL)
    updated = fit(events_of(stream[:place]), SMALL)
    updated.recommend(session, 5)
    updated.update(events_of(stream[place:]))
    assert len(updated) == len(fitted) <= SMALL.max_sessions
    for ours, theirs in zip(updated.recommend(session, 20), fitted.recommend(session, 20), strict=True):
        assert ours.tolist() == theirs.tolist()


@given(rows, sessions)
def test_what_events_carried_sums_up_to_the_scores(found, session):
    model = fit(events_of(found), SMALL)
    items, scores = model.recommend(session, 20)
    carried = model.carried(session, items)
    assert carried.shape == (len(session), len(items))
    assert (carried >= 0).all()
    assert carried.sum(axis=0) == pytest.approx(scores)


def test_the_event_that_led_to_an_item_carried_it():
    model = fit(events_of([(1, 0, 0), (1, 1, 1), (2, 5, 2), (2, 6, 3)]), SMALL)
    assert model.carried([0, 5, 0], [1, 6, 5, 99]).astype(bool).tolist() == [
        [False, False, False, False],
        [False, True, True, False],
        [True, False, False, False],
    ]


@given(rows, sessions)
def test_a_model_comes_back_from_its_arrays(found, session):
    model = fit(events_of(found), SMALL, np.random.default_rng(3).random((N_LENGTH_GROUPS, SMALL.n_cues)))
    file = io.BytesIO()
    np.savez(file, **model.to_arrays())
    file.seek(0)
    with np.load(file, allow_pickle=False) as archive:
        back = SessionModel.from_arrays({name: archive[name] for name in archive.files})
    assert back.config == model.config
    for ours, theirs in zip(back.recommend(session, 20), model.recommend(session, 20), strict=True):
        assert ours.tolist() == theirs.tolist()


def test_refuses_arrays_of_something_else():
    arrays = fit(events_of([(1, 0, 0)]), SMALL).to_arrays()
    with pytest.raises(ValueError, match="times"):
        SessionModel.from_arrays({name: array for name, array in arrays.items() if name != "times"})
    with pytest.raises(ValueError, match="no arrays of a session model"):
        SessionModel.from_arrays(arrays | {"config": arrays["config"][:-1]})


def test_learns_which_way_sessions_go(rng):
    train, test = paths(rng), paths(rng, n_sessions=30)
    weights = tune(train, config=SMALL)
    config = SessionConfig(window=2, places=2, repeat_places=3)
    found = evaluate_next_item(fit(train, config, weights), test, k=1)
    assert found.hits.mean() > 0.95


def test_learns_how_often_sessions_go_back(rng):
    never, often = tune(paths(rng), config=SMALL), tune(paths(rng, stay=0.8), config=SMALL)
    item_before_last = 1
    assert never[2, item_before_last] < 0.02
    assert often[2, item_before_last] > 0.5


def test_weights_are_learned_from_what_is_held_out(rng):
    train, valid = paths(rng), paths(rng, n_sessions=50, stay=1.0)
    assert tune(train, valid, SMALL)[2, 1] > 0.5 > tune(train, None, SMALL)[2, 1]


def test_learned_weights_beat_those_for_want_of_better(rng):
    train, test = paths(rng, stay=0.5), paths(rng, n_sessions=60, stay=0.5)
    config = SessionConfig()
    default, learned = (
        evaluate_next_item(fit(train, config, weights), test).reciprocal_ranks.mean()
        for weights in (default_weights(config), tune(train, config=config))
    )
    assert learned > default + 0.05


def test_there_is_nothing_to_learn_without_a_next_item():
    with pytest.raises(ValueError, match="nothing to learn"):
        tune(events_of([(1, 0, 0), (2, 1, 1)]), events_of([(3, 0, 2)]))


def test_cue_shares_are_what_the_score_is_made_of(rng):
    events = paths(rng, n_sessions=40)
    model = fit(events, SessionConfig(repeat_places=2, places=1))
    for session, item in list(next_item_queries(events))[:40]:
        shares = model.cue_shares(session, item)
        score = dict(zip(*(one.tolist() for one in model.recommend(session, 100)), strict=True)).get(item, 0)
        weights = model.weights[np.searchsorted([2, 3, 5, 10], len(session), side="right")]
        assert shares @ weights == pytest.approx(score)


def test_many_at_once_are_each_alone(rng):
    model = fit(paths(rng, n_sessions=40), SMALL)
    asked = [[0, 1], [], [99], [5, 4, 5]]
    items, scores = model.recommend_many(asked, 6)
    assert items.shape == scores.shape == (4, 6)
    for place, session in enumerate(asked):
        alone, their_scores = model.recommend(session, 6)
        assert items[place].tolist() == alone.tolist() + [-1] * (6 - len(alone))
        assert scores[place].tolist() == their_scores.tolist() + [0] * (6 - len(alone))


def test_a_session_that_says_nothing_gets_nothing():
    model = fit(events_of([(1, 0, 0), (1, 1, 1)]), SMALL)
    assert model.recommend([], 5)[0].tolist() == []
    assert model.recommend([77], 5, repeats=False)[0].tolist() == []
    assert model.carried([], [0]).shape == (0, 1)


def test_what_no_weight_speaks_for_is_not_recommended():
    weights = default_weights(SMALL)
    weights[:, : SMALL.repeat_places] = 0
    model = fit(events_of([(1, 0, 0), (1, 1, 1)]), SMALL, weights)
    assert model.recommend([0], 5)[0].tolist() == [1]
    assert model.recommend([77], 5)[0].tolist() == []


def test_an_unknown_item_may_come_again():
    assert fit(events_of([]), SMALL).recommend([77], 5)[0].tolist() == [77]


def test_without_repeats_the_sessions_own_items_are_left_out():
    model = fit(events_of([(1, 0, 0), (1, 1, 1), (1, 2, 2)]), SMALL)
    assert set(model.recommend([0, 1], 5)[0].tolist()) == {0, 1, 2}
    assert model.recommend([0, 1], 5, repeats=False)[0].tolist() == [2]


@settings(max_examples=20)
@given(rows)
def test_weights_for_want_of_better_are_probabilities(found):
    model = fit(events_of(found), SMALL)
    assert model.weights.sum(axis=1) == pytest.approx(np.ones(N_LENGTH_GROUPS))
    assert model.recommend([0, 1, 2], 100)[1].sum() <= 1 + 1e-9


@pytest.mark.parametrize(("items", "k"), [([1], 0), ([1.5], 1), ([[1]], 1), ([-1], 1)])
def test_refuses_what_is_no_session(items, k):
    with pytest.raises(ValueError, match=r"k must|whole numbers|one dimension|0 or more"):
        fit(events_of([]), SMALL).recommend(items, k)


@pytest.mark.parametrize("field", SessionConfig.__dataclass_fields__)
def test_refuses_sizes_below_one(field):
    with pytest.raises(ValueError, match=field):
        SessionConfig(**{field: 0})


def test_refuses_a_window_too_wide():
    with pytest.raises(ValueError, match="at most 32"):
        SessionConfig(window=33)


@pytest.mark.parametrize(
    "weights",
    [
        np.ones((1, 2)),
        np.full((N_LENGTH_GROUPS, SMALL.n_cues), np.nan),
        np.full((N_LENGTH_GROUPS, SMALL.n_cues), -1.0),
    ],
)
def test_refuses_weights_that_are_none(weights):
    with pytest.raises(ValueError, match="Weights"):
        SessionModel(SMALL, weights)
