from __future__ import annotations

import io
import os
import pickle
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest

from ml.artefacts import ArtefactError, checksum, dump, load, open_mapped, save

ARRAYS: dict[str, Any] = {"gram": np.eye(3, dtype=np.float32), "words": np.array(["heat", "casino"])}


def test_gives_back_what_was_packed():
    header, arrays = load(dump("cf", {"n_items": 7}, ARRAYS), "cf")
    assert header["n_items"] == 7
    assert (arrays["gram"] == ARRAYS["gram"]).all()
    assert arrays["words"].tolist() == ["heat", "casino"]


def test_refuses_every_truncation():
    data = dump("cf", {}, ARRAYS)
    for length in range(0, len(data), 7):
        with pytest.raises(ArtefactError):
            load(data[:length], "cf")


def test_refuses_another_sort():
    with pytest.raises(ArtefactError, match="'text'"):
        load(dump("cf", {}, ARRAYS), "text")


def test_refuses_another_format(monkeypatch):
    monkeypatch.setattr("ml.artefacts.FORMAT", 2)
    data = dump("cf", {}, ARRAYS)
    monkeypatch.undo()
    with pytest.raises(ArtefactError, match="format 1"):
        load(data, "cf")


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_refuses_numbers_that_are_not_finite(value):
    with pytest.raises(ArtefactError, match="not finite"):
        dump("cf", {}, {"gram": np.array([1.0, value])})


def test_refuses_objects():
    with pytest.raises(ArtefactError, match="numbers and texts"):
        dump("cf", {}, {"gram": np.array([object()])})


def test_refuses_an_array_that_would_stand_in_the_place_of_the_header():
    with pytest.raises(ArtefactError, match="named 'header'"):
        dump("cf", {}, {"header": np.zeros(1)})


@pytest.mark.parametrize("value", [np.nan, {1}, object()])
def test_refuses_headers_of_other_than_json_values(value):
    with pytest.raises(ArtefactError, match="JSON"):
        dump("cf", {"x": value}, {})


class Trap:
    def __reduce__(self) -> tuple[Any, ...]:
        return (pytest.fail, ("a pickle was run",))


def test_never_runs_a_pickle():
    buffer = io.BytesIO()
    np.savez(buffer, header=np.array([Trap()], dtype=object))
    for data in (buffer.getvalue(), pickle.dumps(Trap())):
        with pytest.raises(ArtefactError):
            load(data, "cf")


def test_refuses_arrays_that_the_header_does_not_name():
    buffer = io.BytesIO()
    header = '{"format": 1, "sort": "cf", "shapes": {"gram": [3, 3]}}'
    np.savez(buffer, header=np.array(header), gram=np.eye(2))
    with pytest.raises(ArtefactError, match="header names"):
        load(buffer.getvalue(), "cf")


class TestFiles:
    ARRAYS = {
        "numbers": np.arange(6, dtype=np.float32).reshape(2, 3),
        "empty": np.zeros((0, 4), np.int64),
        "one": np.array(7.0),
        "columns": np.asfortranarray(np.arange(6.0).reshape(3, 2)),
        "words": np.array(["ä", "bc"]),
    }

    def test_gives_back_what_was_saved(self, tmp_path):
        save(tmp_path / "a.npz", "test", {"x": 1}, self.ARRAYS)
        header, arrays = open_mapped(tmp_path / "a.npz", "test")
        assert header["x"] == 1
        assert set(arrays) == set(self.ARRAYS)
        for name, array in self.ARRAYS.items():
            np.testing.assert_array_equal(arrays[name], array)
            assert arrays[name].dtype == array.dtype

    def test_takes_the_place_of_an_earlier_one_whose_readers_keep_theirs(self, tmp_path):
        path = tmp_path / "a.npz"
        save(path, "test", {}, {"x": np.zeros(1000)})
        _, earlier = open_mapped(path, "test")
        save(path, "test", {}, {"x": np.ones(1000)})
        assert not earlier["x"].any()
        assert open_mapped(path, "test")[1]["x"].all()
        assert [one.name for one in tmp_path.iterdir()] == ["a.npz"]

    def test_whoever_opens_it_while_it_is_replaced_gets_one_of_them_whole(self, tmp_path):
        path = tmp_path / "a.npz"

        def write(version: int) -> None:
            # Of different lengths, so that what is read at the places of the other is no array at all.
            save(path, "test", {"version": version}, {f"x{n}": np.full(5 + version, version) for n in range(8)})

        def write_often() -> None:
            for number in range(200):
                write(number % 2)

        write(1)
        with ThreadPoolExecutor() as pool:
            writer = pool.submit(write_often)
            while not writer.done():
                header, arrays = open_mapped(path, "test")
                assert {int(number) for array in arrays.values() for number in array} == {header["version"]}
            writer.result()

    def test_two_may_write_it_at_once(self, tmp_path, monkeypatch):
        both = threading.Barrier(2, timeout=60)
        monkeypatch.setattr(os, "fsync", lambda file: both.wait())  # neither is in place before both are written
        path = tmp_path / "a.npz"
        with ThreadPoolExecutor() as pool:
            list(pool.map(lambda value: save(path, "test", {}, {"x": np.full(1000, value)}), (1, 2)))
        assert set(open_mapped(path, "test")[1]["x"].tolist()) in ({1}, {2})
        assert [one.name for one in tmp_path.iterdir()] == ["a.npz"]

    def test_refuses_every_truncation_and_every_changed_byte_of_an_array(self, tmp_path):
        path = tmp_path / "a.npz"
        save(path, "test", {}, {"x": np.arange(8.0)})
        whole = path.read_bytes()
        begins = whole.index(np.arange(8.0).tobytes())
        damaged = [whole[:length] for length in range(0, len(whole), 7)]
        damaged += [whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :] for at in range(begins, begins + 64)]
        for data in damaged:
            path.write_bytes(data)
            with pytest.raises(ArtefactError, match="no readable"):
                open_mapped(path, "test")

    def test_refuses_what_is_compressed_or_not_there(self, tmp_path):
        (tmp_path / "a.npz").write_bytes(dump("test", {}, {"x": np.zeros(3)}))
        with pytest.raises(ArtefactError, match="cannot be mapped"):
            open_mapped(tmp_path / "a.npz", "test")
        with pytest.raises(ArtefactError, match="no readable"):
            open_mapped(tmp_path / "b.npz", "test")

    def test_refuses_objects_and_another_sort(self, tmp_path):
        np.savez(tmp_path / "a.npz", header=np.array("{}"), x=np.array([{}], dtype=object))
        with pytest.raises(ArtefactError, match="holds objects"):
            open_mapped(tmp_path / "a.npz", "test")
        save(tmp_path / "a.npz", "test", {}, {})
        with pytest.raises(ArtefactError, match="not a 'one' or 'other' artefact"):
            open_mapped(tmp_path / "a.npz", ["one", "other"])

    def test_keeps_no_number_that_is_not_finite(self, tmp_path):
        with pytest.raises(ArtefactError, match="not finite"):
            save(tmp_path / "a.npz", "test", {}, {"x": np.array([np.nan])})
        assert not list(tmp_path.iterdir())


def test_the_checksum_is_of_ids_and_their_order():
    assert checksum(np.array([1, 2], np.int32)) == checksum(np.array([1, 2], np.int64))
    assert len({checksum(np.array(ids)) for ids in ([1, 2], [2, 1], [1], [1, 3])}) == 4
