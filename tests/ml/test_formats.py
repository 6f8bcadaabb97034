from __future__ import annotations

import gzip
import zipfile
from pathlib import Path

import numpy as np
import pytest

from ml.formats import guess_format, read_checkins, read_follows, read_lightgcn, read_movielens, read_sessions
from ml.text_files import FormatError

REAL_DATA = Path(__file__).resolve().parents[3] / "shared" / "data"

RATINGS = "userId,movieId,rating,timestamp\n1,31,2.5,1260759144\n2,7,5.0,1260759179\n"
MOVIES = 'movieId,title,genres\n31,"Minds, Dangerous (1995)",Drama|War\n7,Sabrina,(no genres listed)\n'
FOLLOWS = "# who\twhom\n7\t3\r\n1 2\n\n7\t3\n7\t1\n"
CHECKINS = "user_id,loc_id,minutes\n1,9,10\n1,9,2.5\n2,8,0\n"
PLACES = "loc_id,lat,lon\n8,40.5,-74\n9,-90,180\n"
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


def test_reads_who_follows_whom_each_pair_once(tmp_path):
    (tmp_path / "follows.txt").write_text(FOLLOWS)
    found = read_follows(tmp_path)
    assert list(zip(found.users.tolist(), found.items.tolist(), strict=True)) == [(1, 2), (7, 1), (7, 3)]
    assert not found.times.any()
    assert (found.weights == 1).all()


def test_a_graph_of_nobody_is_empty(tmp_path):
    (tmp_path / "follows.txt").write_text("# nobody\n")
    assert len(read_follows(tmp_path)) == 0


def test_reads_checkins_and_where_the_places_are(tmp_path):
    (tmp_path / "checkins.csv").write_text(CHECKINS)
    found = read_checkins(tmp_path)
    assert (found.events.users.tolist(), found.events.items.tolist()) == ([1, 1, 2], [9, 9, 8])
    assert found.events.times.tolist() == [600, 150, 0]
    assert found.places == {}
    (tmp_path / "poi.csv").write_text(PLACES)
    assert read_checkins(tmp_path).places == {8: (40.5, -74), 9: (-90, 180)}


@pytest.mark.skipif(not (REAL_DATA / "soc-epinions").is_dir(), reason="the graph of Epinions is not on this machine")
def test_reads_the_real_graph():
    folder = REAL_DATA / "soc-epinions"
    found = read_follows(folder)
    assert guess_format(folder) == "follows"
    assert len(found) == 410_884
    assert np.bincount(found.items).max() == 2_414


@pytest.mark.skipif(not (REAL_DATA / "foursquare-nyc").is_dir(), reason="the check-ins are not on this machine")
def test_reads_the_real_checkins():
    folder = REAL_DATA / "foursquare-nyc"
    found = read_checkins(folder)
    assert guess_format(folder) == "checkins"
    assert len(found.events) == 147_938
    assert (len(np.unique(found.events.users)), len(np.unique(found.events.items))) == (1_083, 5_135)
    assert set(found.places) == set(found.events.items.tolist())
    assert all(40 < lat < 41.5 and -75 < lon < -73 for lat, lon in found.places.values())


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
    (tmp_path / "follows.txt").write_text(FOLLOWS)
    assert guess_format(tmp_path) == "follows"
    (tmp_path / "checkins.csv").write_text(CHECKINS)
    assert guess_format(tmp_path) == "checkins"
    for path in tmp_path.iterdir():
        path.unlink()
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
        with pytest.raises(FormatError, match=r"train.txt, line 2: 'six' is no id .* A line is `user item item …`"):
            read_lightgcn(tmp_path)

    def test_missing_columns(self, tmp_path):
        (tmp_path / "train.txt").write_text("SessionId,Time\n1,2\n")
        (tmp_path / "test.txt").write_text(SESSIONS)
        with pytest.raises(FormatError, match=r"train.txt, line 1: the columns itemid are missing"):
            read_sessions(tmp_path)

    @pytest.mark.parametrize(
        ("row", "problem"),
        [
            ("1,2,nan,4", "rating: 'nan' is no finite number"),
            ("1,2,x,4", "rating: 'x' is no finite number"),
            ("1,2,3,inf", "timestamp: 'inf' is no finite number"),
            ("1,2", "timestamp: the line ends after 2 of its cells"),
            ("1.0,2,3,4", "userId: '1.0' is no id"),
            ("-1,2,3,4", "userId: '-1' is no id"),
            ("1,,3,4", "movieId: '' is no id"),
            ("9223372036854775808,2,3,4", "userId: '9223372036854775808' is no id"),
        ],
    )
    def test_cells_that_are_no_ids_or_finite_numbers(self, tmp_path, row, problem):
        (tmp_path / "ratings.csv").write_text(RATINGS + row + "\n")
        (tmp_path / "movies.csv").write_text(MOVIES)
        with pytest.raises(FormatError, match=rf"ratings.csv, line 4, column {problem}.*Mend the line"):
            read_movielens(tmp_path)

    @pytest.mark.parametrize(
        ("line", "problem"),
        [
            ("1", "1 ids. A line is `follower followee`"),
            ("1 2 3", "3 ids. A line is `follower followee`"),
            ("1,2", "'1,2' is no id"),
            ("4 4", "4 follows themselves. Leave the line out"),
        ],
    )
    def test_lines_that_say_not_who_follows_whom(self, tmp_path, line, problem):
        (tmp_path / "follows.txt").write_text(FOLLOWS + line + "\n")
        with pytest.raises(FormatError, match=f"follows.txt, line 7: {problem}"):
            read_follows(tmp_path)

    def test_checkins_at_no_time(self, tmp_path):
        (tmp_path / "checkins.csv").write_text(CHECKINS + "1,2,noon\n")
        with pytest.raises(FormatError, match=r"checkins.csv, line 5, column minutes: 'noon' is no finite number"):
            read_checkins(tmp_path)

    @pytest.mark.parametrize(("row", "column"), [("1,91,0", "lat: 91"), ("1,0,-180.5", "lon: -180.5")])
    def test_places_that_are_not_on_earth(self, tmp_path, row, column):
        (tmp_path / "checkins.csv").write_text(CHECKINS)
        (tmp_path / "poi.csv").write_text(f"{PLACES}{row}\n")
        with pytest.raises(FormatError, match=f"poi.csv, line 4, column {column} lies outside"):
            read_checkins(tmp_path)

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
