"""A person's page, and whom they follow and are followed by."""

from __future__ import annotations

from collections.abc import Callable

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe
from django.views.decorators.vary import vary_on_headers

from feeds.people import PeoplePage, followers_page, following_page, standing
from feeds.presence import online_people, presence_of
from feeds.selectors import author_page
from feeds.views.context import page_context, people_context
from recsys.accounts.models import User
from recsys.accounts.requests import is_fragment, keyset, reader, signed_in
from recsys.accounts.selectors import user_named
from recsys.recommend.views import picks, trends


@require_safe
@vary_on_headers("HX-Request")
def profile(request: HttpRequest, username: str) -> HttpResponse:
    """A person's posts, newest first, and their place in the graph."""
    person, user = named_person(username), reader(request)
    replies = "replies" in request.GET
    page = author_page(author=person, reader=user, before=keyset(request), replies=replies)
    context = page_context(request, page, user, person, query="replies=1&" if replies else "")
    context |= {"person": person, "replies": replies}
    if is_fragment(request):
        return render(request, "feeds/_posts.html", context)
    context |= {"standing": standing(person=person, reader=user), "presence": presence_of(person=person, reader=user)}
    return render(request, "feeds/profile.html", context | (picks(request) if user else trends(request)))


@require_safe
@signed_in
def online(request: HttpRequest, user: User) -> HttpResponse:
    """Who is online of those whom one follows, for the card on the home page (htmx)."""
    return render(request, "feeds/_online.html", {"online": online_people(user)})


@require_safe
@signed_in
def presence(request: HttpRequest, user: User, username: str) -> HttpResponse:
    """Whether a person is online, for the dot on their page (htmx)."""
    shown = presence_of(person=named_person(username), reader=user)
    return render(request, "feeds/_presence.html", {"presence": shown})


@require_safe
@vary_on_headers("HX-Request")
def followers(request: HttpRequest, username: str) -> HttpResponse:
    return _people(request, username, "followers", followers_page)


@require_safe
@vary_on_headers("HX-Request")
def following(request: HttpRequest, username: str) -> HttpResponse:
    return _people(request, username, "following", following_page)


def _people(request: HttpRequest, username: str, which: str, read: Callable[..., PeoplePage]) -> HttpResponse:
    """A page of people, empty where a private account or a block keeps the reader from it."""
    person, user = named_person(username), reader(request)
    stand = standing(person=person, reader=user)
    page = read(person=person, reader=user, before=keyset(request)) if stand.open else PeoplePage([], None)
    context = people_context(request, page, which) | {"person": person, "standing": stand}
    return render(request, "feeds/_people.html" if is_fragment(request) else "feeds/people.html", context)


def named_person(username: str, *, active: bool = True) -> User:
    """The user of this name, of those who are active unless told otherwise, or an answer that there is nobody."""
    person = user_named(username, active=active)
    if person is None:
        raise Http404("There is nobody of this name.")
    return person
