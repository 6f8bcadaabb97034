from __future__ import annotations

from datetime import timedelta

import numpy as np
import pytest

from recsys.recommend.training_data import interactions_fingerprint, items_fingerprint, read_events
from tests.catalog.makers import make_item, make_items, make_user
from tests.events.makers import did

pytestmark = pytest.mark.django_db

MINUTE = timedelta(minutes=1)


def weights() -> dict[tuple[int, int], float]:
    data = read_events().matrix()
    stored = data.matrix.tocoo()
    return {
        (int(data.user_ids[row]), int(data.item_ids[column])): float(value)
        for row, column, value in zip(stored.row, stored.col, stored.data, strict=True)
    }


def test_a_pair_weighs_what_says_most_about_it():
    ana, (viewed, clicked, liked, rated) = make_user(), make_items(4)
    did(ana, "view", viewed, clicked)
    did(ana, "click", clicked)
    did(ana, "like", liked)
    did(ana, "rate", rated, value=5)
    assert weights() == {
        (ana.pk, viewed.pk): 1, (ana.pk, clicked.pk): 2, (ana.pk, liked.pk): 4, (ana.pk, rated.pk): 5,
    }  # fmt: skip


def test_the_newest_verdict_outweighs_all_before_it_and_all_views_after_it():
    ana, (disliked, forgiven) = make_user(), make_items(2)
    did(ana, "like", disliked, ago=3 * MINUTE)
    did(ana, "dislike", disliked, forgiven, ago=2 * MINUTE)
    did(ana, "like", forgiven, ago=MINUTE)
    did(ana, "view", disliked)
    assert weights() == {(ana.pk, forgiven.pk): 4}


def test_no_interactions():
    events = read_events()
    assert len(events) == 0
    assert events.matrix().matrix.shape == (0, 0)


def test_a_part_of_the_events():
    ana, items = make_user(), make_items(3)
    did(ana, "view", *items)
    events = read_events()
    assert len(events.where(events.times > np.median(events.times))) == 1


def test_fingerprints_change_with_what_they_are_of():
    ana, item = make_user(), make_item()
    interactions, items = interactions_fingerprint(), items_fingerprint()
    assert (interactions_fingerprint(), items_fingerprint()) == (interactions, items)
    did(ana, "view", item)
    make_item()
    assert interactions_fingerprint() != interactions
    assert items_fingerprint() != items
