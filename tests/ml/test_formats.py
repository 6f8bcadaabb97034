from __future__ import annotations

import gzip
import zipfile

import numpy as np
import pytest

from ml.formats import FormatError, guess_format, read_lightgcn, read_movielens, read_sessions

RATINGS = "userId,movieId,rating,timestamp\n1,31,2.5,1260759144\n2,7,5.0,1260759179\n"
MOVIES = 'movieId,title,genres\n31,"Minds, Dangerous (1995)",Drama|War\n7,Sabrina,(no genres listed)\n'
SESSIONS = "SessionId\tItemId\tTime\n3\t14\t9.5\n1\t15\t2\n"


def test_reads_lightgcn(tmp_path):
    (tmp_path / "train.txt").write_text("0 5 6\n\n1 5\n2\n")
    with gzip.open(tmp_path / "test.txt.gz", "wt") as file:
        file.write("1 7\n")
    train, test = read_lightgcn(tmp_path)
    assert list(zip(train.users.tolist(), train.items.tolist(), strict=True)) == [(0, 5), (0, 6), (1, 5)]
    assert (test.users.tolist(), test.items.tolist(), test.weights.tolist()) == ([1], [7], [1])


def test_reads_movielens(tmp_path):
    (tmp_path / "ratings.csv").write_text(RATINGS)
    (tmp_path / "movies.csv").write_text(MOVIES)
    data = read_movielens(tmp_path)
    assert data.ratings.weights.tolist() == [2.5, 5]
    assert data.ratings.times.tolist() == [1260759144, 1260759179]
    assert data.titles == {31: "Minds, Dangerous (1995)", 7: "Sabrina"}
    assert data.genres == {31: ["Drama", "War"], 7: []}
    assert data.tags == {}
    (tmp_path / "tags.csv").write_text("userId,movieId,tag,timestamp\n15,31,school,1138537770\n")
    assert read_movielens(tmp_path).tags == {31: [("school", 1138537770)]}


@pytest.mark.parametrize("text", [SESSIONS, SESSIONS.replace("\t", ","), "\ufeff" + SESSIONS.replace("\n", "\r\n")])
def test_reads_sessions_in_the_order_of_their_times(tmp_path, text):
    with zipfile.ZipFile(tmp_path / "example.zip", "w") as archive:
        archive.writestr("train.txt", text)
        archive.writestr("test.txt", text)
        archive.writestr("example.toml", "")
    train, valid, test = read_sessions(tmp_path)
    assert valid is None
    for events in (train, test):
        assert (events.users.tolist(), events.items.tolist()) == ([1, 3], [15, 14])
        np.testing.assert_array_equal(events.times, [2, 9.5])


def test_large_ids_stay_apart(tmp_path):
    for name in ("train", "test"):
        (tmp_path / f"{name}.txt").write_text(f"SessionId,ItemId,Time\n{2**53 + 1},1,1\n{2**53},1,1\n")
    assert sorted(read_sessions(tmp_path)[0].users.tolist()) == [2**53, 2**53 + 1]


def test_what_is_for_validation_is_not_for_training_too(tmp_path):
    files = {
        "train_full": SESSIONS + "4\t15\t11\n",
        "train_valid": "SessionId\tItemId\tTime\n4\t15\t11\n",
        "test": SESSIONS,
    }
    for name, text in files.items():
        with gzip.open(tmp_path / f"clicks_{name}.txt.gz", "wt") as file:
            file.write(text)
    train, valid, _ = read_sessions(tmp_path)
    assert valid is not None
    assert train.users.tolist() == [1, 3]
    assert valid.users.tolist() == [4]


def test_the_format_is_seen_by_the_files_and_their_first_line(tmp_path):
    train = tmp_path / "train.txt"
    train.write_text("0 1 2\n")
    assert guess_format(tmp_path) == "lightgcn"
    train.write_text(SESSIONS + "damaged\n")
    assert guess_format(tmp_path) == "sessions"
    with zipfile.ZipFile(tmp_path / "films.zip", "w") as archive:
        archive.writestr("ml/ratings.csv", RATINGS)
    assert guess_format(tmp_path) == "movielens"
    train.unlink()
    (tmp_path / "films.zip").unlink()
    with pytest.raises(FormatError, match="holds no file train"):
        guess_format(tmp_path)


class TestRefuses:
    def test_what_is_no_folder(self, tmp_path):
        with pytest.raises(FormatError, match="is no folder"):
            read_lightgcn(tmp_path / "missing")

    def test_a_folder_without_the_file(self, tmp_path):
        with pytest.raises(FormatError, match="holds no file train"):
            read_lightgcn(tmp_path)

    def test_a_line_of_something_else(self, tmp_path):
        (tmp_path / "train.txt").write_text("0 5\n1 six\n")
        (tmp_path / "test.txt").write_text("0 5\n")
        with pytest.raises(FormatError, match=r"train.txt, line 2: numbers"):
            read_lightgcn(tmp_path)

    def test_missing_columns(self, tmp_path):
        (tmp_path / "train.txt").write_text("SessionId,Time\n1,2\n")
        (tmp_path / "test.txt").write_text(SESSIONS)
        with pytest.raises(FormatError, match=r"train.txt, line 1: the columns itemid are missing"):
            read_sessions(tmp_path)

    @pytest.mark.parametrize(
        "row", ["1,2,nan,4", "1,2,x,4", "1,2", "1.0,2,3,4", "-1,2,3,4", "9223372036854775808,2,3,4"]
    )
    def test_cells_that_are_no_finite_numbers(self, tmp_path, row):
        (tmp_path / "ratings.csv").write_text(RATINGS + row + "\n")
        (tmp_path / "movies.csv").write_text(MOVIES)
        with pytest.raises(FormatError, match=r"ratings.csv, line 4: .* others finite"):
            read_movielens(tmp_path)

    @pytest.mark.parametrize("name", ["train.txt.gz", "all.zip"])
    def test_damaged_files(self, tmp_path, name):
        (tmp_path / name).write_bytes(b"PK damaged")
        with pytest.raises(FormatError, match="cannot be read"):
            read_lightgcn(tmp_path)

    def test_ids_that_no_array_holds(self, tmp_path):
        (tmp_path / "train.txt").write_text(f"0 {2**63}\n")
        (tmp_path / "test.txt").write_text("0 5\n")
        with pytest.raises(FormatError, match="line 1"):
            read_lightgcn(tmp_path)

    def test_damage_within_a_compressed_file(self, tmp_path):
        data = bytearray(gzip.compress(b"0 1 2 3\n" * 1000))
        data[15] ^= 0xFF
        (tmp_path / "train.txt.gz").write_bytes(bytes(data))
        with pytest.raises(FormatError, match="cannot be read"):
            read_lightgcn(tmp_path)

    def test_what_is_no_text(self, tmp_path):
        (tmp_path / "train.txt").write_bytes(b"\xff\xfe1 2")
        with pytest.raises(FormatError, match="cannot be read"):
            read_lightgcn(tmp_path)
