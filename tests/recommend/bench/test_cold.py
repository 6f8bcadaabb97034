from __future__ import annotations

import numpy as np
import pytest

from ml.formats import Events, MovieLens
from recsys.recommend.bench.cold import measure_cold

GROUPS, FILMS, USERS = 4, 120, 80


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(20)


def films(rng: np.random.Generator, disliked_at: float | None = None) -> MovieLens:
    """Films come out one after the other, each liked by people of its group within the next days. Perhaps somebody
    rated each of them low before."""
    rows = [
        (user, film, 10.0 * film + rng.random() * 200, 5.0)
        for film in range(FILMS)
        for user in rng.choice(np.arange(film % GROUPS, USERS, GROUPS), 8, replace=False)
    ]
    if disliked_at is not None:
        rows += [(USERS, film, disliked_at, 1.0) for film in range(FILMS)]
    users, items, times, stars = (np.array(column) for column in zip(*rows, strict=True))
    genres = ["War", "Drama", "Comedy", "Western"]
    return MovieLens(
        Events(users.astype(np.int64), items.astype(np.int64), times, stars.astype(np.float32)),
        {film: f"{genres[film % GROUPS]} number {film}" for film in range(FILMS)},
        {film: [genres[film % GROUPS]] for film in range(FILMS)},
    )


def test_what_is_written_says_who_likes_a_film_that_nobody_knows(rng):
    found = measure_cold(films(rng), 4.0, seed=0)
    assert found["cold_moments"] == 5
    assert found["cold_models"]["content"]["ndcg@20"] > 1.5 * found["cold_models"]["random"]["ndcg@20"]
    low, high = found["cold_ndcg_gains"]["content over random"]
    assert 0 < low < high


def test_each_user_counts_once(rng):
    found = measure_cold(films(rng), 4.0, seed=0)
    assert found["cold_users"] <= USERS < found["cold_questions"]


def test_a_film_that_was_rated_before_is_not_cold_even_if_nobody_liked_it(rng):
    assert measure_cold(films(rng, disliked_at=0.0), 4.0, seed=0) == {"cold_users": 0}
    assert measure_cold(films(rng, disliked_at=1e9), 4.0, seed=0)["cold_users"] > 0
