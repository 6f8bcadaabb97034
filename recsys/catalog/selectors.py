"""Reads of the catalogue."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from recsys.catalog.models import Item


def without_posts(items: Collection[int]) -> set[int]:
    """Those of the items that are there, and are no posts."""
    return set(Item.objects.filter(pk__in=items, post__isnull=True).values_list("pk", flat=True)) if items else set()


def names_of_posts(external_ids: Iterable[str]) -> set[str]:
    """Those of the names that posts have, which are items too but say what their authors wrote."""
    # The relation's name is only text here: this app stands below the feeds.
    posts = Item.objects.filter(external_id__in=list(external_ids), post__isnull=False)
    return {str(name) for name in posts.values_list("external_id", flat=True)}
