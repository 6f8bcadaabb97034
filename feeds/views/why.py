"""Why a reader sees a post, or does not in their home timeline, told to the reader."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from feeds.conversations import find_post
from feeds.models import Post
from feeds.why import explain
from recsys.accounts.models import User
from recsys.accounts.requests import signed_in


@require_safe
@signed_in
def why(request: HttpRequest, user: User, pk: int) -> HttpResponse:
    """Why a post is in the home timeline or, where the reader came across it elsewhere, why it is not.

    A post that is not for them is as little there as one that never was.
    """
    post = find_post(reader=user, pk=pk)
    told = explain(reader=user, post=pk)
    related = Post.objects.select_related("author").filter(pk=told.related).first() if told.related else None
    context = {"post": post, "shown": post.repost_of or post, "told": told, "related": related}
    return render(request, "feeds/why.html", context)
