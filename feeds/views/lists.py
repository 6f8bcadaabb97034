"""Lists of accounts: their timelines, and what is in them. A list of somebody else's is not found."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST, require_safe
from django.views.decorators.vary import vary_on_headers

from feeds.forms import ListForm
from feeds.lists import (
    NoList,
    do_add_member,
    do_create_list,
    do_delete_list,
    do_remove_member,
    do_rename_list,
    do_set_memberships,
    find_list,
    lists_of,
    members_of,
    memberships,
)
from feeds.models import AccountList
from feeds.pages import list_page
from feeds.views.context import page_context
from feeds.views.people import named_person
from recsys.accounts.models import User
from recsys.accounts.requests import is_fragment, keyset, signed_in
from recsys.accounts.selectors import user_named
from recsys.events.limits import paced
from recsys.inputs import InputError
from recsys.recommend.views import picks


@require_http_methods(["GET", "POST"])
@paced()
@signed_in
def index(request: HttpRequest, user: User) -> HttpResponse:
    """The reader's lists, and a form for one more."""
    form = ListForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            return redirect("list-edit", do_create_list(owner=user, name=form.cleaned_data["name"]).pk)
        except InputError as error:
            form.refuse(error)
    context = {"form": form, "lists": lists_of(user)}
    return render(request, "feeds/lists.html", context, status=422 if form.errors else 200)


@require_safe
@vary_on_headers("HX-Request")
@signed_in
def timeline(request: HttpRequest, user: User, pk: int) -> HttpResponse:
    """What the members of a list wrote."""
    found = _mine(user, pk)
    page = list_page(account_list=found, before=keyset(request))
    context = page_context(request, page, user, url=found.get_absolute_url()) | {"account_list": found}
    if is_fragment(request):
        return render(request, "feeds/_posts.html", context)
    return render(request, "feeds/list.html", context | picks(request))


@require_http_methods(["GET", "POST"])
@paced()
@signed_in
def edit(request: HttpRequest, user: User, pk: int) -> HttpResponse:
    """Rename a list, and see and change who is in it."""
    found = _mine(user, pk)
    form = ListForm(request.POST or None, initial={"name": found.name})
    if request.method == "POST" and form.is_valid():
        try:
            do_rename_list(account_list=found, name=form.cleaned_data["name"])
            return redirect(found)
        except InputError as error:
            form.refuse(error)
    return _edit_page(request, found, form, status=422 if form.errors else 200)


@require_http_methods(["GET", "POST"])
@paced()
@signed_in
def delete(request: HttpRequest, user: User, pk: int) -> HttpResponse:
    """Ask, then delete."""
    found = _mine(user, pk)
    if request.method == "GET":
        return render(request, "feeds/list_delete.html", {"account_list": found})
    do_delete_list(account_list=found)
    messages.success(request, f"The list “{found.name}” is deleted.")
    return redirect("lists")


@require_POST
@paced()
@signed_in
def add(request: HttpRequest, user: User, pk: int) -> HttpResponse:
    """Put the person whose name was typed into a list."""
    found = _mine(user, pk)
    written = request.POST.get("username", "").strip().removeprefix("@")
    person = user_named(written)
    try:
        if person is None:
            return _edit_page(request, found, None, fault="There is nobody of this name.", status=422)
        do_add_member(account_list=found, member=person)
    except InputError as error:
        return _edit_page(request, found, None, fault=error.errors[0].message, status=422)
    return redirect("list-edit", found.pk)


@require_POST
@paced()
@signed_in
def remove(request: HttpRequest, user: User, pk: int, username: str) -> HttpResponse:
    """Take a person out of a list."""
    found = _mine(user, pk)
    do_remove_member(account_list=found, member=named_person(username, active=False))
    return redirect("list-edit", found.pk)


@require_http_methods(["GET", "POST"])
@paced()
@signed_in
def of_person(request: HttpRequest, user: User, username: str) -> HttpResponse:
    """In which of the reader's lists somebody is, to be changed all at once."""
    person = named_person(username)
    faults: list[str] = []
    if request.method == "POST":
        try:
            given = request.POST.getlist("list")
            chosen = {int(one) for one in given if one.isascii() and one.isdigit() and len(one) < 19}
            do_set_memberships(owner=user, person=person, lists=chosen, new=request.POST.get("new", ""))
            return redirect(person)
        except InputError as error:
            faults = [fault.message for fault in error.errors]
    context = {"person": person, "memberships": memberships(owner=user, person=person), "faults": faults}
    return render(request, "feeds/list_person.html", context, status=422 if faults else 200)


def _edit_page(
    request: HttpRequest, found: AccountList, form: ListForm | None, fault: str = "", status: int = 200
) -> HttpResponse:
    context = {
        "account_list": found,
        "form": form or ListForm(initial={"name": found.name}),
        "people": members_of(found),
        "fault": fault,
        "username": request.POST.get("username", "") if fault else "",
        "here": reverse("list-edit", args=[found.pk]),
    }
    return render(request, "feeds/list_edit.html", context, status=status)


def _mine(user: User, pk: int) -> AccountList:
    found = find_list(user, pk)
    if found is None:
        raise NoList
    return found
