"""The pages that recommend: an item with what is similar, "For you", "Trending", and the rail beside other pages."""

from __future__ import annotations

import uuid
from typing import Any
from urllib.parse import urlsplit

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.views.decorators.http import require_safe
from django.views.decorators.vary import vary_on_headers

from recsys.accounts.models import User
from recsys.accounts.requests import is_fragment, reader, signed_in
from recsys.catalog.models import Item
from recsys.events.reactions import reactions
from recsys.recommend import engine

RAIL_PICKS = 5
RAIL_TRENDING = 5
PAGE_PICKS = 24
SIMILAR = 6
VISITOR_PICKS = 12


def picks(request: HttpRequest, count: int = RAIL_PICKS) -> dict[str, Any]:
    """What pages show as "For you": what suits the reader; for a visitor, what is popular."""
    user = reader(request)
    return {"for_you": engine.recommend(user=user, region=user.region if user else "", count=count)}


def trends(request: HttpRequest, count: int = RAIL_TRENDING) -> dict[str, Any]:
    """What pages show as "Trending", near the reader if the region is known."""
    user = reader(request)
    return {"trending": engine.trending(region=user.region if user else "", count=count, user=user)}


@require_safe
@vary_on_headers("HX-Request")
@signed_in
def for_you(request: HttpRequest, user: User) -> HttpResponse:
    """The whole page, or for htmx the rail's part anew."""
    if is_fragment(request):
        return render(request, "recommend/_for_you.html", picks(request))
    return render(request, "recommend/for_you.html", picks(request, PAGE_PICKS))


@require_safe
def trending(request: HttpRequest) -> HttpResponse:
    return render(request, "recommend/trending.html", trends(request, PAGE_PICKS))


@require_safe
def item(request: HttpRequest, pk: int) -> HttpResponse:
    """One item. `?r=` names the recommendation that led here, for the page's script to send with its click."""
    user = reader(request)
    # A post is an item too. Here its name is only text, because this app stands below the feeds.
    found = get_object_or_404(Item.objects.select_related("post__author"), pk=pk)
    reaction = reactions(user.pk if user else None, [found.pk]).get(found.pk)
    context = {
        "item": found,
        "host": _web_host(found.url),
        "has_image": bool(_web_host(found.image_url)),
        "recommendation_id": _recommendation_id(request.GET.get("r", "")),
        "reaction": reaction,
        "rounded_rating": str(int((reaction.rating or 0) + 0.5)) if reaction else "",
        "similar": engine.similar(item=found, user=user, count=SIMILAR),
    }
    if user:
        context["for_you"] = engine.recommend(user=user, region=user.region, count=RAIL_PICKS, exclude=(found.pk,))
    return render(request, "recommend/item.html", context)


def _recommendation_id(text: str) -> uuid.UUID | None:
    try:
        return uuid.UUID(text)
    except ValueError:
        return None


def _web_host(url: str) -> str:
    """The host of an address that a page may link to; "" for javascript:, data: and the like, whoever stored it."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return ""
    return (parts.hostname or "") if parts.scheme in ("http", "https") else ""
