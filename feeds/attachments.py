"""What can be attached to a post: things of the catalogue, found by number, page or words of the title."""

from __future__ import annotations

import re

from django.db import connection

from recsys.catalog.models import Item

MOST_FOUND = 8
LOOKED_AT = 500  # titles that hold the words, of which the shortest are offered
_PAGE = re.compile(r".*/items/([0-9]{1,18})/?", re.ASCII)
_NUMBER = re.compile(r"[0-9]{1,18}", re.ASCII)
_WORD = re.compile(r"\w+")

# The words as the index over titles has them; the last one may be unfinished.
_BY_TITLE = """
    SELECT id FROM (
        SELECT id, title FROM catalog_item
        WHERE to_tsvector('simple'::regconfig, coalesce(title, '')) @@ to_tsquery('simple', %s)
          AND kind <> 'post' AND NOT is_withheld
          AND is_available
        LIMIT %s
    ) found ORDER BY length(title), id LIMIT %s
"""


def attachable(item: Item | None) -> Item | None:
    """The item, if posts may be about it."""
    return item if item and item.kind != "post" and not item.is_withheld else None


def item_of_number(number: str) -> Item | None:
    """The item of this number; None where there is none to attach."""
    return attachable(Item.objects.filter(pk=int(number)).first()) if _NUMBER.fullmatch(number) else None


def item_of_page(address: str) -> Item | None:
    """The item whose page has this address; None where there is none to attach."""
    found = _PAGE.fullmatch(address.strip().partition("?")[0].partition("#")[0])
    return item_of_number(found[1]) if found else None


def search_attachable(words: str) -> list[Item]:
    """Up to MOST_FOUND items whose titles hold all of the words, the last one perhaps unfinished."""
    terms = _WORD.findall(words)[:8]
    if not terms or len("".join(terms)) < 2:
        return []
    with connection.cursor() as cursor:
        cursor.execute(_BY_TITLE, [" & ".join([*terms[:-1], f"{terms[-1]}:*"]), LOOKED_AT, MOST_FOUND])
        ids = [pk for (pk,) in cursor.fetchall()]
    items = Item.objects.in_bulk(ids)
    return [items[pk] for pk in ids if pk in items]
