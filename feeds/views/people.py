"""A person's page, and the buttons of following."""

from __future__ import annotations

from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST, require_safe
from django.views.decorators.vary import vary_on_headers

from feeds.actions import do_follow, do_unfollow
from feeds.people import follow_summary
from feeds.selectors import author_page
from feeds.views.context import page_context
from recsys.accounts.models import User
from recsys.accounts.requests import is_fragment, keyset, next_address, reader, signed_in
from recsys.accounts.selectors import active_user
from recsys.recommend.views import picks, trends


@require_safe
@vary_on_headers("HX-Request")
def profile(request: HttpRequest, username: str) -> HttpResponse:
    """A person's posts, newest first, and their place in the graph."""
    person, user = _person(username), reader(request)
    replies = "replies" in request.GET
    page = author_page(author=person, reader=user, before=keyset(request), replies=replies)
    context = page_context(request, page, user, person, query="replies=1&" if replies else "")
    context |= {"person": person, "replies": replies}
    if is_fragment(request):
        return render(request, "feeds/_posts.html", context)
    context["follow"] = follow_summary(author=person, reader=user)
    return render(request, "feeds/profile.html", context | (picks(request) if user else trends(request)))


def _person(username: str) -> User:
    person = active_user(username)
    if person is None:
        raise Http404("There is nobody of this name.")
    return person


@require_POST
@signed_in
def follow(request: HttpRequest, user: User, username: str) -> HttpResponse:
    person = _person(username)
    if person == user:
        raise PermissionDenied
    do_follow(follower=user, followee=person)
    return _followed(request, user, person)


@require_POST
@signed_in
def unfollow(request: HttpRequest, user: User, username: str) -> HttpResponse:
    person = _person(username)
    do_unfollow(follower=user, followee=person)
    return _followed(request, user, person)


def _followed(request: HttpRequest, user: User, person: User) -> HttpResponse:
    """The other button, and the word that timeline and recommendations are others now."""
    if not is_fragment(request):
        return redirect(next_address(request))
    context = {"person": person, "follow": follow_summary(author=person, reader=user)}
    response = render(request, "feeds/_followed.html", context)
    response["HX-Trigger"] = "timeline:reload, tastes:changed"
    return response
