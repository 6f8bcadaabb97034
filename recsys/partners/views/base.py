"""What every endpoint of the partner API has in common."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from django.views.decorators.common import no_append_slash
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiExample, OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import Serializer
from rest_framework.views import APIView

from recsys.partners.authentication import Partner
from recsys.partners.problems import MEDIA_TYPE
from recsys.partners.serializers import NoQuery, ProblemSerializer, StrictQuery
from recsys.partners.throttling import Grant

F = TypeVar("F", bound=Callable[..., Any])

PROBLEMS = {
    400: "The JSON or a parameter is malformed.",
    401: "The API key is missing, unknown, revoked or switched off.",
    403: "The key lacks the scope.",
    404: "There is nothing of that name.",
    413: "The body is too large.",
    422: "The content is not valid; `errors` says where, and nothing was stored.",
    429: "The client's allowance is spent; Retry-After says for how long.",
}
NAME = OpenApiParameter(
    "external_id", OpenApiTypes.STR, OpenApiParameter.PATH, description="external_id, or id:<number>; percent-encoded."
)


class PartnerView(APIView):
    """An endpoint: its answers are never cached by others, and say what is left of the client's allowance."""

    http_method_names = ["get", "head", "post", "delete"]

    @classmethod
    def as_view(cls, **initkwargs: Any) -> Any:
        """The view, to which no other address is redirected by adding a slash: one at the end is part of a name."""
        return no_append_slash(super().as_view(**initkwargs))

    def finalize_response(self, request: Any, response: Any, *args: Any, **kwargs: Any) -> Response:
        answer = super().finalize_response(request, response, *args, **kwargs)
        answer.headers["Cache-Control"] = "no-store"
        grant: Grant | None = getattr(getattr(request, "_request", request), "rate_limit_grant", None)
        for name, value in (grant.headers if grant else {}).items():
            answer.headers[name] = value
        return answer

    @property
    def partner(self) -> Partner:
        """Who calls."""
        assert isinstance(self.request.user, Partner)  # HasScope lets nobody else in
        return self.request.user


def query(request: Request, serializer: type[StrictQuery] = NoQuery) -> dict[str, Any]:
    """The checked query parameters."""
    checked = serializer(data=request.query_params)
    checked.is_valid(raise_exception=True)
    values: dict[str, Any] = checked.validated_data
    return values


def documented(
    summary: str,
    *,
    tag: str,
    answer: type[Serializer[Any]] | None,
    body: type[Serializer[Any]] | None = None,
    parameters: type[StrictQuery] | None = None,
    named: bool = False,
    problems: tuple[int, ...] = (),
    example: Any = None,
    operation: str,
) -> Callable[[F], F]:
    """Describe an endpoint in the schema; `example` is a body that it accepts."""
    statuses = {401, 403, 429, *problems} | ({400, 413, 422} if body else {400})
    responses: dict[Any, Any] = {
        (status, MEDIA_TYPE): OpenApiResponse(ProblemSerializer, PROBLEMS[status]) for status in sorted(statuses)
    }
    responses |= {200: answer} if answer else {204: OpenApiResponse(description="Done.")}
    return extend_schema(
        summary=summary,
        operation_id=operation,
        tags=[tag],
        request=body,
        responses=responses,
        parameters=[*([NAME] if named else []), *([parameters] if parameters else [])],
        examples=[OpenApiExample("Example", value=example, request_only=True)] if example is not None else None,
    )
