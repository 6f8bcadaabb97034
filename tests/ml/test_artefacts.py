from __future__ import annotations

import io
import pickle
from typing import Any

import numpy as np
import pytest

from ml.artefacts import ArtefactError, dump, load

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
