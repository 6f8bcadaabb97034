"""The API's description for machines, and a page to read it and to try it out."""

from __future__ import annotations

from functools import cache
from typing import Any

from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.utils import extend_schema
from drf_spectacular.views import SpectacularSwaggerSplitView
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView


@cache
def _schema() -> Any:
    """Made once for each process: it is the same for all, and takes long enough to be worth abusing."""
    return SchemaGenerator().get_schema(request=None, public=True)  # type: ignore[no-untyped-call]


class SchemaView(APIView):
    """OpenAPI 3, open to all: it holds nothing but this product's own description."""

    authentication_classes = ()
    permission_classes = (AllowAny,)
    throttle_classes = ()

    @extend_schema(exclude=True)
    def get(self, request: Request) -> Response:
        return Response(_schema())


class DocsView(SpectacularSwaggerSplitView):
    """Swagger UI, from files alone: the policy is as strict on this page as on every other."""

    template_name = "partners/api_docs.html"
    url_name = "api-schema"
    authentication_classes = ()
    permission_classes = (AllowAny,)
    throttle_classes = ()
