"""Trained models as bytes or files: an npz of plain arrays with a header. Never a pickle, so a file can hold numbers
but no code.

Bytes are compressed. A file is not, so that its arrays can be mapped into memory where they lie: opening reads it
through once, to check it, and from then on the processes that opened it share one copy, which the system may drop and
read again.
"""

from __future__ import annotations

import hashlib
import io
import json
import mmap
import os
import secrets
import struct
import zipfile
import zlib
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

FORMAT = 1
_HEADER = "header"


class ArtefactError(ValueError):
    """Bytes that are no artefact of the expected sort, or a damaged one."""


def dump(sort: str, header: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> bytes:
    """Pack `arrays` (of numbers or texts) under a header. ArtefactError for numbers that are not finite, and for a
    header of other than JSON values."""
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **_with_header(sort, header, arrays))
    return buffer.getvalue()


def save(path: Path, sort: str, header: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> None:
    """Write what `open_mapped` opens. The file takes the place of an earlier one when it is whole and on the disk.

    Of several that write to one path at once, the last one's stays. ArtefactError as in `dump`.
    """
    named = _with_header(sort, header, {name: np.ascontiguousarray(array) for name, array in arrays.items()})
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        with temporary.open("xb") as file:
            np.savez(file, **named)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def load(data: bytes, sort: str | Collection[str]) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """Unpack what `dump` packed under the same `sort`, or one of several: (header, arrays).

    ArtefactError where the bytes are truncated, of another sort or format, of other shapes than the header says, or
    hold numbers that are not finite.
    """
    try:
        with np.load(io.BytesIO(data), allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
        header = json.loads(str(arrays.pop(_HEADER)))
    except _UNREADABLE as error:
        raise ArtefactError(f"This is no readable model artefact: {error}") from error
    return _checked(header, arrays, sort), arrays


def open_mapped(path: Path, sort: str | Collection[str]) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """Open what `save` wrote, its arrays mapped and read-only: (header, arrays).

    All of it is read once, against its checksums: a damaged file is refused here and not met later. The path is opened
    once, so all is of one file, whatever takes its place meanwhile. ArtefactError as in `load`.
    """
    try:
        with path.open("rb") as file, zipfile.ZipFile(file) as archive:
            whole = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
            arrays = {info.filename.removesuffix(".npy"): _map(whole, archive, info) for info in archive.infolist()}
        header = json.loads(str(arrays.pop(_HEADER)))
    except _UNREADABLE as error:
        raise ArtefactError(f"{path} is no readable model artefact: {error}") from error
    return _checked(header, arrays, sort), arrays


def checksum(ids: NDArray[np.integer]) -> str:
    """Of a vocabulary: the same for the same ids in the same order, whatever the machine."""
    return hashlib.sha256(np.asarray(ids).astype("<i8").tobytes()).hexdigest()


_UNREADABLE = (ValueError, OSError, EOFError, KeyError, TypeError, struct.error, zipfile.BadZipFile, zlib.error)
_LOCAL_HEADER = struct.Struct("<26x2H")  # of a member of a zip file: the lengths of its name and its extra field


def _map(whole: mmap.mmap, archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> NDArray[Any]:
    if info.compress_type != zipfile.ZIP_STORED:
        raise ValueError(f"{info.filename} is compressed, and so cannot be mapped")
    with archive.open(info) as member:  # whatever is read to the end is held against the archive's checksum
        version = np.lib.format.read_magic(member)
        read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape, by_columns, kind = read(member)
        begins = member.tell()
        while member.read(1 << 20):
            pass
    if kind.hasobject:
        raise ValueError(f"{info.filename} holds objects")
    lengths = _LOCAL_HEADER.unpack_from(whole, info.header_offset)
    offset = info.header_offset + _LOCAL_HEADER.size + sum(lengths) + begins
    return np.ndarray(shape, kind, whole, offset, order="F" if by_columns else "C")


def _with_header(sort: str, header: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> dict[str, Any]:
    if _HEADER in arrays:
        raise ArtefactError(f"No array may be named {_HEADER!r}.")
    for name, array in arrays.items():
        _refuse_unfit(name, array)
    shapes = {name: list(array.shape) for name, array in arrays.items()}
    try:
        text = json.dumps({**header, "format": FORMAT, "sort": sort, "shapes": shapes}, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise ArtefactError(f"A header holds JSON values: {error}") from error
    return {_HEADER: np.array(text), **arrays}


def _checked(header: Any, arrays: Mapping[str, NDArray[Any]], sort: str | Collection[str]) -> dict[str, Any]:
    sorts = [sort] if isinstance(sort, str) else list(sort)
    if not isinstance(header, dict) or header.get("format") != FORMAT or header.get("sort") not in sorts:
        raise ArtefactError(
            f"This is not a {' or '.join(map(repr, sorts))} artefact of format {FORMAT}; train it again."
        )
    if header.get("shapes") != {name: list(array.shape) for name, array in arrays.items()}:
        raise ArtefactError("The arrays of this artefact are not the ones that its header names.")
    for name, array in arrays.items():
        _refuse_unfit(name, array)
    return header


def _refuse_unfit(name: str, array: NDArray[Any]) -> None:
    if array.dtype.kind not in "biufU":
        raise ArtefactError(f"The array {name!r} is of {array.dtype}; only numbers and texts can be kept.")
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        raise ArtefactError(f"The array {name!r} holds numbers that are not finite.")
