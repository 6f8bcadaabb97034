from __future__ import annotations

from rest_framework.exceptions import PermissionDenied
from rest_framework.request import Request
from rest_framework.response import Response

from recsys.catalog.actions import check_item, do_delete_item, do_upsert_items
from recsys.catalog.counts import counts_of, live_items
from recsys.catalog.selectors import names_of_posts
from recsys.inputs import InputError
from recsys.partners.addressing import find_item
from recsys.partners.batches import check_rows, placed, read_rows, with_free_name
from recsys.partners.representations import item_body
from recsys.partners.serializers import ItemBatchSerializer, NoQuery, StoredItemSerializer, UpsertedSerializer
from recsys.partners.views.base import PartnerView, documented, query

EXAMPLE = {
    "items": [
        {
            "external_id": "film/949",
            "title": "Heat",
            "kind": "film",
            "description": "A detective hunts a crew of professional thieves.",
            "category": "Crime",
            "tags": ["heist", "los angeles"],
            "regions": ["GB", "US-CA"],
            "url": "https://shop.example/films/949",
            "attributes": {"year": 1995},
            "is_available": True,
            "published_at": "1995-12-15T00:00:00Z",
        }
    ]
}


class ItemsView(PartnerView):
    """The catalogue."""

    @documented(
        "Create or replace items",
        body=ItemBatchSerializer,
        answer=UpsertedSerializer,
        example=EXAMPLE,
        tag="Items",
        operation="upsert_items",
    )
    def post(self, request: Request) -> Response:
        """All or nothing, up to 1,000 at a time, by external_id. An item is described completely: a field left out is
        empty again. Sent once more, nothing changes. Names of posts are refused: `PATCH /posts/{id}` edits those.
        """
        query(request)
        rows = check_rows(read_rows(request.data, "items"), with_free_name(check_item))
        try:
            result = do_upsert_items(rows=rows)
        except InputError as error:
            raise placed(error) from error
        return Response({"created": result.created, "updated": result.updated, "unchanged": result.unchanged})


class ItemView(PartnerView):
    """One item."""

    @documented(
        "Show an item", answer=StoredItemSerializer, named=True, problems=(404,), tag="Items", operation="get_item"
    )
    def get(self, request: Request, external_id: str) -> Response:
        query(request, NoQuery)
        item = find_item(external_id)
        (live,) = live_items([item.pk])
        counts = counts_of([item.pk]).get(item.pk, {})
        return Response(item_body(item) | {"counts": counts, "position": live.position})

    @documented("Delete an item", answer=None, named=True, problems=(404,), tag="Items", operation="delete_item")
    def delete(self, request: Request, external_id: str) -> Response:
        """With all that users did with it. Where it may come back, send it with `is_available: false` instead."""
        query(request, NoQuery)
        item = find_item(external_id)
        if item.external_id is None or names_of_posts([item.external_id]):
            raise PermissionDenied("Somebody wrote or made this; its author or the site's staff can delete it.")
        do_delete_item(item=item)
        return Response(status=204)
