"""The page on which people edit their own profile; sign-up, log-in and passwords are allauth's."""

from __future__ import annotations

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render

from recsys.accounts.actions import do_update_profile
from recsys.accounts.forms import ProfileForm
from recsys.accounts.models import User


@login_required
def edit_profile(request: HttpRequest) -> HttpResponse:
    """Show the form, or change the profile and go to it."""
    user = request.user
    assert isinstance(user, User)
    initial = {"display_name": user.display_name, "bio": user.bio, "region": user.region}
    form = ProfileForm(request.POST or None, initial=initial)
    if request.method == "POST" and form.is_valid():
        do_update_profile(user=user, **form.cleaned_data)
        messages.success(request, "Your profile is saved.")
        return redirect(user)
    return render(request, "accounts/profile_edit.html", {"form": form}, status=422 if form.errors else 200)
