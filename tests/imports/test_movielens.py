from __future__ import annotations

import pytest

from recsys.accounts.models import User
from recsys.catalog.models import Item
from recsys.events.models import Interaction
from recsys.imports.errors import ImportFileError, ImportRefusedError
from recsys.imports.movielens import split_title
from recsys.imports.report import Report, Tally
from recsys.imports.run import ImportOptions, run_import
from tests.imports.conftest import REAL_DATA, bad

# ruff: noqa: E501 -- the lines of the files
FILES = {
    "movies.csv": 'movieId,title,genres\n1,Toy Story (1995),Animation|Comedy\n11,"American President, The (1995)",Drama\n',
    "ratings.csv": "userId,movieId,rating,timestamp\n7,1,2.5,1260759144\n7,11,5.0,1260759179\n8,1,0.5,835355493\n",
    "tags.csv": "userId,movieId,tag,timestamp\n7,1,Pixar,1138537770\n8,1,pixar,1138537770\n9,1,toys,1138537770\n",
    "links.csv": "movieId,imdbId,tmdbId\n1,0114709,862\n11,0112346,\n",
}


@pytest.fixture
def movielens(write, tmp_path, db):
    """Import the small dataset with some of its files exchanged; None leaves one out."""

    def movielens(skip_bad=False, **files):
        for name, content in (FILES | {name.replace("_", "."): text for name, text in files.items()}).items():
            (tmp_path / "ml" / name).unlink(missing_ok=True)
            if content is not None:
                write(f"ml/{name}", content)
        report = Report()
        run_import(ImportOptions("movielens", tmp_path / "ml", skip_bad=skip_bad), report)
        return report

    return movielens


def test_films_raters_and_ratings(movielens):
    report = movielens()
    assert report.tallies == {"items": Tally(created=2), "users": Tally(created=2), "interactions": Tally(created=3)}
    toy, president = Item.objects.order_by("pk")
    assert (toy.external_id, toy.kind, toy.title, toy.category) == ("movielens:1", "film", "Toy Story", "Animation")
    assert toy.tags == ["animation", "comedy", "pixar", "toys"]
    assert toy.attributes == {"year": 1995, "imdb": "tt0114709", "tmdb": "862"}
    assert (president.title, president.url) == ("The American President", "https://www.imdb.com/title/tt0112346/")
    rater = User.objects.get(external_id="movielens:7")
    assert rater.username == "movielens-7"
    values = Interaction.objects.filter(user=rater).order_by("occurred_at").values_list("kind", "value")
    assert list(values) == [("rate", 2.5), ("rate", 5.0)]


def test_repeating_it_changes_nothing(movielens):
    movielens()
    again = movielens().tallies
    assert again == {"items": Tally(unchanged=2), "users": Tally(unchanged=2), "interactions": Tally(unchanged=3)}


def test_tags_and_links_may_be_missing_and_files_gzipped(movielens, tmp_path, write):
    write("ml/ratings.csv.gz", FILES["ratings.csv"])
    report = movielens(tags_csv=None, links_csv=None, ratings_csv=None)
    assert report.tallies["interactions"] == Tally(created=3)
    assert Item.objects.get(external_id="movielens:1").attributes == {"year": 1995}


def test_bad_rows_name_their_file_line_and_column(movielens):
    ratings = FILES["ratings.csv"] + "7,999,3.0,1260759144\n7,1,9,1260759144\n7,1,3.0,soon\n,1,3.0,1260759144\n"
    movies = FILES["movies.csv"] + "1,Again (1999),Drama\n12,,Drama\n"
    with pytest.raises(ImportRefusedError):
        movielens(ratings_csv=ratings)
    assert not Item.objects.exists()
    report = movielens(skip_bad=True, ratings_csv=ratings, movies_csv=movies)
    assert {(row.file, row.line, row.field) for row in report.first} == {
        ("movies.csv", 4, "movieId"), ("movies.csv", 5, "title"), ("ratings.csv", 5, "item"), ("ratings.csv", 6, "rating"),
        ("ratings.csv", 7, "timestamp"), ("ratings.csv", 8, "userId"),
    }  # fmt: skip
    assert report.tallies["interactions"] == Tally(created=3)


def test_a_rater_whose_name_is_taken_is_a_bad_row_where_it_first_occurs(movielens):
    User.objects.create(username="movielens-8")
    report = movielens(skip_bad=True)
    assert bad(report)[0][:2] == (4, "username")
    assert report.tallies["users"] == Tally(created=1)


def test_a_wrong_path_says_what_would_be_right(movielens, write, tmp_path, db):
    report = Report()
    with pytest.raises(ImportFileError, match="There is no directory"):
        run_import(ImportOptions("movielens", tmp_path / "nowhere"), report)
    file = write("movies.csv", FILES["movies.csv"])
    with pytest.raises(ImportFileError, match=r"wants the directory that holds movies\.csv"):
        run_import(ImportOptions("movielens", file), report)
    with pytest.raises(ImportFileError, match=r"lacks ratings\.csv .* It holds: links\.csv, movies\.csv, tags\.csv"):
        movielens(ratings_csv=None)
    with pytest.raises(ImportFileError, match="lacks “timestamp”"):
        movielens(ratings_csv="userId,movieId,rating\n1,1,3\n")


@pytest.mark.parametrize(
    ("written", "title", "year"),
    [
        ("Toy Story (1995)", "Toy Story", 1995),
        ("Good Day to Die Hard, A (2013)", "A Good Day to Die Hard", 2013),
        ("Tin Drum, The (Blechtrommel, Die) (1979)", "The Tin Drum (Die Blechtrommel)", 1979),
        ("Avventura, L' (Adventure, The) (1960)", "L'Avventura (The Adventure)", 1960),
        ("Sex, Lies, and Videotape (1989)", "Sex, Lies, and Videotape", 1989),
        ("Murder, My Sweet (1944)", "Murder, My Sweet", 1944),
        ("Doctor Who (2005–)", "Doctor Who", 2005),
        ("Hyena Road", "Hyena Road", None),
    ],
)
def test_titles(written, title, year):
    assert split_title(written) == (title, year)


def test_the_real_dataset(db):
    path = REAL_DATA / "ml-latest-small"
    if not path.exists():
        pytest.skip(f"no MovieLens data: {path} does not exist")
    first, again = Report(), Report()
    run_import(ImportOptions("movielens", path), first)
    assert first.tallies == {
        "items": Tally(created=9125), "users": Tally(created=671), "interactions": Tally(created=100_004),
    }  # fmt: skip
    run_import(ImportOptions("movielens", path), again)
    assert again.tallies == {
        "items": Tally(unchanged=9125), "users": Tally(unchanged=671), "interactions": Tally(unchanged=100_004),
    }  # fmt: skip
