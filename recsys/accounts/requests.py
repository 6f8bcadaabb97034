"""What every page's view asks of a request."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Concatenate, ParamSpec

from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest, HttpResponse
from django.shortcuts import resolve_url
from django.utils.http import url_has_allowed_host_and_scheme

from recsys.accounts.models import User

P = ParamSpec("P")


def is_fragment(request: HttpRequest) -> bool:
    """Whether htmx asks for a part of a page, rather than a browser for the whole."""
    return bool(getattr(request, "htmx", False))


def reader(request: HttpRequest) -> User | None:
    """The signed-in user, or None for a visitor."""
    return request.user if isinstance(request.user, User) else None


def signed_in(
    view: Callable[Concatenate[HttpRequest, User, P], HttpResponse],
) -> Callable[Concatenate[HttpRequest, P], HttpResponse]:
    """Give the view its user; send others to log in, also when it was htmx that asked (which would follow a plain
    redirect and put the log-in page into the middle of this one)."""

    @wraps(view)
    def wrapper(request: HttpRequest, /, *args: P.args, **kwargs: P.kwargs) -> HttpResponse:
        user = reader(request)
        if user is not None:
            return view(request, user, *args, **kwargs)
        back = request.get_full_path() if request.method == "GET" and not is_fragment(request) else resolve_url("home")
        login = redirect_to_login(back, resolve_url("account_login"))
        return HttpResponse(status=401, headers={"HX-Redirect": login.url}) if is_fragment(request) else login

    return wrapper


def next_address(request: HttpRequest, default: str = "home") -> str:
    """Where the form asked to go on (`next`), if that is on this site."""
    wanted = request.POST.get("next", "")
    allowed = url_has_allowed_host_and_scheme(wanted, {request.get_host()}, require_https=request.is_secure())
    return wanted if allowed else resolve_url(default)


def keyset(request: HttpRequest, name: str = "before") -> int | None:
    """The cursor of a page, or None where it is missing or nonsense: then the first page is what helps."""
    raw = request.GET.get(name, "")
    fits = len(raw) <= 19 and raw.isascii() and raw.isdigit() and 0 < int(raw) < 2**63
    return int(raw) if fits else None
