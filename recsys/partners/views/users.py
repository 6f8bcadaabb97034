from __future__ import annotations

from collections.abc import Sequence

from rest_framework.exceptions import PermissionDenied
from rest_framework.request import Request
from rest_framework.response import Response

from recsys.accounts.actions import UserInput, check_user, do_erase_user, do_upsert_users
from recsys.accounts.selectors import staff_among
from recsys.partners.addressing import find_user
from recsys.partners.batches import check_rows, object_only, read_rows, with_free_name
from recsys.partners.problems import Fault, InvalidInput
from recsys.partners.representations import user_body
from recsys.partners.serializers import StoredUserSerializer, UpsertedSerializer, UserBatchSerializer
from recsys.partners.views.base import PartnerView, documented, query

EXAMPLE = {"users": [{"external_id": "customer-4711", "display_name": "Ana", "region": "GB"}]}


class UsersView(PartnerView):
    """The people to recommend to."""

    @documented(
        "Create or change users",
        body=UserBatchSerializer,
        answer=UpsertedSerializer,
        example=EXAMPLE,
        tag="Users",
        operation="upsert_users",
    )
    def post(self, request: Request) -> Response:
        """All or nothing, up to 1,000 at a time, by external_id. A field left out stays as it is. They cannot log in
        until the site's staff gives them a password.
        """
        query(request)
        rows = check_rows(read_rows(request.data, "users"), with_free_name(object_only(check_user, "user")))
        _refuse_staff(rows)
        result = do_upsert_users(rows=rows)
        return Response({"created": result.created, "updated": result.updated, "unchanged": result.unchanged})


class UserView(PartnerView):
    """One user."""

    @documented(
        "Show a user", answer=StoredUserSerializer, named=True, problems=(404,), tag="Users", operation="get_user"
    )
    def get(self, request: Request, external_id: str) -> Response:
        query(request)
        return Response(user_body(find_user(external_id)))

    @documented("Erase a user", answer=None, named=True, problems=(404,), tag="Users", operation="erase_user")
    def delete(self, request: Request, external_id: str) -> Response:
        """With everything of theirs: events, posts, follows, slates. This cannot be undone."""
        query(request)
        user = find_user(external_id, active=False)
        if user.external_id is None or user.is_staff or user.is_superuser:
            raise PermissionDenied("Only users that partners sent can be erased here; ask the site's staff for others.")
        do_erase_user(user=user)
        return Response(status=204)


def _refuse_staff(rows: Sequence[UserInput]) -> None:
    """Who may rename staff could lock them out; a partner's key is no reason to be able to."""
    staff = staff_among(row.external_id for row in rows)
    faults = [
        Fault(index=index, field="external_id", message="This is a member of the staff; leave them out.")
        for index, row in enumerate(rows)
        if row.external_id in staff
    ]
    if faults:
        raise InvalidInput(faults)
