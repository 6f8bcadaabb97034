from __future__ import annotations

import csv

import pytest

from recsys.imports.errors import ImportFileError
from recsys.imports.report import SHOWN, Report, report_to
from recsys.inputs import FieldError, InputError


def test_all_faults_are_counted_and_the_first_are_shown():
    report = Report()
    for line in range(1, SHOWN + 11):
        report.reject("a.csv", line, "No.", "name")
    assert report.bad_rows == SHOWN + 10
    lines = report.bad_lines()
    assert lines[0] == "a.csv, line 1: name: No."
    assert len(lines) == SHOWN + 1
    assert "10 more" in lines[-1]


def test_a_row_with_two_faults_is_one_bad_row():
    report = Report()
    report.reject_input("a.csv", 3, InputError([FieldError("x", "One."), FieldError("y", "Two.")]))
    report.reject("b.csv", 3, "Other.")
    assert (report.bad_rows, report.faults) == (2, 3)


def test_the_file_gets_every_bad_row(tmp_path):
    path = tmp_path / "bad.csv"
    with report_to(path) as report:
        for line in range(SHOWN * 3):
            report.reject("a.csv", line, "It says “no”, and a lone \ud800.", "name")
    rows = list(csv.DictReader(path.read_text(encoding="utf-8").splitlines()))
    assert len(rows) == SHOWN * 3
    assert rows[7]["line"] == "7"
    assert rows[7]["field"] == "name"


def test_a_report_that_cannot_be_written_is_refused_before_anything_else(tmp_path):
    with pytest.raises(ImportFileError, match="cannot be written"), report_to(tmp_path / "no" / "such" / "place"):
        pytest.fail("The import must not begin.")
