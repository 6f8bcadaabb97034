"""The buttons of the social graph: each changes how the signed-in user stands to one person.

What ends something also finds an account that is not active any more, so that nobody is tied to one for good.
"""

from __future__ import annotations

from collections.abc import Callable

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_POST

from feeds import graph
from feeds.people import standing
from feeds.views.people import named_person
from recsys.accounts.models import User
from recsys.accounts.requests import is_fragment, next_address, signed_in
from recsys.events.limits import paced
from recsys.inputs import InputError

CHANGED = "timeline:reload, tastes:changed"


@require_POST
@paced()
@signed_in
def follow(request: HttpRequest, user: User, username: str) -> HttpResponse:
    return _change(request, user, username, lambda person: graph.do_follow(follower=user, followee=person))


@require_POST
@paced()
@signed_in
def unfollow(request: HttpRequest, user: User, username: str) -> HttpResponse:
    return _end(request, user, username, lambda person: graph.do_unfollow(follower=user, followee=person))


@require_POST
@paced()
@signed_in
def mute(request: HttpRequest, user: User, username: str) -> HttpResponse:
    return _change(request, user, username, lambda person: graph.do_mute(muter=user, muted=person))


@require_POST
@paced()
@signed_in
def unmute(request: HttpRequest, user: User, username: str) -> HttpResponse:
    return _end(request, user, username, lambda person: graph.do_unmute(muter=user, muted=person))


@require_POST
@paced()
@signed_in
def remove_follower(request: HttpRequest, user: User, username: str) -> HttpResponse:
    return _end(request, user, username, lambda person: graph.do_remove_follower(user=user, follower=person))


@require_http_methods(["GET", "POST"])
@paced()
@signed_in
def block(request: HttpRequest, user: User, username: str) -> HttpResponse:
    """Ask, then block."""
    if request.method == "GET":
        return render(request, "feeds/block.html", {"person": named_person(username)})
    return _change(request, user, username, lambda person: graph.do_block(blocker=user, blocked=person))


@require_POST
@paced()
@signed_in
def unblock(request: HttpRequest, user: User, username: str) -> HttpResponse:
    return _end(request, user, username, lambda person: graph.do_unblock(blocker=user, blocked=person))


@require_POST
@paced()
@signed_in
def approve(request: HttpRequest, user: User, username: str) -> HttpResponse:
    return _change(request, user, username, lambda person: graph.do_approve_request(target=user, requester=person))


@require_POST
@paced()
@signed_in
def reject(request: HttpRequest, user: User, username: str) -> HttpResponse:
    return _change(request, user, username, lambda person: graph.do_reject_request(target=user, requester=person))


def _change(request: HttpRequest, user: User, username: str, write: Callable[[User], object]) -> HttpResponse:
    return _do(request, user, named_person(username), write)


def _end(request: HttpRequest, user: User, username: str, write: Callable[[User], object]) -> HttpResponse:
    return _do(request, user, named_person(username, active=False), write)


def _do(request: HttpRequest, user: User, person: User, write: Callable[[User], object]) -> HttpResponse:
    """Do it, and show what has become of it; say what is in the way where it cannot be done."""
    if person == user:
        raise PermissionDenied
    before = standing(person=person, reader=user)
    try:
        write(person)
    except InputError as error:
        messages.error(request, " ".join(fault.message for fault in error.errors))
        return HttpResponse(headers={"HX-Refresh": "true"}) if is_fragment(request) else redirect(next_address(request))
    if not is_fragment(request):
        return redirect(next_address(request))
    return _changed(request, person, was_open=before.open, user=user)


def _changed(request: HttpRequest, person: User, *, was_open: bool, user: User) -> HttpResponse:
    """The part of the page that asked, anew, and the word that timeline and recommendations are others now.

    Parts are a row of a list, which goes; a profile, which loads anew where its posts come or go; or a button alone.
    """
    stand, part = standing(person=person, reader=user), request.POST.get("part", "")
    if part == "row":
        return HttpResponse(headers={"HX-Trigger": CHANGED})
    if part == "profile" and stand.open != was_open:
        return HttpResponse(headers={"HX-Refresh": "true"})
    context = {"person": person, "standing": stand, "relation": stand.relation, "part": part}
    response = render(request, "feeds/_followed.html", context)
    response["HX-Trigger"] = CHANGED
    return response
