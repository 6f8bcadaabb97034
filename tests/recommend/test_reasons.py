from __future__ import annotations

import pytest

from recsys.catalog.models import Item
from recsys.recommend.reasons import because_of, similar_to, trending_in


@pytest.mark.parametrize(
    ("item_kind", "did", "reason"),
    [
        ("film", "view", "Because you watched Heat"),
        ("film", "click", "Because you watched Heat"),
        ("post", "view", "Because you read Heat"),
        ("track", "view", "Because you listened to Heat"),
        ("product", "view", "Because you viewed Heat"),
        ("film", "like", "Because you liked Heat"),
        ("post", "rate", "Because you rated Heat"),
    ],
)
def test_says_what_the_reader_did(item_kind, did, reason):
    assert because_of(Item(title="Heat", kind=item_kind), did) == reason


def test_names_the_region():
    assert trending_in("GB") == "Trending in United Kingdom"
    assert trending_in("US-CA") == "Trending in United States (CA)"
    assert trending_in("") == "Trending everywhere"


def test_a_long_title_is_cut():
    reason = similar_to(Item(title="x" * 300), "content")
    assert len(reason) < 100
    assert reason.endswith("…")
