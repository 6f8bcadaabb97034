"""Trained models as bytes: an npz of plain arrays with a header. Never a pickle, so a file can hold numbers but no
code.
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

FORMAT = 1
_HEADER = "header"


class ArtefactError(ValueError):
    """Bytes that are no artefact of the expected sort, or a damaged one."""


def dump(sort: str, header: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> bytes:
    """Pack `arrays` (of numbers or texts) under a header of JSON values. ArtefactError for non-finite numbers."""
    if _HEADER in arrays:
        raise ArtefactError(f"No array may be named {_HEADER!r}.")
    for name, array in arrays.items():
        _refuse_unfit(name, array)
    shapes = {name: list(array.shape) for name, array in arrays.items()}
    text = json.dumps({"format": FORMAT, "sort": sort, "shapes": shapes, **header}, allow_nan=False)
    buffer = io.BytesIO()
    named: dict[str, Any] = {_HEADER: np.array(text), **arrays}
    np.savez_compressed(buffer, **named)
    return buffer.getvalue()


def load(data: bytes, sort: str) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """Unpack what `dump` packed under the same `sort`: (header, arrays).

    ArtefactError where the bytes are truncated, of another sort or format, of other shapes than the header says, or
    hold numbers that are not finite.
    """
    try:
        with np.load(io.BytesIO(data), allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
        header = json.loads(str(arrays.pop(_HEADER)))
    except (ValueError, OSError, EOFError, KeyError, zipfile.BadZipFile) as error:
        raise ArtefactError(f"This is no readable model artefact: {error}") from error
    if not isinstance(header, dict) or header.get("format") != FORMAT or header.get("sort") != sort:
        raise ArtefactError(f"This is not a {sort!r} artefact of format {FORMAT}; train the model again.")
    if header.get("shapes") != {name: list(array.shape) for name, array in arrays.items()}:
        raise ArtefactError("The arrays of this artefact are not the ones that its header names.")
    for name, array in arrays.items():
        _refuse_unfit(name, array)
    return header, arrays


def _refuse_unfit(name: str, array: NDArray[Any]) -> None:
    if array.dtype.kind not in "biufU":
        raise ArtefactError(f"The array {name!r} is of {array.dtype}; only numbers and texts can be kept.")
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        raise ArtefactError(f"The array {name!r} holds numbers that are not finite.")
