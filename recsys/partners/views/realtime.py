from __future__ import annotations

from typing import Any

from rest_framework.exceptions import ParseError, PermissionDenied
from rest_framework.request import Request
from rest_framework.response import Response

from realtime.access import LIFETIME, LONGEST, SHORTEST
from recsys.partners.access import token_of
from recsys.partners.addressing import find_user
from recsys.partners.models import ApiKey
from recsys.partners.problems import Fault, InvalidInput
from recsys.partners.serializers import AccessTokenSerializer, TokenLifetimeSerializer
from recsys.partners.views.base import PartnerView, documented, query

ADDRESS = "/realtime/"


class RealtimeTokenView(PartnerView):
    """Access to a user's streams, for pages of the partner's own."""

    @documented(
        "Let a user's page follow streams",
        body=TokenLifetimeSerializer,
        answer=AccessTokenSerializer,
        named=True,
        problems=(404,),
        example={"lifetime": 600},
        tag="Realtime",
        operation="make_realtime_token",
    )
    def post(self, request: Request, external_id: str) -> Response:
        """Needs both scopes: who holds the token hears what the user may hear, and says in the user's name that they
        are online or writing. For users whom partners sent; the page asks its own server for another token before this
        one ends. Revoking the key closes what its tokens opened.
        """
        query(request)
        if not self.partner.may(ApiKey.Scope.READ):
            raise PermissionDenied("A token reads in the user's name too. Use a key with both scopes, read and write.")
        lifetime = check_lifetime(request.data)
        user = find_user(external_id)
        if user.external_id is None or user.is_staff or user.is_superuser:
            raise PermissionDenied("Tokens are for users whom partners sent; others log in to the site itself.")
        return Response(
            {
                "token": token_of(key=self.partner.key, user=user, lifetime=lifetime),
                "expires_in": lifetime,
                "url": request.build_absolute_uri(ADDRESS),
            }
        )


def check_lifetime(data: Any) -> int:
    """The seconds that a body asks for, which may be empty; InvalidInput where that cannot be."""
    if not isinstance(data, dict):
        raise ParseError("Send a JSON object, or nothing.")
    faults = [
        Fault(field=str(name)[:100], message="Only lifetime is known here.") for name in data if name != "lifetime"
    ]
    lifetime = data.get("lifetime", LIFETIME)
    if type(lifetime) is not int or not SHORTEST <= lifetime <= LONGEST:
        message = f"This must be a whole number of seconds, {SHORTEST} to {LONGEST}."
        faults.append(Fault(field="lifetime", message=message))
    if faults:
        raise InvalidInput(faults[:20])
    return int(lifetime)
