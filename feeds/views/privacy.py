"""Who may follow, who waits to, and whom one does not want to meet: requests, and the settings of privacy."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_safe
from django.views.decorators.vary import vary_on_headers

from feeds.forms import PrivacyForm
from feeds.graph import do_change_privacy
from feeds.people import PeoplePage, blocked_page, muted_page, requests_page, sent_requests_page
from feeds.views.context import people_context
from recsys.accounts.actions import do_show_presence
from recsys.accounts.models import User
from recsys.accounts.requests import is_fragment, keyset, signed_in
from recsys.events.limits import paced


@require_safe
@vary_on_headers("HX-Request")
@signed_in
def follow_requests(request: HttpRequest, user: User) -> HttpResponse:
    """Who asks to follow, to be let in or sent away."""
    page = requests_page(target=user, before=keyset(request))
    return _people(request, page, "requests", "feeds/follow_requests.html")


@require_safe
@vary_on_headers("HX-Request")
@signed_in
def sent_requests(request: HttpRequest, user: User) -> HttpResponse:
    """Whom one has asked to follow, to be withdrawn."""
    page = sent_requests_page(requester=user, before=keyset(request))
    return _people(request, page, "sent", "feeds/follow_requests.html")


@require_http_methods(["GET", "POST"])
@paced()
@signed_in
def privacy(request: HttpRequest, user: User) -> HttpResponse:
    """Whether one's account is private, and whether others see when one is online."""
    form = PrivacyForm.of_user(user, request.POST if request.method == "POST" else None)
    if not form.is_valid():
        return render(request, "feeds/privacy.html", {"form": form}, status=422 if form.is_bound else 200)
    said = []
    if do_change_privacy(user=user, is_private=form.cleaned_data["is_private"]):
        said.append(f"Your account is {'private' if user.is_private else 'public'} now.")
    if do_show_presence(user=user, shows_presence=form.cleaned_data["shows_presence"]):
        said.append(f"{'Your followers see' if user.shows_presence else 'Nobody sees'} when you are online.")
    messages.success(request, " ".join(said) or "Your settings are saved.")
    return redirect("privacy")


@require_safe
@vary_on_headers("HX-Request")
@signed_in
def blocked(request: HttpRequest, user: User) -> HttpResponse:
    """Whom one has blocked, to be undone."""
    return _people(request, blocked_page(reader=user, before=keyset(request)), "blocked", "feeds/hidden.html")


@require_safe
@vary_on_headers("HX-Request")
@signed_in
def muted(request: HttpRequest, user: User) -> HttpResponse:
    """Whom one has muted, to be undone."""
    return _people(request, muted_page(reader=user, before=keyset(request)), "muted", "feeds/hidden.html")


def _people(request: HttpRequest, page: PeoplePage, which: str, template: str) -> HttpResponse:
    context = people_context(request, page, which)
    return render(request, "feeds/_people.html" if is_fragment(request) else template, context)
