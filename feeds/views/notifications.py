"""The page of notifications, its marks, and which of them somebody wants.

Looking at an address changes nothing, since browsers fetch addresses ahead of any click: the page says that it was seen
by a POST once it is visible, and going to what a notification is about is a POST that answers with the way there.
"""

from __future__ import annotations

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_POST, require_safe
from django.views.decorators.vary import vary_on_headers

from feeds.forms import NotificationsForm
from feeds.models import NotificationKind
from feeds.notifications import (
    LARGEST_ID,
    Cursor,
    GroupKey,
    do_mark_read,
    do_mark_seen,
    do_save_preferences,
    group_people,
    notification_group,
    notification_page,
    unread_count,
    unwanted_kinds,
)
from feeds.views.context import people_context
from recsys.accounts.models import User
from recsys.accounts.requests import is_fragment, keyset, signed_in
from recsys.events.limits import paced
from recsys.inputs import InputError


@require_safe
@vary_on_headers("HX-Request")
@signed_in
def index(request: HttpRequest, user: User) -> HttpResponse:
    """The newest notifications, or further ones; for htmx without the page around them."""
    before = Cursor.parse(request.GET.get("before", ""))
    template = "feeds/notifications.html"
    if is_fragment(request):
        template = "feeds/_notices.html" if before else "feeds/_notifications.html"
    context = {"page": notification_page(recipient=user, before=before), "first_page": before is None}
    return render(request, template, context)


@require_safe
@signed_in
def unseen(request: HttpRequest, user: User) -> HttpResponse:
    """How many there are to be seen, for a page that may have missed an event."""
    return JsonResponse({"unseen": unread_count(user)}, headers={"Cache-Control": "no-store"})


@require_POST
@paced()
@signed_in
def mark_seen(request: HttpRequest, user: User) -> HttpResponse:
    do_mark_seen(recipient=user, up_to=_up_to(request))
    return HttpResponse(status=204) if is_fragment(request) else redirect("notifications")


@require_POST
@paced()
@signed_in
def mark_read(request: HttpRequest, user: User) -> HttpResponse:
    do_mark_read(recipient=user, up_to=_up_to(request))
    return redirect("notifications")


@require_POST
@paced()
@signed_in
def open_group(request: HttpRequest, user: User) -> HttpResponse:
    """Go to what a group is about, which is thereby read; to the list where it has gone meanwhile."""
    try:
        key = GroupKey.parse(request.POST.get("group", ""))
    except InputError:
        return redirect("notifications")
    group = notification_group(recipient=user, key=key)
    do_mark_read(recipient=user, group=key, up_to=_up_to(request))
    return redirect(group or "notifications")


@require_safe
@vary_on_headers("HX-Request")
@signed_in
def people(request: HttpRequest, user: User, group: str) -> HttpResponse:
    """Everybody of a group, those whom "and 12 others" does not name too; a group that has gone leads back to the list.

    Who asks to follow can be answered here.
    """
    key = _key(group)
    page = group_people(recipient=user, key=key, before=keyset(request))
    context = people_context(request, page, "requests" if key.kind == NotificationKind.REQUEST else "group")
    if is_fragment(request):
        return render(request, "feeds/_people.html", context)
    found = notification_group(recipient=user, key=key)
    if found is None:
        return redirect("notifications")
    return render(request, "feeds/notification_people.html", context | {"group": found})


def _key(text: str) -> GroupKey:
    try:
        return GroupKey.parse(text)
    except InputError as error:
        raise Http404("There are no such notifications.") from error


def _up_to(request: HttpRequest) -> int:
    """The newest notification that the page knew of: what came later has not been seen. Nonsense: all."""
    raw = request.POST.get("up_to", "")
    return int(raw) if raw.isascii() and raw.isdigit() and len(raw) < 19 else LARGEST_ID


@require_http_methods(["GET", "POST"])
@paced()
@signed_in
def preferences(request: HttpRequest, user: User) -> HttpResponse:
    """Which kinds of notification somebody wants."""
    form = NotificationsForm(request.POST if request.method == "POST" else None, unwanted=unwanted_kinds(user))
    if form.is_valid():
        do_save_preferences(user=user, unwanted=form.unwanted())
        messages.success(request, "Your choice is saved.")
        return redirect("notification-preferences")
    return render(request, "feeds/notification_preferences.html", {"form": form})
