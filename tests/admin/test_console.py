from __future__ import annotations

import json

import pytest

from recsys import console
from recsys.accounts.models import User
from recsys.console import BoundedPaginator, StrictDecoder, pretty_json


@pytest.mark.parametrize("text", ['{"a": [1, 2.5, null, true, "ü"]}', "[]", '"\\ud83d\\ude00"', "1e300"])
def test_json_that_postgresql_takes_is_read_as_it_is(text: str):
    assert json.loads(text, cls=StrictDecoder) == json.loads(text)


@pytest.mark.parametrize(
    "text",
    [
        *("NaN", "[Infinity]", "-Infinity", "1e999", '"\\u0000"', '{"\\u0000": 1}', '"\\ud800"', "{", ""),
        *("9" * 5000, "[" * 100_000, "[" * 3000 + "]" * 3000, '"' + "x" * 100_000 + '"'),
    ],
)
def test_anything_else_is_a_decode_error(text: str):
    with pytest.raises(json.JSONDecodeError):
        json.loads(text, cls=StrictDecoder)


@pytest.mark.django_db
def test_a_list_is_counted_to_its_bound_only(monkeypatch, django_assert_num_queries):
    monkeypatch.setattr(console, "MOST_ROWS", 10)
    User.objects.bulk_create(User(username=f"user{n:02}") for n in range(30))
    paginator = BoundedPaginator(User.objects.order_by("username"), 4)
    with django_assert_num_queries(1) as captured:
        assert paginator.count == 10
    assert "LIMIT 10" in captured[0]["sql"]
    assert [user.username for user in paginator.page(3)] == ["user08", "user09"]


def test_json_is_shown_escaped():
    assert pretty_json({"a": "<b>"}) == "<pre>{\n  &quot;a&quot;: &quot;&lt;b&gt;&quot;\n}</pre>"
