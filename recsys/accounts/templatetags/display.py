"""Small things that every page shows: icons, avatars, regions, ages."""

from __future__ import annotations

import uuid
import zlib
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django import template
from django.templatetags.static import static
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString

from recsys.accounts import regions
from recsys.accounts.models import User

HUES = 8

register = template.Library()


@register.simple_tag
def icon(name: str) -> SafeString:
    """A decoration of the sprite; whatever it stands for must be said in text beside it."""
    return format_html('<svg class="icon" aria-hidden="true"><use href="{}#{}"/></svg>', static("web/icons.svg"), name)


@register.simple_tag
def new_event_id() -> str:
    """An id for an event that a form may send, so that sending it twice counts once."""
    return str(uuid.uuid4())


@register.filter
def lookup(mapping: Mapping[Any, Any], key: Any) -> Any:
    """The value of a key that is itself a variable; None where there is none."""
    return mapping.get(key) if mapping else None


@register.filter
def initials(user: User) -> str:
    """One or two letters that stand for a person without a picture."""
    words = [word for word in user.name.replace("_", " ").replace("-", " ").split() if word[0].isalnum()]
    return "".join(word[0] for word in (words[:1] + words[1:][-1:])).upper() or "?"


@register.filter
def hue(user: User) -> int:
    """The number of a person's colour, the same on every page."""
    return (user.pk or 0) % HUES


@register.filter
def tint(word: str) -> int:
    """The number of a category's colour, the same on every page and in every process."""
    return zlib.crc32(word.encode()) % HUES


@register.filter
def region_name(code: str) -> str:
    return regions.region_name(code)


@register.filter
def age(moment: datetime) -> str:
    """How long ago, in as few letters as a timeline has room for; the date once it is a week."""
    seconds = (timezone.now() - moment).total_seconds()
    if seconds < 60:
        return "now"
    for unit, length in (("d", 86_400), ("h", 3_600), ("m", 60)):
        if seconds >= length:
            count = int(seconds // length)
            return f"{count} {unit}" if unit != "d" or count < 7 else f"{moment:%-d %b %Y}"
    return "now"
