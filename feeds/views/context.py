"""What the templates of posts need, whichever page shows them."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from django.urls import reverse

from feeds.entries import entries, shown_by
from feeds.forms import NewPostForm
from feeds.people import PeoplePage
from feeds.reading import UnreadMark
from feeds.selectors import TimelinePage
from feeds.top import TopPage
from recsys.accounts.models import User
from recsys.accounts.requests import keyset
from recsys.catalog.counts import live_items


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
    """What the templates of posts need.

    Further pages are at `url` (for htmx too; else the author's page or the home page) with `query` (such as
    "view=top&") before their cursor.
    """
    live = live_items(shown_by(page.posts))
    address = url or (author.get_absolute_url() if author else "")
    return {
        "page": page,
        "first_page": keyset(request) is None,
        "form": NewPostForm(),
        "live_items": live,
        "entries": entries(user, page.posts),
        "more_url": address or reverse("home"),
        "more_fragment": address or reverse("timeline"),
        "more_query": query,
        "mark": mark,
    }


def people_context(request: HttpRequest, page: PeoplePage, which: str) -> dict[str, Any]:
    """What the templates of lists of people need; `which` list it is, they know by its name."""
    return {"people": page, "which": which, "more_url": request.path, "first_page": keyset(request) is None}


def top_context(request: HttpRequest, top: TopPage, user: User) -> dict[str, Any]:
    """The same for a ranking: its further pages name it, and what is clicked is attributed to it."""
    query = f"view=top&ranking={top.recommendation_id}&"
    context = page_context(request, top.page, user, query=query)
    return context | {"top": top, "reasons": top.reasons, "recommendation_id": top.recommendation_id}
