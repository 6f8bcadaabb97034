"""The one shape of every error under /api/: problem details for HTTP APIs (RFC 9457).

    {"type": "urn:tributary:problem:invalid-input", "title": "…", "status": 422, "detail": "…",
     "instance": "/api/v1/items", "request_id": "…", "errors": [{"index": 3, "field": "tags", "message": "…"}]}

`problem_handler` makes it of what a view raises, `middleware.ProblemMiddleware` of everything else (unknown paths,
refused hosts, errors outside of any view).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from math import ceil
from typing import Any, NotRequired, TypedDict

import structlog
from django.core.exceptions import PermissionDenied, SuspiciousOperation
from django.db import InterfaceError, OperationalError
from django.http import Http404, HttpRequest
from redis.exceptions import RedisError
from rest_framework import exceptions
from rest_framework.response import Response

from recsys.inputs import InputError

logger = structlog.get_logger(__name__)

MEDIA_TYPE = "application/problem+json"
MAX_ERRORS = 100  # of a batch, how many are listed
RETRY_LATER = 5  # seconds
KINDS = {
    400: ("bad-request", "The request is malformed"),
    401: ("not-authenticated", "An API key is needed"),
    403: ("permission-denied", "The API key may not do this"),
    404: ("not-found", "There is nothing here"),
    405: ("method-not-allowed", "This address does not know that method"),
    406: ("not-acceptable", "The answer cannot be given in an accepted format"),
    413: ("too-large", "The request is too large"),
    415: ("unsupported-media-type", "The body must be JSON"),
    422: ("invalid-input", "The content is not valid"),
    429: ("throttled", "Too many requests"),
    500: ("internal-error", "Something went wrong here"),
    503: ("unavailable", "A service is away for the moment"),
}


class Fault(TypedDict):
    """One thing that is wrong: in which element of a batch, in which field, what, and how to mend it."""

    index: NotRequired[int]
    field: str
    message: str


class InvalidInput(exceptions.APIException):
    """Well-formed JSON whose content is not valid. Nothing of it was stored."""

    status_code = 422
    default_code = "invalid_input"

    def __init__(self, faults: Sequence[Fault]) -> None:
        self.faults = list(faults)
        super().__init__("Nothing was stored. Mend what `errors` lists and send it again.")


def problem_handler(error: Exception, context: Mapping[str, Any]) -> Response:
    """DRF's exception handler: a problem for every exception, so that none reaches the client as a page."""
    known = _as_api_exception(error)
    headers: dict[str, str] = {}
    if challenge := getattr(known, "auth_header", None) or getattr(error, "auth_header", None):
        headers["WWW-Authenticate"] = challenge
    if (wait := getattr(known, "wait", None)) is not None:
        headers["Retry-After"] = str(max(1, ceil(wait)))
    request = context.get("request")
    body = problem(known.status_code, _detail(known), getattr(request, "_request", None), list(_faults(known)))
    return Response(body, status=known.status_code, headers=headers, content_type=MEDIA_TYPE)


def problem(status: int, detail: str, request: HttpRequest | None, faults: Sequence[Fault] = ()) -> dict[str, Any]:
    """The body of an error with that status."""
    kind, title = KINDS.get(status) or KINDS[500 if status >= 500 else 400]
    body: dict[str, Any] = {
        "type": f"urn:tributary:problem:{kind}",
        "title": title,
        "status": status,
        "detail": detail,
        "request_id": structlog.contextvars.get_contextvars().get("request_id", ""),
    }
    if request is not None:
        body["instance"] = request.path[:200]
    if faults:
        body["errors"] = list(faults[:MAX_ERRORS])
        body["error_count"] = len(faults)
    return body


class Unavailable(exceptions.APIException):
    """PostgreSQL or Valkey does not answer."""

    status_code = 503
    wait = RETRY_LATER
    default_detail = "A service that this needs does not answer. Nothing was stored; try again in a few seconds."


def _as_api_exception(error: Exception) -> exceptions.APIException:
    """What `error` is to the client; unexpected ones are logged here, and told without their text."""
    if isinstance(error, exceptions.APIException):
        return error
    if isinstance(error, Http404):
        return exceptions.NotFound(str(error) if error.args else None)
    if isinstance(error, PermissionDenied):
        return exceptions.PermissionDenied()
    if isinstance(error, InputError):
        return InvalidInput([Fault(field=fault.field, message=fault.message) for fault in error.errors])
    if isinstance(error, SuspiciousOperation):
        return exceptions.ParseError("The request was refused as unsafe.")
    if isinstance(error, OperationalError | InterfaceError | RedisError):
        logger.error("api_unavailable", error=type(error).__name__, exc_info=error)
        return Unavailable()
    logger.error("api_failed", error=type(error).__name__, exc_info=error)
    return exceptions.APIException(
        "This is our fault, not yours, and it was logged. Tell the site's staff the request_id if it stays."
    )


def _detail(error: exceptions.APIException) -> str:
    if isinstance(error, exceptions.ValidationError):
        return "The parameters are not valid; `errors` lists what to mend."
    if isinstance(error, exceptions.NotAuthenticated):
        return "Send an API key: Authorization: Bearer trib_…"
    return str(error.detail)


def _faults(error: exceptions.APIException) -> Iterator[Fault]:
    if isinstance(error, InvalidInput):
        yield from error.faults
    elif isinstance(error, exceptions.ValidationError):
        detail = error.detail if isinstance(error.detail, dict) else {"": error.detail}
        for field, messages in detail.items():
            for message in messages if isinstance(messages, list) else [messages]:
                yield Fault(field="" if field == "non_field_errors" else str(field), message=str(message))
