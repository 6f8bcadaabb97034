"""The pages that recommend: an item with what is similar, "For you", "Trending", and the rail beside other pages."""

from __future__ import annotations

import uuid
from typing import Any
from urllib.parse import urlsplit

from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_safe
from django.views.decorators.vary import vary_on_headers

from recsys.accounts.models import User
from recsys.accounts.requests import is_fragment, reader, signed_in
from recsys.catalog.counts import counts_of, live_items, parse_ids, visible
from recsys.catalog.models import Item
from recsys.catalog.secrecy import hidden_items
from recsys.events.reactions import reactions
from recsys.recommend import dashboards, engine, news

SIMILAR = 6
VISITOR_PICKS = 12


def picks(request: HttpRequest, count: int = news.RAIL) -> dict[str, Any]:
    """What pages show as "For you": what suits the reader; for a visitor, what is popular."""
    user = reader(request)
    position = news.position_of(user.pk) if user else ""
    slate = engine.recommend(user=user, region=user.region if user else "", count=count)
    return {"for_you": slate, "for_you_position": position}


def trends(request: HttpRequest, count: int = dashboards.RAIL) -> dict[str, Any]:
    """What pages show as "Trending", near the reader if the region is known."""
    user = reader(request)
    return {"trending": dashboards.dashboard(region=user.region if user else "", count=count, user=user)}


@require_safe
@vary_on_headers("HX-Request")
@signed_in
def for_you(request: HttpRequest, user: User) -> HttpResponse:
    """The whole page, or for htmx the rail's part or the page's list anew."""
    if is_fragment(request) and request.GET.get("part") != "page":
        return render(request, "recommend/_for_you.html", picks(request))
    template = "recommend/_picks.html" if is_fragment(request) else "recommend/for_you.html"
    return render(request, template, picks(request, news.PAGE))


@require_safe
@vary_on_headers("HX-Request")
def trending(request: HttpRequest) -> HttpResponse:
    """The whole page, or for htmx its list or the rail's part anew."""
    if is_fragment(request) and request.GET.get("part") == "rail":
        return render(request, "recommend/_trending.html", trends(request))
    user = reader(request)
    position = news.position_of(user.pk) if user else ""
    template = "recommend/_dashboard.html" if is_fragment(request) else "recommend/trending.html"
    return render(request, template, trends(request, dashboards.PAGE) | {"for_you_position": position})


@require_safe
def item(request: HttpRequest, pk: int) -> HttpResponse:
    """One item. `?r=` names the recommendation that led here, for the page's script to send with its click."""
    user = reader(request)
    # A post is an item too, with a page of its own. Its name is only text here: this app stands below the feeds.
    found = get_object_or_404(Item.objects.select_related("post"), pk=pk)
    if (post := getattr(found, "post", None)) is not None:
        if hidden_items(user.pk if user else None, [found.pk]):
            raise Http404("There is no such item.")
        return redirect(with_query(request, post.get_absolute_url()))
    if found.is_withheld:
        raise Http404("There is no such item.")
    live = live_items([found.pk])
    position = news.position_of(user.pk) if user else ""
    reaction = reactions(user.pk if user else None, [found.pk]).get(found.pk)
    context = {
        "item": found,
        "host": _web_host(found.url),
        "has_image": bool(_web_host(found.image_url)),
        "recommendation_id": recommendation_of(request),
        "reaction": reaction,
        "rounded_rating": str(int((reaction.rating or 0) + 0.5)) if reaction else "",
        "live_items": live,
        "counts": counts_of([found.pk]).get(found.pk, {}),
        "similar": engine.similar(item=found, user=user, count=SIMILAR),
        "for_you_position": position,
    }
    if user:
        context["for_you"] = engine.recommend(user=user, region=user.region, count=news.RAIL, exclude=(found.pk,))
    return render(request, "recommend/item.html", context)


@require_safe
def counts(request: HttpRequest) -> HttpResponse:
    """The counters of the items that the address names (`?items=1,2,3`), for a page that could not be told of changes.

    Those that are gone, or not for the reader any more, are left out.
    """
    user = reader(request)
    try:
        named = {(user.pk if user else None, item) for item in parse_ids(request.GET.get("items", ""))}
    except ValueError as error:
        return JsonResponse({"error": str(error)}, status=400)
    return JsonResponse({"counts": counts_of([item for _, item in visible(named)])})


def recommendation_of(request: HttpRequest) -> uuid.UUID | None:
    """The recommendation that led to a page (`?r=`), or that a form on it sends along."""
    try:
        return uuid.UUID(request.GET.get("r", "") or request.POST.get("recommendation_id", ""))
    except ValueError:
        return None


def with_query(request: HttpRequest, address: str) -> str:
    """The address with what this one was asked with."""
    query = request.META.get("QUERY_STRING", "")
    return f"{address}?{query}" if query else address


def _web_host(url: str) -> str:
    """The host of an address that a page may link to; "" for javascript:, data: and the like, whoever stored it."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return ""
    return (parts.hostname or "") if parts.scheme in ("http", "https") else ""
