"""Why a post is in somebody's timeline, or not; and the timeline as staff see it. Who looked at whose is logged."""

from __future__ import annotations

from typing import Any

import structlog
from django import forms
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.views.decorators.http import require_safe

from feeds.models import Post
from feeds.traces import trace_timeline
from feeds.why import LARGEST_ID, explain
from recsys.accounts.models import User

logger = structlog.get_logger(__name__)


class ReaderForm(forms.Form):
    reader = forms.CharField(max_length=150, label="Reader (username)")

    def clean_reader(self) -> User:
        reader = User.objects.filter(username=self.cleaned_data["reader"]).first()
        if reader is None:
            raise forms.ValidationError("There is nobody of this username; check the spelling.")
        return reader


class WhyForm(ReaderForm):
    post = forms.IntegerField(min_value=1, max_value=LARGEST_ID, label="Post (number)")


@require_safe
def why_view(request: HttpRequest) -> HttpResponse:
    """Explain one post to staff."""
    form = WhyForm(request.GET) if "reader" in request.GET else WhyForm(initial=request.GET.dict())
    context = _context(request, form, "Why is this in the timeline?")
    if form.is_valid():
        reader, post = form.cleaned_data["reader"], form.cleaned_data["post"]
        found = Post.objects.select_related("author").filter(pk=post).first()
        context |= {"reader": reader, "post": found, "told": explain(reader=reader, post=post, staff=True)}
    return TemplateResponse(request, "admin/feeds/post/why.html", context)


@require_safe
def timeline_view(request: HttpRequest) -> HttpResponse:
    """The newest entries of one reader's timeline, each with how it came."""
    form = ReaderForm(request.GET or None)
    context = _context(request, form, "A reader's timeline")
    if form.is_valid():
        reader = form.cleaned_data["reader"]
        context |= {"reader": reader, "traces": trace_timeline(reader=reader)}
    return TemplateResponse(request, "admin/feeds/post/timeline.html", context)


def _context(request: HttpRequest, form: ReaderForm, title: str) -> dict[str, Any]:
    """For those who may see both posts and users, since this tells who reads whom."""
    if not request.user.has_perms(["feeds.view_post", "accounts.view_user"]):
        raise PermissionDenied
    if form.is_valid():
        logger.info("timeline_looked_at", staff=request.user.pk, reader=form.cleaned_data["reader"].pk)
    return {**admin.site.each_context(request), "title": title, "form": form, "opts": Post._meta}
