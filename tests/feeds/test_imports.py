from __future__ import annotations

import pytest

from feeds.models import AuthorStats, Follow
from feeds.selectors import home_timeline
from recsys.accounts.models import User
from recsys.imports.errors import ImportFileError, ImportRefusedError
from recsys.imports.report import Report, Tally
from recsys.imports.run import ImportOptions, run_import
from recsys.outbox.models import OutboxRow
from tests.imports.conftest import REAL_DATA, bad, load, write

__all__ = ["load", "write"]


def edges() -> set[tuple[str | None, str | None]]:
    return set(Follow.objects.values_list("follower__external_id", "followee__external_id"))


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("tabs.txt", "# FromNodeId\tToNodeId\na\tb\na\tc\n\nb\tc\n"),
        ("spaces.txt.gz", "% a comment\na b\na   c\n  b c  \n"),
        ("commas.txt", "a,b\na, c\nb,c\n"),
        ("table.csv", "follower,followee\na,b\na,c\nb,c\n"),
        ("turned.csv", "followee;follower\nb;a\nc;a\nc;b\n"),
        (
            "lines.jsonl",
            '{"follower": "a", "followee": "b"}\n{"follower":"a","followee":"c"}\n{"followee":"c","follower":"b"}',
        ),
    ],
)
def test_every_form_of_the_same_graph(load, name, text):
    report = load("follows", name, text)
    assert report.tallies == {"users": Tally(created=3), "follows": Tally(created=3)}
    assert edges() == {("a", "b"), ("a", "c"), ("b", "c")}


def test_known_people_are_found_and_followers_counted_and_nothing_is_captured(load):
    ana = User.objects.create(username="ana", external_id="a", display_name="Ana")
    assert load("follows", "f.txt", "a b\nc a\nd a\n").tallies["users"] == Tally(created=3)
    ana.refresh_from_db()
    assert ana.display_name == "Ana"
    assert AuthorStats.objects.get(author=ana).follower_count == 2
    assert not OutboxRow.objects.filter(aggregatetype="feeds.follow").exists()


def test_repeated_edges_count_once_and_a_repeated_import_changes_nothing(load):
    assert load("follows", "f.txt", "a b\na b\nb a\n").tallies["follows"] == Tally(created=2, unchanged=1)
    before = list(Follow.objects.order_by("pk").values())
    assert load("follows", "f.txt", "a b\nb a\n").tallies["follows"] == Tally(unchanged=2)
    assert list(Follow.objects.order_by("pk").values()) == before
    assert AuthorStats.objects.get(author__external_id="b").follower_count == 1


def test_bad_edges_are_named(load):
    text = "a b\na a\na\na b c\n" + "x" * 129 + " a\na c\n"
    with pytest.raises(ImportRefusedError):
        load("follows", "f.txt", text)
    assert not User.objects.exists()
    report = load("follows", "f.txt", text, skip_bad=True)
    assert [(line, field) for line, field, _ in bad(report)] == [(2, "followee"), (3, ""), (4, ""), (5, "follower")]
    assert edges() == {("a", "b"), ("a", "c")}


def test_bad_json_values_are_named(load):
    text = '{"follower": "a", "followee": "b"}\n{"follower": 1, "followee": ["b"]}\n'
    text += '{"follower": "a"}\n{"follower":"\\u0000","followee":"b"}'
    report = load("follows", "f.jsonl", text, skip_bad=True)
    assert {(line, field) for line, field, _ in bad(report)} == {
        (2, "follower"), (2, "followee"), (3, "followee"), (4, "follower"),
    }  # fmt: skip


def test_a_file_without_edges(load):
    with pytest.raises(ImportFileError, match="holds no edges"):
        load("follows", "f.txt", "# nothing here\n\n")


def test_a_warm_home_timeline_shows_the_imported_author_at_its_next_reading(load, drain_outbox):
    from feeds.actions import do_create_post

    reader = User.objects.create(username="reader", external_id="r")
    author = User.objects.create(username="author", external_id="a")
    post = do_create_post(author=author, text="Hello.")
    drain_outbox()
    assert not home_timeline(reader=reader).posts
    load("follows", "f.txt", "r a\n")
    assert [found.pk for found in home_timeline(reader=reader).posts] == [post.pk]


def test_the_real_graph(db):
    path = REAL_DATA / "soc-epinions" / "follows.txt.gz"
    if not path.exists():
        pytest.skip(f"no Epinions data: {path} does not exist")
    report = Report()
    run_import(ImportOptions("follows", path), report)
    assert report.tallies["follows"] == Tally(created=410_884)
    assert AuthorStats.objects.order_by("-follower_count").values_list("follower_count", flat=True)[0] == 2414
