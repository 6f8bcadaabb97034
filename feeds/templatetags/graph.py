"""What every page shows of the social graph."""

from __future__ import annotations

from typing import Any

from django import template

from feeds.people import MOST_COUNTED, request_count

register = template.Library()


@register.simple_tag(takes_context=True)
def waiting_requests(context: dict[str, Any]) -> str:
    """How many wait to follow the signed-in user, for a badge; "" for nobody. One query."""
    count = request_count(target=context["user"])
    return f"{MOST_COUNTED - 1}+" if count == MOST_COUNTED else str(count or "")
