"""The home page: a reader's timeline, or what a visitor finds."""

from __future__ import annotations

import uuid
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_safe
from django.views.decorators.vary import vary_on_headers

from feeds.presence import online_people
from feeds.reading import do_mark_unread, do_note_reading
from feeds.selectors import home_timeline
from feeds.suggestions import suggested_people
from feeds.top import further_top_page, top_page
from feeds.views.context import page_context, top_context
from recsys.accounts.models import User
from recsys.accounts.requests import is_fragment, keyset, reader, signed_in
from recsys.recommend.views import VISITOR_PICKS, picks, trends

TOP_ADDRESS = "/?view=top"


@require_safe
def home(request: HttpRequest) -> HttpResponse:
    """A reader's timeline; for a visitor, what is popular and an invitation."""
    user = reader(request)
    if user is None:
        context = picks(request, VISITOR_PICKS) | trends(request) | {"suggested": suggested_people(reader=None)}
        return render(request, "feeds/welcome.html", context)
    view = _view(request)
    posts = _top(request, user) if view == "top" else _latest(request, user)
    if posts is None:
        return redirect(TOP_ADDRESS)
    context = posts | {"view": view} | picks(request) | trends(request)
    context["suggested"] = suggested_people(reader=user, limit=3 if posts["page"].posts else 5)
    context["online"] = online_people(user)
    return render(request, "feeds/home.html", context)


@require_safe
@vary_on_headers("HX-Request")
@signed_in
def timeline(request: HttpRequest, user: User) -> HttpResponse:
    """The timeline without its page: whole, or further posts from `before` on."""
    if not is_fragment(request):
        return redirect("home")
    if _view(request) == "top":
        context = _top(request, user)
        if context is None:  # a new ranking would repeat what is on the page, so the page begins anew
            return HttpResponse(headers={"HX-Redirect": TOP_ADDRESS})
        return render(request, "feeds/_posts.html", context)
    template = "feeds/_posts.html" if keyset(request) else "feeds/_timeline.html"
    return render(request, template, _latest(request, user))


def _view(request: HttpRequest) -> str:
    return "top" if request.GET.get("view") == "top" else "latest"


def _top(request: HttpRequest, user: User) -> dict[str, Any] | None:
    """A new ranking, or a further page of the one that the address names; None where that is not kept any more.

    Showing a ranking is no visit, since the mark is on the latest.
    """
    start = keyset(request)
    if start is None:
        do_note_reading(reader=user)
        return top_context(request, top_page(reader=user), user)
    ranking = _uuid(request.GET.get("ranking", ""))
    page = further_top_page(reader=user, ranking=ranking, start=start) if ranking else None
    return top_context(request, page, user) if page else None


def _uuid(text: str) -> uuid.UUID | None:
    try:
        return uuid.UUID(text)
    except ValueError:
        return None


def _latest(request: HttpRequest, user: User) -> dict[str, Any]:
    """A page of the timeline, newest first, and what of it is new. Showing a first page is a visit."""
    before = keyset(request)
    page = home_timeline(reader=user, before=before)
    mark = do_mark_unread(reader=user, page=page, before=before)
    return page_context(request, page, user, mark=mark)
