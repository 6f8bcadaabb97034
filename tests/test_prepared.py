from __future__ import annotations

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from recsys.prepared import read_prepared

pytestmark = pytest.mark.django_db

SQL = "SELECT %(number)s::bigint + 1, 'said by test_prepared'"


def prepared() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_prepared_statements WHERE statement LIKE '%by test_prepared%'")
        return int(cursor.fetchone()[0])


def test_a_query_is_prepared_once_for_each_connection(monkeypatch):
    monkeypatch.setitem(connection.settings_dict, "CONN_MAX_AGE", 60)
    assert read_prepared(SQL, {"number": 1}) == [(2, "said by test_prepared")]
    assert prepared() == 1
    assert read_prepared(SQL, {"number": 5}) == [(6, "said by test_prepared")]
    assert prepared() == 1


def test_it_is_counted_like_others():
    with CaptureQueriesContext(connection) as captured:
        read_prepared(SQL, {"number": 1})
    assert [query["sql"] for query in captured] == [SQL.replace("%(number)s", "$1")]


def test_large_and_small_numbers_are_one_query_and_arrays_and_days_are_texts(monkeypatch):
    monkeypatch.setitem(connection.settings_dict, "CONN_MAX_AGE", 60)
    sql = "SELECT %(one)s::bigint = ANY(%(all)s::bigint[]), %(day)s::timestamptz, '100%%', 'said by test_prepared'"
    now, before = timezone.now(), prepared()
    for number in (1, 2**40):
        found = read_prepared(sql, {"all": [number, 5], "one": number, "day": now})
        assert found == [(True, now, "100%", "said by test_prepared")]
    assert prepared() == before + 1
    assert read_prepared(sql, {"all": [], "one": 1, "day": now})[0][0] is False


def test_nothing_is_prepared_where_connections_are_not_kept(monkeypatch):
    before = prepared()
    monkeypatch.setitem(connection.settings_dict, "CONN_MAX_AGE", 0)
    assert read_prepared(SQL.replace("said by", "told by"), {"number": 1}) == [(2, "told by test_prepared")]
    assert prepared() == before
