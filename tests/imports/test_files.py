from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from recsys.imports import files
from recsys.imports.errors import ImportFileError
from recsys.imports.files import open_lines


def read(path: Path) -> tuple[list[str], dict[int, str]]:
    with open_lines(path) as lines:
        return list(lines), lines.faults


@pytest.mark.parametrize("name", ["plain.txt", "packed.txt.gz"])
def test_plain_and_gzipped_text_reads_alike(write, name):
    assert read(write(name, "one\r\ntwö\n\nthree")) == (["one", "twö", "", "three"], {})


def test_what_is_gzipped_is_seen_from_its_bytes_not_its_name(write):
    assert read(write("named.csv", gzip.compress(b"one\n")))[0] == ["one"]


def test_a_byte_order_mark_is_no_part_of_the_text(write):
    assert read(write("a.csv", b"\xef\xbb\xbfone\n"))[0] == ["one"]


def test_bad_bytes_are_located(write):
    lines, faults = read(write("a.csv", b"fine\nna\xefve\nze\x00ro\nfine\n"))
    assert len(lines) == 4
    assert faults == {
        2: "This is not UTF-8: byte 0xEF at position 3.",
        3: "There is a NUL at position 3.",
    }


def test_an_endless_line_is_a_fault_and_is_not_held(write, monkeypatch):
    monkeypatch.setattr(files, "MAX_LINE", 100)
    lines, faults = read(write("a.csv", "x" * 1000 + "\nnext\n"))
    assert lines == ["", "next"]
    assert list(faults) == [1]
    assert "longer than 100 bytes" in faults[1]


def test_a_line_of_exactly_the_limit_is_fine(write, monkeypatch):
    monkeypatch.setattr(files, "MAX_LINE", 100)
    assert read(write("a.csv", "x" * 99 + "\nnext\n")) == (["x" * 99, "next"], {})


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (gzip.compress(b"", mtime=0), "gzip file with nothing in it"),
        (b"PK\x03\x04rest", "zip archive"),
        (b"BZh91AY", "bzip2"),
        (b"PAR1xxxx", "Parquet"),
        (b"SQLite format 3\x00", "SQLite"),
        ("text".encode("utf-16"), "UTF-16"),
        (bytes(range(256)) * 4, "not a text file"),
        (gzip.compress(bytes(range(256)) * 4), "not a text file"),
        (b"\x1f\x8b\x07damaged beyond repair", "damaged"),
    ],
)
def test_a_wrong_file_is_told_apart(write, content, message):
    with pytest.raises(ImportFileError, match=message):
        read(write("a.csv", content))


def test_a_truncated_gzip_says_after_which_line_it_ends(write):
    whole = gzip.compress("".join(f"{n * 7919 % 10007},{n}\n" for n in range(20_000)).encode())
    with pytest.raises(ImportFileError, match=r"cut short") as caught:
        read(write("a.csv", whole[: len(whole) // 2]))
    assert "after line" in str(caught.value)
    assert "after line 0" not in str(caught.value)


def test_a_damaged_gzip_says_so(write):
    whole = bytearray(gzip.compress("".join(f"{n * 7919 % 10007},{n}\n" for n in range(20_000)).encode()))
    whole[-5] ^= 0xFF  # of the checksum
    with pytest.raises(ImportFileError, match="damaged after line 20000"):
        read(write("a.csv", bytes(whole)))


def test_missing_files_and_directories(tmp_path):
    with pytest.raises(ImportFileError, match="There is no file"):
        read(tmp_path / "nothing.csv")
    with pytest.raises(ImportFileError, match="is a directory"):
        read(tmp_path)
