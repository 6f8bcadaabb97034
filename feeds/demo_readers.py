"""What the demo's logins have of their own: a list, bookmarks, and a last visit a day ago."""

from __future__ import annotations

from datetime import timedelta

from feeds.models import AccountList, Bookmark, Follow, ListMember, Post, ReadingPosition
from recsys.demo.community import Community
from recsys.demo.logins import DEMO_LOGINS

LIST, MEMBERS, BOOKMARKS = "Film club", 12, 6
AWAY = timedelta(days=1)


def write_readers(community: Community) -> None:
    """Write them for whoever can be logged in as; a few rows each."""
    last_visit = community.now - AWAY
    seen = Post.objects.filter(created_at__lt=last_visit).order_by("-pk").values_list("pk", flat=True).first() or 0
    for reader in map(int, community.people.ids[: len(DEMO_LOGINS)]):
        followed = list(Follow.objects.filter(follower=reader).order_by("followee").values_list("followee", flat=True))
        found = AccountList.objects.create(owner_id=reader, name=LIST)
        ListMember.objects.bulk_create([ListMember(list=found, member_id=member) for member in followed[:MEMBERS]])
        kept = Post.objects.filter(author__in=followed, visibility="public").order_by("-pk")[:BOOKMARKS]
        Bookmark.objects.bulk_create([Bookmark(user_id=reader, post=post) for post in reversed(kept)])
        ReadingPosition.objects.create(
            reader_id=reader, newest_seen=seen, unread_after=seen, visited_at=last_visit, read_at=last_visit
        )
