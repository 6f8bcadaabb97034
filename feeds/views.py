"""The pages of the feed: home, profiles, composing, deleting, following."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST, require_safe
from django.views.decorators.vary import vary_on_headers

from feeds.actions import do_create_post, do_delete_post, do_follow, do_unfollow
from feeds.forms import PostForm
from feeds.models import Post
from feeds.people import follow_summary, suggested_people
from feeds.selectors import TimelinePage, author_page, home_timeline
from recsys.accounts.models import User
from recsys.accounts.requests import is_fragment, keyset, next_address, reader, signed_in
from recsys.accounts.selectors import active_user
from recsys.events.reactions import reactions
from recsys.recommend.views import VISITOR_PICKS, picks, trends


@require_safe
def home(request: HttpRequest) -> HttpResponse:
    """A reader's timeline; for a visitor, what is popular and an invitation."""
    user = reader(request)
    if user is None:
        context = picks(request, VISITOR_PICKS) | trends(request) | {"suggested": suggested_people(reader=None)}
        return render(request, "feeds/welcome.html", context)
    page = home_timeline(reader=user, before=keyset(request))
    context = _page_context(request, page, user) | picks(request) | trends(request)
    context["suggested"] = suggested_people(reader=user, limit=3 if page.posts else 5)
    return render(request, "feeds/home.html", context)


@require_safe
@vary_on_headers("HX-Request")
@signed_in
def timeline(request: HttpRequest, user: User) -> HttpResponse:
    """The timeline without its page: whole, or further posts from `before` on."""
    before = keyset(request)
    if not is_fragment(request):
        return redirect("home")
    page = home_timeline(reader=user, before=before)
    template = "feeds/_posts.html" if before else "feeds/_timeline.html"
    return render(request, template, _page_context(request, page, user))


def _page_context(
    request: HttpRequest, page: TimelinePage, user: User | None, author: User | None = None
) -> dict[str, Any]:
    """What the templates of posts need; one query for the reader's reactions to them."""
    return {
        "page": page,
        "first_page": keyset(request) is None,
        "form": PostForm(),
        "reactions": reactions(user.pk if user else None, [post.pk for post in page.posts]),
        "more_url": author.get_absolute_url() if author else reverse("home"),
        "more_fragment": author.get_absolute_url() if author else reverse("timeline"),
    }


@require_http_methods(["GET", "POST"])
@signed_in
def compose(request: HttpRequest, user: User) -> HttpResponse:
    """Write a post: answered with the post itself and an empty form, or the form with what is wrong."""
    form = PostForm(request.POST if request.method == "POST" else None)
    if not form.is_valid():
        template = "feeds/_composer.html" if is_fragment(request) else "feeds/compose.html"
        return render(request, template, {"form": form}, status=422 if form.is_bound else 200)
    post = do_create_post(author=user, text=form.cleaned_data["text"])
    if not is_fragment(request):
        return redirect("home")
    return render(request, "feeds/_composed.html", {"post": post, "form": PostForm()})


@require_http_methods(["GET", "POST"])
@signed_in
def delete_post(request: HttpRequest, user: User, pk: int) -> HttpResponse:
    """Ask, then delete; only the author and staff may."""
    post = get_object_or_404(Post.objects.select_related("item", "author"), pk=pk)
    if post.author_id != user.pk and not user.is_staff:
        raise PermissionDenied
    if request.method == "GET":
        return render(request, "feeds/delete.html", {"post": post})
    do_delete_post(post=post, by=user)
    if not is_fragment(request):
        return redirect("home")
    leave = {"HX-Redirect": next_address(request)} if "next" in request.POST else {}
    return HttpResponse(headers=leave)


@require_safe
@vary_on_headers("HX-Request")
def profile(request: HttpRequest, username: str) -> HttpResponse:
    """A person's posts, newest first, and their place in the graph."""
    person, user = _person(username), reader(request)
    page = author_page(author=person, reader=user, before=keyset(request))
    context = _page_context(request, page, user, person) | {"person": person}
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
