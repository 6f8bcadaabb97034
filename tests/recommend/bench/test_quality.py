"""The bench on small data of each format, through the command."""

from __future__ import annotations

import json
from io import StringIO
from pathlib import Path

import numpy as np
import pytest
import scipy.sparse as sp
from django.core.management import CommandError, call_command

from ml.recipe import RecipeConfig
from tests.ml.planted import leave_one_out, planted

pytestmark = pytest.mark.filterwarnings("ignore:invalid value:RuntimeWarning")


def bench(*arguments: str) -> dict:
    output = StringIO()
    call_command("bench", "quality", *arguments, "--json", stdout=output)
    (line,) = output.getvalue().splitlines()
    return json.loads(line)


def write_lightgcn(folder: Path, known: sp.csr_matrix, later: sp.csr_matrix) -> None:
    for name, matrix in (("train", known), ("test", later)):
        lines = (" ".join(map(str, [user, *matrix[user].indices])) for user in range(matrix.shape[0]))
        (folder / f"{name}.txt").write_text("\n".join(lines))


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(20)


def test_lightgcn(tmp_path, rng):
    write_lightgcn(tmp_path, *leave_one_out(planted(rng), rng))
    result = bench(str(tmp_path))
    models = result["details"]["models"]
    assert {"item_graph", "ials", "ease", "popularity", "blend"} <= set(models)
    assert models["blend"]["ndcg@20"] > 2 * models["popularity"]["ndcg@20"]
    assert models["blend"]["±ndcg@20"] > 0
    gains = result["details"]["ndcg_gain_at_least"]
    assert set(gains) == {"blend", "ranker"} & set(models)
    assert 0 < gains["blend"]["popularity"] < models["blend"]["ndcg@20"] - models["popularity"]["ndcg@20"]
    served = result["details"]["served"]
    assert result["value"] == models[served]["ndcg@20"]
    assert result["details"]["peak_mb"] > 10
    assert result["details"]["cpu_s"] >= result["details"]["train_cpu_s"] > 0


def test_of_what_is_tested_nothing_is_learned(tmp_path, rng):
    """Other answers, drawn at random, are neither foreseen, nor do they change what is chosen."""
    known, later = leave_one_out(planted(rng), rng)
    write_lightgcn(tmp_path, known, later)
    first = bench(str(tmp_path))["details"]
    unseen = [rng.choice(np.setdiff1d(np.arange(80), known[user].indices)) for user in range(known.shape[0])]
    other = sp.csr_matrix((np.ones(len(unseen)), (np.arange(len(unseen)), unseen)), shape=known.shape)
    write_lightgcn(tmp_path, known, other)
    second = bench(str(tmp_path))["details"]
    assert second["weights"] == first["weights"]
    assert second["chosen"] == first["chosen"]
    assert max(one["ndcg@20"] for one in second["models"].values()) < first["models"]["blend"]["ndcg@20"] / 2


def test_follows_are_asked_for_by_chance(tmp_path, rng):
    """Users follow those of their group; a random share of them is the test."""
    pairs = planted(rng, users=80, items=80).tocoo()
    lines = (f"{user} {followed}" for user, followed in zip(pairs.row, pairs.col, strict=True) if user != followed)
    (tmp_path / "follows.txt").write_text("\n".join(lines))
    details = bench(str(tmp_path))["details"]
    assert details["interactions"] < 0.85 * pairs.nnz
    assert details["models"]["blend"]["ndcg@20"] > 2 * details["models"]["popularity"]["ndcg@20"]
    assert details["chosen"]["half_life"] is None


def test_checkins_are_asked_for_by_time_and_places_once(tmp_path, rng):
    pairs = planted(rng, users=60, items=40).tocoo()
    visits = list(zip(pairs.row.tolist(), pairs.col.tolist(), rng.permutation(pairs.nnz).tolist(), strict=True))
    again = [(user, place, minute + 5000) for user, place, minute in visits]
    rows = (",".join(map(str, visit)) for visit in [*visits, *again])
    (tmp_path / "checkins.csv").write_text("\n".join(["user_id,loc_id,minutes", *rows]))
    details = bench(str(tmp_path))["details"]
    assert details["interactions"] == 7 * 60  # of 8 first visits each, the last is the test
    assert details["chosen"]["half_life"] in RecipeConfig().half_lives
    assert "successors" in details["models"]


def test_sessions(tmp_path, rng):
    """Each item is followed by the next one."""
    for name, first in (("train", 0), ("test", 1000)):
        starts = rng.integers(0, 40, 60)
        rows = [
            f"{first + session}\t{(start + step) % 50}\t{first + 10 * session + step}"
            for session, start in enumerate(starts)
            for step in range(5)
        ]
        (tmp_path / f"{name}.txt").write_text("\n".join(["SessionId\tItemId\tTime", *rows]))
    result = bench(str(tmp_path))
    models = result["details"]["models"]
    assert models["session"]["mrr@20"] > 0.8
    assert models["popularity"]["mrr@20"] < 0.3
    assert result["details"]["queries"] == 240
    assert result["details"]["p99_ms"] > 0


def test_movielens(tmp_path, rng):
    rows = []
    matrix = planted(rng, users=60, items=40, each=8)
    for user in range(60):
        for place, item in enumerate(rng.permutation(matrix[user].indices)):
            rows.append(f"{user},{item},{4.5 if place else 1.0},{1000 * place + user}")
    films = [f"{item},Film {item},{'Drama' if item % 4 else 'War'}" for item in range(40)]
    (tmp_path / "ratings.csv").write_text("\n".join(["userId,movieId,rating,timestamp", *rows]))
    (tmp_path / "movies.csv").write_text("\n".join(["movieId,title,genres", *films]))
    result = bench(str(tmp_path))
    assert result["details"]["interactions"] < 7 * 60  # what was not liked, and the latest, are left out
    assert "cold_users" in result["details"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [([], "Name the folder"), (["/nowhere"], "is no folder"), (["/nowhere", "--format", "sessions"], "is no folder")],
)
def test_says_what_is_wrong_with_the_data(arguments, message):
    with pytest.raises(CommandError, match=message):
        bench(*arguments)


def test_there_must_be_something_to_test_by(tmp_path):
    (tmp_path / "train.txt").write_text("0 1 2\n")
    (tmp_path / "test.txt").write_text("\n")
    with pytest.raises(CommandError, match="something to test by"):
        bench(str(tmp_path))


def test_what_is_tested_must_not_be_known(tmp_path):
    for name in ("train", "test"):
        (tmp_path / f"{name}.txt").write_text("0 1 2\n")
    with pytest.raises(CommandError, match="in the training part too"):
        bench(str(tmp_path))


def test_says_what_is_too_little_to_train_with(tmp_path):
    (tmp_path / "train.txt").write_text("0 1\n1 2\n")
    (tmp_path / "test.txt").write_text("0 2\n")
    with pytest.raises(CommandError, match="nothing can be held out"):
        bench(str(tmp_path))


def test_sessions_of_one_event_ask_for_nothing(tmp_path):
    rows = [f"{session},{item},{10 * session + item}" for session in range(30) for item in range(4)]
    (tmp_path / "train.txt").write_text("\n".join(["SessionId,ItemId,Time", *rows]))
    (tmp_path / "test.txt").write_text("SessionId,ItemId,Time\n99,1,999\n")
    with pytest.raises(CommandError, match="nothing to ask for"):
        bench(str(tmp_path))
