from __future__ import annotations

from functools import partial
from typing import Any

from rest_framework.request import Request
from rest_framework.response import Response

from recsys.accounts.models import User
from recsys.catalog.models import Item
from recsys.events.actions import check_event, do_record_events
from recsys.inputs import InputError
from recsys.partners.addressing import find_ids
from recsys.partners.batches import check_rows, placed, read_rows
from recsys.partners.serializers import EventBatchSerializer, RecordedSerializer
from recsys.partners.views.base import PartnerView, documented, query

EXAMPLE = {
    "events": [
        {"event_id": "order-1-view", "user": "customer-4711", "item": "film/949", "kind": "view"},
        {"event_id": "order-1-rate", "user": "customer-4711", "item": "film/949", "kind": "rate", "value": 4.5},
    ]
}


class EventsView(PartnerView):
    """What users did."""

    @documented(
        "Record events",
        body=EventBatchSerializer,
        answer=RecordedSerializer,
        example=EXAMPLE,
        tag="Events",
        operation="record_events",
    )
    def post(self, request: Request) -> Response:
        """All or nothing, up to 1,000 at a time. An event_id counts once for each client, however often it is sent, so
        send a batch again when you do not know whether it arrived.
        """
        query(request)
        rows = read_rows(request.data, "events")
        users, items = find_ids(User, _names(rows, "user")), find_ids(Item, _names(rows, "item"))
        events = check_rows(rows, partial(check_event, users=users, items=items))
        try:
            result = do_record_events(events=events, scope=f"client:{self.partner.client.pk}")
        except InputError as error:
            raise placed(error) from error
        return Response({"accepted": result.accepted, "duplicates": result.duplicates})


def _names(rows: list[Any], field: str) -> list[object]:
    return [row.get(field) for row in rows if isinstance(row, dict)]
