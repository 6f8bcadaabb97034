from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from recsys.recommend import slates
from recsys.recommend.models import Slate
from recsys.recommend.slates import do_prune_slates

pytestmark = pytest.mark.django_db


def test_old_slates_are_pruned_in_chunks_and_young_ones_kept(monkeypatch, settings):
    settings.SLATE_RETENTION_DAYS = 30
    monkeypatch.setattr(slates, "PRUNE_CHUNK", 2)
    for days in (40, 35, 31, 31, 29):
        slate = Slate.objects.create(surface="for_you", entries=[])
        Slate.objects.filter(pk=slate.pk).update(created_at=datetime.now(UTC) - timedelta(days=days))
    assert do_prune_slates() == 4
    assert Slate.objects.count() == 1
    assert do_prune_slates() == 0
