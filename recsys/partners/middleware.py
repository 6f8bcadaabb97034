from __future__ import annotations

from collections.abc import Callable

import orjson
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase

from recsys.partners.problems import KINDS, MEDIA_TYPE, problem

PREFIX = "/api/"
DETAILS = {
    400: "The request was refused before it was read; check its headers and its address.",
    404: "No such address. /api/docs/ lists those that exist.",
}


class ProblemMiddleware:
    """Gives errors that Django answers by itself under /api/ (unknown paths, refused hosts) the shape of all others."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response = self.get_response(request)
        if not request.path_info.startswith(PREFIX) or response.status_code < 400:
            return response
        if response.headers.get("Content-Type", "").startswith(MEDIA_TYPE):
            return response
        return _as_problem(request, response)


def _as_problem(request: HttpRequest, response: HttpResponseBase) -> HttpResponse:
    status = response.status_code
    detail = DETAILS.get(status) or f"{(KINDS.get(status) or KINDS[500])[1]}."
    converted = HttpResponse(orjson.dumps(problem(status, detail, request)), status=status, content_type=MEDIA_TYPE)
    for name, value in response.headers.items():
        if not name.lower().startswith("content-") or name == "Content-Security-Policy":
            converted.headers[name] = value
    return converted
