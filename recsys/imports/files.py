"""Opening of files that somebody hands us: plain or gzipped text, and a clear word about anything else."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from tqdm import tqdm

from recsys.imports.copying import progress_bar
from recsys.imports.errors import ImportFileError

MAX_LINE = 1_000_000  # bytes; a longer line is a bad row, and is never held whole
_HEAD = 4096
_GZIP = b"\x1f\x8b"
# What people hand in by mistake, by how it begins.
_FOREIGN = (
    (b"PK\x03\x04", "a zip archive (or a spreadsheet). Unpack it, or save it as CSV"),
    (b"BZh", "compressed with bzip2. Unpack it, or use gzip"),
    (b"\xfd7zXZ", "compressed with xz. Unpack it, or use gzip"),
    (b"\x28\xb5\x2f\xfd", "compressed with zstd. Unpack it, or use gzip"),
    (b"PAR1", "a Parquet file. Convert it to CSV or JSONL"),
    (b"SQLite format 3", "an SQLite database. Export its tables as CSV"),
    (b"%PDF", "a PDF. Text is wanted: CSV or JSONL"),
    (b"\xff\xfe", "UTF-16 text. Save it as UTF-8"),
    (b"\xfe\xff", "UTF-16 text. Save it as UTF-8"),
)


class Lines:
    """Iterates over the lines of a file as text, without their ends.

    `number` is that of the line last given, from 1. What is wrong with a line (too long, not UTF-8, a NUL in it) is
    kept in `faults` under its number, for whoever makes records of the lines; the line is then given mangled.
    """

    def __init__(self, path: Path, stream: IO[bytes], raw: IO[bytes], bar: tqdm[None]) -> None:
        self.path, self._stream, self._raw, self._bar = path, stream, raw, bar
        self.number = 0
        self.faults: dict[int, str] = {}

    def __iter__(self) -> Iterator[str]:
        while line := self._read():
            self.number += 1
            if self.number % 1000 == 0:
                self._advance()
            yield self._text(line)
        self._advance()

    def _read(self) -> bytes:
        try:
            return self._stream.readline(MAX_LINE + 1)
        except EOFError as error:
            raise ImportFileError(
                f"{self.path} ends in the middle of its gzip data, after line {self.number}: it is cut short. "
                "Fetch or make it again."
            ) from error
        except (gzip.BadGzipFile, zlib.error) as error:
            raise ImportFileError(
                f"The gzip data of {self.path} are damaged after line {self.number} ({error}). Fetch or make it again."
            ) from error

    def _advance(self) -> None:
        self._bar.update(self._raw.tell() - self._bar.n)

    def _text(self, line: bytes) -> str:
        if self.number == 1:
            line = line.removeprefix(b"\xef\xbb\xbf")
        if len(line) > MAX_LINE:
            self._skip_rest(line)
            self.faults[self.number] = f"The line is longer than {MAX_LINE:,} bytes."
            return ""
        try:
            text = line.decode("utf-8")
        except UnicodeDecodeError as error:
            self.faults[self.number] = (
                f"This is not UTF-8: byte 0x{line[error.start]:02X} at position {error.start + 1}."
            )
            text = line.decode("utf-8", "replace")
        if "\x00" in text:
            self.faults[self.number] = f"There is a NUL at position {text.index(chr(0)) + 1}."
            text = text.replace("\x00", "")
        return text.rstrip("\r\n")

    def _skip_rest(self, line: bytes) -> None:
        while line and not line.endswith(b"\n"):
            line = self._read()


@contextmanager
def open_lines(path: Path, *, shown: bool = False) -> Iterator[Lines]:
    """The lines of `path`, which may be gzipped. ImportFileError where it is no text file that one can read."""
    with _open(path) as raw:
        head = raw.read(_HEAD)
        raw.seek(0)
        if not head:
            raise ImportFileError(f"{path} is empty.")
        stream: IO[bytes] = raw
        if head.startswith(_GZIP):
            stream = gzip.GzipFile(fileobj=raw)  # type: ignore[assignment]
            head = _unpacked_head(path, stream)
        _refuse_foreign(path, head)
        with progress_bar(path.name, total=path.stat().st_size, unit="B", shown=shown) as bar:
            yield Lines(path, stream, raw, bar)


def _open(path: Path) -> IO[bytes]:
    try:
        if path.is_dir():
            raise ImportFileError(f"{path} is a directory, and this format wants a file.")
        return path.open("rb")
    except FileNotFoundError as error:
        raise ImportFileError(f"There is no file {path}.") from error
    except (OSError, ValueError) as error:
        raise ImportFileError(f"{path} cannot be read: {getattr(error, 'strerror', None) or error}.") from error


def _unpacked_head(path: Path, stream: IO[bytes]) -> bytes:
    try:
        head = stream.read(_HEAD)
        stream.seek(0)
    except EOFError:
        return b"\n"  # cut short: reading it says after which line
    except (gzip.BadGzipFile, zlib.error) as error:
        raise ImportFileError(f"The gzip data of {path} are damaged ({error}). Fetch or make it again.") from error
    if not head:
        raise ImportFileError(f"{path} is a gzip file with nothing in it.")
    return head


def _refuse_foreign(path: Path, head: bytes) -> None:
    for magic, meaning in _FOREIGN:
        if head.startswith(magic):
            raise ImportFileError(f"{path} is {meaning}.")
    if sum(byte < 32 and byte not in b"\t\n\r\x0c" for byte in head) > len(head) * 0.05:
        raise ImportFileError(f"{path} is not a text file. Plain or gzipped UTF-8 text is wanted: CSV or JSONL.")
