"""Composing and deleting posts."""

from __future__ import annotations

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_http_methods

from feeds.actions import do_create_post, do_delete_post
from feeds.forms import PostForm
from feeds.models import Post
from recsys.accounts.models import User
from recsys.accounts.requests import is_fragment, next_address, signed_in


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
