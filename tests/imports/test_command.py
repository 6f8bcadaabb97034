"""`manage.py import_data`, as somebody at a terminal sees it."""

from __future__ import annotations

import csv

import pytest
from django.core.management import CommandError, call_command

from recsys.catalog.models import Item

ITEMS = "external_id,title\na,One\nb,\nc,Three\n"


@pytest.fixture
def command(db, capsys):
    """Run it; return what it prints to standard output, and to standard error."""

    def command(*arguments):
        call_command("import_data", *map(str, arguments), verbosity=0)
        return capsys.readouterr()

    return command


def test_says_what_was_done(command, write):
    printed = command("items", write("items.csv", ITEMS.replace("b,", "b,Two")))
    assert "items: 3 created, 0 updated, 0 unchanged" in printed.out
    assert "manage.py train" in printed.out


def test_refuses_bad_rows_with_their_lines_and_what_to_do(command, write, capsys):
    with pytest.raises(CommandError, match=r"1 bad rows, so nothing was changed.*--skip-bad"):
        command("items", write("items.csv", ITEMS))
    assert "items.csv, line 3: title: This must not be empty." in capsys.readouterr().err
    assert not Item.objects.exists()


def test_skip_bad_reports_the_same(command, write):
    printed = command("items", write("items.csv", ITEMS), "--skip-bad")
    assert "items.csv, line 3: title: This must not be empty." in printed.err
    assert "2 created" in printed.out
    assert "1 skipped" in printed.out


def test_a_dry_run_says_that_it_was_one(command, write):
    printed = command("items", write("items.csv", ITEMS), "--skip-bad", "--dry-run")
    assert "2 created" in printed.out
    assert "undone" in printed.out
    assert not Item.objects.exists()


def test_the_report_file_is_complete_also_when_the_file_is_refused(command, write, tmp_path):
    rows = "".join(f"x{n},\n" for n in range(200))
    with pytest.raises(CommandError, match="200 bad rows"):
        command("items", write("items.csv", "external_id,title\n" + rows), "--report", tmp_path / "bad.csv")
    with (tmp_path / "bad.csv").open() as stream:
        assert [int(row["line"]) for row in csv.DictReader(stream)] == list(range(2, 202))


@pytest.mark.parametrize(
    ("format", "name", "message"),
    [
        ("excel", "a.csv", "There is no format “excel”"),
        ("items", "missing.csv", "There is no file"),
        ("items", "", "is a directory"),
        ("movielens", "missing", "There is no directory"),
    ],
)
def test_a_wrong_file_is_an_error_in_one_sentence(command, tmp_path, format, name, message):
    with pytest.raises(CommandError, match=message) as caught:
        command(format, tmp_path / name)
    assert caught.value.returncode == 1
    assert "Nothing was changed." in str(caught.value)


def test_a_report_that_cannot_be_written(command, write, tmp_path):
    with pytest.raises(CommandError, match="cannot be written"):
        command("items", write("items.csv", "external_id,title\na,One\n"), "--report", tmp_path / "no" / "place.csv")
    assert not Item.objects.exists()
