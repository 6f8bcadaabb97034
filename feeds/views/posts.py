"""Writing, showing, editing and deleting posts, and what one does with them: like, repost, bookmark."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_POST, require_safe
from django.views.decorators.vary import vary_on_headers

from feeds.actions import (
    do_bookmark,
    do_create_post,
    do_delete_post,
    do_edit_post,
    do_like_post,
    do_remove_bookmark,
    do_repost,
    do_undo_repost,
    do_unlike_post,
    may_take_down,
)
from feeds.attachments import search_attachable
from feeds.conversations import ancestors, find_post, replies
from feeds.entries import entries, shown_by
from feeds.forms import NewPostForm, PostForm
from feeds.models import Post
from feeds.typists import is_told, now_ms
from recsys.accounts.models import User
from recsys.accounts.requests import is_fragment, keyset, next_address, reader, signed_in
from recsys.catalog.counts import live_items
from recsys.events.limits import paced
from recsys.inputs import InputError
from recsys.recommend import engine
from recsys.recommend.views import SIMILAR, picks, recommendation_of, trends, with_query

DEEDS: Mapping[str, Callable[..., object]] = {
    "like": do_like_post,
    "unlike": do_unlike_post,
    "repost": do_repost,
    "unrepost": do_undo_repost,
    "bookmark": do_bookmark,
    "unbookmark": do_remove_bookmark,
}


@require_http_methods(["GET", "POST"])
@paced("post")
@signed_in
def compose(request: HttpRequest, user: User) -> HttpResponse:
    """Write a post or a reply: answered with it and an empty form, or the form with what is wrong."""
    form = NewPostForm(request.POST if request.method == "POST" else None)
    if not form.is_valid():
        template = "feeds/_composer.html" if is_fragment(request) else "feeds/compose.html"
        return render(request, template, {"form": form}, status=422 if form.is_bound else 200)
    answered = form.cleaned_data["reply_to"]
    parent = find_post(reader=user, pk=answered) if answered else None
    post = do_create_post(
        author=user, visibility=form.cleaned_data["visibility"], reply_to=parent, **form.words.fields()
    )
    if not is_fragment(request):
        return redirect(post if parent else "home")
    written = find_post(reader=user, pk=post.pk)
    form = NewPostForm.answering(parent) if parent else NewPostForm()
    context = {"live_items": live_items([post.pk]), "entry": entries(user, [written])[0], "form": form}
    return render(request, "feeds/_composed.html", context)


@require_safe
@signed_in
def attachable(request: HttpRequest, user: User) -> HttpResponse:
    """What a post can be about, for the words in the composer (htmx)."""
    return render(request, "feeds/_choices.html", {"choices": search_attachable(request.GET.get("find", "")[:1000])})


@require_safe
@vary_on_headers("HX-Request")
def post(request: HttpRequest, pk: int) -> HttpResponse:
    """A post in its conversation; for htmx further replies. `?r=` names the recommendation that led here."""
    user, after = reader(request), keyset(request, "after")
    found = find_post(reader=user, pk=pk)
    if found.repost_of is not None:
        return redirect(with_query(request, found.repost_of.get_absolute_url()))
    answers = replies(reader=user, post=found, after=after)
    if is_fragment(request):
        context = {"live_items": live_items(shown_by(answers.posts)), "entries": entries(user, answers.posts)}
        context |= {"post": found, "next_after": answers.next_after}
        return render(request, "feeds/_replies.html", context)
    above = ancestors(reader=user, post=found)
    posts = [*above.posts, found, *answers.posts]
    live = live_items(shown_by(posts))
    shown = entries(user, posts)
    place = len(above.posts)
    context = {
        "post": found,
        "live_items": live,
        "ancestors": shown[:place],
        "is_whole": above.is_whole,
        "entry": shown[place],
        "entries": shown[place + 1 :],
        "next_after": answers.next_after,
        "first_page": after is None,
        "form": NewPostForm.answering(found),
        "typing_since": now_ms() if user and user.shows_presence and is_told(found) else None,
        "recommendation_id": recommendation_of(request),
        "similar": engine.similar(item=found.item, user=user, count=SIMILAR),
    }
    return render(request, "feeds/post.html", context | (picks(request) if user else trends(request)))


@require_safe
def entry(request: HttpRequest, pk: int) -> HttpResponse:
    """One entry anew, for a page on which it has changed (htmx); `?focus=` for the page that is about it."""
    user = reader(request)
    shown = entries(user, [find_post(reader=user, pk=pk)])[0]
    context: dict[str, Any] = {"entry": shown}
    if "focus" in request.GET:  # there, what it answers stands above, unless that is gone
        context |= {"focus": True, "hide_parent": bool(shown.answers and shown.answers.person), "leave_to": "/"}
    return render(request, "partials/post.html", context)


@require_http_methods(["GET", "POST"])
@paced("post")
@signed_in
def edit_post(request: HttpRequest, user: User, pk: int) -> HttpResponse:
    """Say it anew; only the author may."""
    found = find_post(reader=user, pk=pk)
    if found.author_id != user.pk or found.repost_of_id is not None:
        raise PermissionDenied
    form = PostForm.of_post(found, request.POST if request.method == "POST" else None)
    if not form.is_valid():
        context = {"form": form, "post": found}
        return render(request, "feeds/edit.html", context, status=422 if form.is_bound else 200)
    do_edit_post(post=found, by=user, **form.words.fields())
    return redirect(found)


@require_http_methods(["GET", "POST"])
@paced()
@signed_in
def delete_post(request: HttpRequest, user: User, pk: int) -> HttpResponse:
    """Ask, then delete; only the author may, and staff with the right to. Others are told so of what they may see."""
    posts = Post.objects.select_related("item", "author")
    found = posts.filter(pk=pk).first() if may_take_down(user) else posts.filter(pk=pk, author=user).first()
    if found is None:
        find_post(reader=user, pk=pk)
        raise PermissionDenied
    if request.method == "GET":
        return render(request, "feeds/delete.html", {"post": found})
    do_delete_post(post=found, by=user)
    if not is_fragment(request):
        return redirect("home")
    leave = {"HX-Redirect": next_address(request)} if "next" in request.POST else {}
    return HttpResponse(headers=leave)


@require_POST
@paced()
@signed_in
def act(request: HttpRequest, user: User, pk: int, deed: str) -> HttpResponse:
    """Do one of DEEDS with what a post shows; answered with its buttons as they are now."""
    found = find_post(reader=user, pk=pk)
    options: dict[str, Any] = {}
    if deed == "like" and (recommendation := recommendation_of(request)):
        options["recommendation_id"] = recommendation
    try:
        DEEDS[deed](user=user, post=found, **options)
    except InputError as error:
        raise PermissionDenied(str(error)) from error
    if not is_fragment(request):
        return redirect(next_address(request))
    anchor = request.POST.get("entry", "")
    context = {"entry": entries(user, [found.repost_of or found])[0], "anchor": anchor if anchor.isdecimal() else pk}
    response = render(request, "feeds/_actions.html", context)
    if deed == "like":
        response["HX-Trigger"] = "tastes:changed"
    return response
