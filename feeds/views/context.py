"""What the templates of posts need, whichever page shows them."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from django.urls import reverse

from feeds.forms import PostForm
from feeds.people import PeoplePage
from feeds.reading import UnreadMark
from feeds.selectors import TimelinePage
from recsys.accounts.models import User
from recsys.accounts.requests import keyset
from recsys.events.reactions import reactions


def page_context(
    request: HttpRequest,
    page: TimelinePage,
    user: User | None,
    author: User | None = None,
    *,
    url: str = "",
    query: str = "",
    mark: UnreadMark | None = None,
) -> dict[str, Any]:
    """What the templates of posts need; one query for the reader's reactions to them.

    Further pages are at `url` (for htmx too; else the author's page or the home page) with `query` (such as
    "view=top&") before their cursor.
    """
    address = url or (author.get_absolute_url() if author else "")
    return {
        "page": page,
        "first_page": keyset(request) is None,
        "form": PostForm(),
        "reactions": reactions(user.pk if user else None, [post.pk for post in page.posts]),
        "more_url": address or reverse("home"),
        "more_fragment": address or reverse("timeline"),
        "more_query": query,
        "mark": mark,
    }


def people_context(request: HttpRequest, page: PeoplePage, which: str) -> dict[str, Any]:
    """What the templates of lists of people need; `which` list it is, they know by its name."""
    return {"people": page, "which": which, "more_url": request.path, "first_page": keyset(request) is None}
