"""Timelines other than the home one: hashtags and bookmarks."""

from __future__ import annotations

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_safe
from django.views.decorators.vary import vary_on_headers

from feeds.pages import bookmarks_page, hashtag_page
from feeds.texts import canonical_tag
from feeds.views.context import page_context
from recsys.accounts.models import User
from recsys.accounts.requests import is_fragment, keyset, reader, signed_in
from recsys.recommend.views import picks, trends


@require_safe
@vary_on_headers("HX-Request")
def hashtag(request: HttpRequest, tag: str) -> HttpResponse:
    """The posts with a hashtag, also for visitors."""
    canonical, user = canonical_tag(tag.lstrip("#")), reader(request)
    if not canonical:
        raise Http404("That cannot be a hashtag.")
    page = hashtag_page(tag=canonical, reader=user, before=keyset(request))
    context = page_context(request, page, user, url=reverse("hashtag", args=[canonical])) | {"tag": canonical}
    if is_fragment(request):
        return render(request, "feeds/_posts.html", context)
    return render(request, "feeds/hashtag.html", context | (picks(request) if user else trends(request)))


@require_safe
@vary_on_headers("HX-Request")
@signed_in
def bookmarks(request: HttpRequest, user: User) -> HttpResponse:
    """What the reader keeps for later."""
    page = bookmarks_page(reader=user, before=keyset(request))
    context = page_context(request, page, user, url=reverse("bookmarks"))
    if is_fragment(request):
        return render(request, "feeds/_posts.html", context)
    return render(request, "feeds/bookmarks.html", context | picks(request))
