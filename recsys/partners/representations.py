"""What answers show of items, users and slates."""

from __future__ import annotations

from typing import Any

from recsys.accounts.models import User
from recsys.catalog.models import Item
from recsys.recommend.engine import ServedEntry, ServedSlate


def item_body(item: Item) -> dict[str, Any]:
    """Everything a partner may know of an item."""
    return {
        "id": item.pk,
        "external_id": item.external_id,
        "title": item.title,
        "kind": item.kind,
        "description": item.description,
        "category": item.category,
        "tags": item.tags,
        "regions": item.regions,
        "url": item.url,
        "image_url": item.image_url,
        "attributes": item.attributes,
        "is_available": item.is_available,
        "published_at": item.published_at,
    }


def user_body(user: User) -> dict[str, Any]:
    """What a partner may know of a user: what partners send and pages show, no mail address."""
    return {
        "id": user.pk,
        "external_id": user.external_id,
        "username": user.username,
        "display_name": user.display_name,
        "bio": user.bio,
        "region": user.region,
        "is_private": user.is_private,
        "shows_presence": user.shows_presence,
        "created_at": user.date_joined,
    }


def slate_body(slate: ServedSlate) -> dict[str, Any]:
    """A slate with a reason for every item."""
    return {
        "recommendation_id": slate.recommendation_id,
        "served_by": slate.served_by,
        "items": [_entry_body(entry) for entry in slate.entries],
    }


def _entry_body(entry: ServedEntry) -> dict[str, Any]:
    item, anchor = entry.item, entry.anchor
    return {
        "position": entry.position,
        "id": item.pk,
        "external_id": item.external_id,
        "kind": item.kind,
        "title": item.title,
        "url": item.url,
        "image_url": item.image_url,
        "source": entry.source,
        "reason": entry.reason,
        "anchor": {"id": anchor.pk, "external_id": anchor.external_id, "title": anchor.title} if anchor else None,
        "score": entry.score,
    }
