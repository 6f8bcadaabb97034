from __future__ import annotations

import pytest

from recsys.imports.errors import ImportFileError
from recsys.imports.report import Report
from recsys.imports.tables import Columns, read_table
from tests.imports.conftest import bad

COLUMNS = Columns(("id", "name"), ("note",))


@pytest.fixture
def table(write):
    def table(content, name="a.csv"):
        report = Report()
        rows = [(record.line, record.data) for record in read_table(write(name, content), COLUMNS, report)]
        return rows, bad(report)

    return table


@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_csv_with_a_header_in_any_order(table, separator):
    text = "name,id\nAna,1\n\nBen,2\n".replace(",", separator)
    assert table(text) == ([(2, {"name": "Ana", "id": "1"}), (4, {"name": "Ben", "id": "2"})], [])


def test_quoted_fields_may_hold_separators_and_line_ends(table):
    rows, faults = table('id,name,note\n1,"Sousa, Ana","two\nlines"\n2,Ben,\n')
    assert rows == [(2, {"id": "1", "name": "Sousa, Ana", "note": "two\nlines"}), (4, {"id": "2", "name": "Ben"})]
    assert not faults


def test_jsonl(table):
    assert table('{"id": "1", "name": "Ana"}\n\n{"id": "2"}\n') == (
        [(1, {"id": "1", "name": "Ana"}), (3, {"id": "2"})],
        [],
    )


def test_rows_with_the_wrong_number_of_fields_are_bad_and_the_others_are_read(table):
    rows, faults = table("id,name\n1,Ana\n2\n3,Eve,x\n4,Ben\n")
    assert [line for line, _ in rows] == [2, 5]
    assert [(line, reason) for line, _, reason in faults] == [
        (3, "There are 1 fields, and the header names 2."),
        (4, "There are 3 fields, and the header names 2."),
    ]


def test_a_quotation_mark_that_never_ends_costs_no_memory_and_is_located(table):
    rows, faults = table('id,name\n1,Ana\n2,"Ben\n' + "3,Eve\n" * 100_000)
    assert rows[0] == (2, {"id": "1", "name": "Ana"})
    assert faults[0][0] == 3
    assert "quotation marks" in faults[0][2]


def test_text_after_a_closing_quotation_mark_is_bad(table):
    rows, faults = table('id,name\n1,"Ana"x\n2,Ben\n')
    assert rows == [(3, {"id": "2", "name": "Ben"})]
    assert [line for line, _, _ in faults] == [2]


@pytest.mark.parametrize(
    "line", [b'{"id": "\xff"}', b"{broken", b"[1]", b"{}x", b'{"id": NaN}', b"[" * 5000, b"1" * 5000]
)
def test_bad_lines_of_jsonl_are_located(table, line):
    rows, faults = table(b'{"id": "1"}\n' + line + b'\n{"id": "3"}\n')
    assert [line for line, _ in rows] == [1, 3]
    assert [line for line, _, _ in faults] == [2]


def test_bad_bytes_make_a_bad_row_of_the_record_that_holds_them(table):
    rows, faults = table(b'id,name\n1,"two\nl\xffnes"\n2,Ben\n')
    assert rows == [(4, {"id": "2", "name": "Ben"})]
    assert faults == [(2, "", "This is not UTF-8: byte 0xFF at position 2.")]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("\n\n\n", "nothing but empty lines"),
        ("id,name\n", "has a header and no rows"),
        ("1,Ana\n2,Ben\n", "is no header of this format: “1,Ana”. A header must name id, name, and may hold note."),
        ("id,note\n1,x\n", "lacks “name”"),
        ("id,name,nota\n1,Ana,x\n", "names “nota”, which this format does not know. Is “nota” meant to be “note”?"),
        ("id,name,id\n1,Ana,2\n", "names “id” more than once"),
        ('[\n{"id": 1}]', "begins with a JSON list"),
        (b"id,n\xffme\n1,Ana\n", "line 1: This is not UTF-8"),
    ],
)
def test_a_wrong_table_says_what_would_be_right(table, content, message):
    with pytest.raises(ImportFileError) as caught:
        table(content)
    assert message in str(caught.value)


def test_a_file_of_bad_rows_only_names_them_instead_of_calling_it_empty(table):
    rows, faults = table("id,name\n1\n2\n")
    assert not rows
    assert [line for line, _, _ in faults] == [2, 3]
