"""What the templates of posts need, whichever page shows them."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from django.urls import reverse

from feeds.forms import PostForm
from feeds.selectors import TimelinePage
from recsys.accounts.models import User
from recsys.accounts.requests import keyset
from recsys.events.reactions import reactions


def page_context(
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
