"""What a key may do: reading needs the scope `read`, everything else `write`. Neither includes the other."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rest_framework.exceptions import PermissionDenied
from rest_framework.permissions import SAFE_METHODS, BasePermission
from rest_framework.request import Request

from recsys.partners.authentication import Partner
from recsys.partners.models import ApiKey

if TYPE_CHECKING:  # the views import what the settings name, and that is in here
    from rest_framework.views import APIView


class HasScope(BasePermission):
    """Denies requests without a key, and those whose key lacks the scope of the method."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        partner = request.user
        if not isinstance(partner, Partner):
            return False
        scope = ApiKey.Scope.READ if request.method in SAFE_METHODS else ApiKey.Scope.WRITE
        if not partner.may(scope):
            raise PermissionDenied(f"This API key lacks the scope “{scope}”. Use one that has it.")
        return True
