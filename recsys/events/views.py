"""Where browsers send what their user does."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from contextlib import suppress
from http import HTTPStatus
from typing import Any

from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import RequestDataTooBig
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.views.decorators.http import require_POST

from recsys.accounts.models import User
from recsys.accounts.requests import is_fragment, next_address, reader
from recsys.events.actions import EventInput, RecordResult, check_event, do_record_events
from recsys.events.limits import seconds_to_wait
from recsys.inputs import FieldError, InputError

MAX_BODY = 8 * 1024
FIELDS = ("event_id", "item", "kind", "value", "recommendation_id")


@require_POST
def record_event(request: HttpRequest) -> HttpResponse:
    """Store one event of the signed-in user, sent by a script (JSON) or by a form.

    A script gets JSON, htmx nothing (204), and a form without any script goes back to the page named by `next`.
    """
    user = reader(request)
    if user is None:
        return _refuse_visitor(request)
    if wait := seconds_to_wait(user.pk):
        problem = _problem(HTTPStatus.TOO_MANY_REQUESTS, "You are sending events faster than a person can act.")
        problem.headers["Retry-After"] = str(wait)
        return problem
    try:
        event = _read_event(request, user)
        result = do_record_events(events=[event], scope=f"user:{user.pk}")
    except RequestDataTooBig:
        return _problem(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"An event has at most {MAX_BODY} bytes.")
    except InputError as error:
        return _problem(HTTPStatus.BAD_REQUEST, "The event cannot be recorded.", error.errors)
    return _answer(request, result)


def _read_event(request: HttpRequest, user: User) -> EventInput:
    """The event that the body describes; InputError names its faults."""
    body = _read_body(request)
    if unknown := [name for name in body if name not in FIELDS]:
        raise InputError(
            FieldError(str(name)[:40], f"There is no such field. The fields are: {', '.join(FIELDS)}.")
            for name in unknown[:20]
        )
    item = str(body.get("item", ""))
    is_id = item.isascii() and item.isdigit() and len(item) < 19
    if not is_id:
        raise InputError([FieldError("item", "This must be the number of an item.")])
    me = str(user.pk)
    return check_event({**body, "user": me, "item": item}, users={me: user.pk}, items={item: int(item)})


def _read_body(request: HttpRequest) -> Mapping[str, Any]:
    if int(request.META.get("CONTENT_LENGTH") or 0) > MAX_BODY:
        raise RequestDataTooBig
    if request.content_type != "application/json":
        return _read_form(request)
    try:
        body = json.loads(request.body)
    except (ValueError, RecursionError) as error:
        raise InputError([FieldError("", "The body must be one JSON object.")]) from error
    if not isinstance(body, dict):
        raise InputError([FieldError("", "The body must be one JSON object.")])
    return body


def _read_form(request: HttpRequest) -> Mapping[str, Any]:
    body: dict[str, Any] = {name: request.POST[name] for name in FIELDS if request.POST.get(name)}
    if "value" in body:
        with suppress(ValueError):  # the check says what a value must be
            body["value"] = float(body["value"])
    return body


def _answer(request: HttpRequest, result: RecordResult) -> HttpResponse:
    if request.content_type == "application/json":
        return JsonResponse({"accepted": result.accepted, "duplicates": result.duplicates})
    if is_fragment(request):
        return HttpResponse(status=HTTPStatus.NO_CONTENT)
    return HttpResponseRedirect(next_address(request))


def _refuse_visitor(request: HttpRequest) -> HttpResponse:
    if request.content_type == "application/json" or is_fragment(request):
        return _problem(HTTPStatus.UNAUTHORIZED, "Log in first.")
    return redirect_to_login(next_address(request))


def _problem(status: HTTPStatus, detail: str, errors: Iterable[FieldError] = ()) -> JsonResponse:
    """Problem details for HTTP APIs (RFC 9457)."""
    listed = [{"field": error.field.removeprefix("[0]."), "message": error.message} for error in errors]
    body = {"type": "about:blank", "title": status.phrase, "status": status.value, "detail": detail, "errors": listed}
    return JsonResponse(body, status=status, content_type="application/problem+json")
