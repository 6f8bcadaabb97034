"""The real graph of Epinions: imported, posted to by authors of every size, read back and audited."""

from __future__ import annotations

from itertools import pairwise

import pytest
from django.db import connection

from feeds.actions import do_create_post, do_delete_post, do_repost
from feeds.audit import audit_readers
from feeds.graph import do_mute, do_unfollow
from feeds.models import AuthorOverride, AuthorStats, Post
from feeds.policy import do_save_policy
from recsys.accounts.models import User
from recsys.imports.report import Report
from recsys.imports.run import ImportOptions, run_import
from recsys.outbox.testing import drain
from tests.feeds.graph import all_pages, shown, truth
from tests.imports.conftest import REAL_DATA

pytestmark = pytest.mark.django_db(transaction=True)
GRAPH = REAL_DATA / "soc-epinions" / "follows.txt.gz"
BUCKETS = (0, 1, 5, 20, 100, 400, 1000, 10_000)
AUTHORS_EACH, READERS_EACH = 4, 12
THRESHOLD = 400  # of followers: the largest authors are pulled

_BY_FOLLOWERS = """
    SELECT u.id FROM accounts_user u LEFT JOIN feeds_authorstats s ON s.author_id = u.id
    WHERE coalesce(s.follower_count, 0) >= %s AND coalesce(s.follower_count, 0) < %s ORDER BY hashint8(u.id) LIMIT %s
"""
_BY_FOLLOWS = """
    SELECT follower_id FROM feeds_follow GROUP BY follower_id HAVING count(*) >= %s AND count(*) < %s
    ORDER BY hashint8(follower_id) LIMIT %s
"""


def people_of_every_size(sql: str, most: int) -> list[User]:
    found: list[int] = []
    with connection.cursor() as cursor:
        for low, high in pairwise(BUCKETS):
            cursor.execute(sql, [low, high, most])
            found += [person for (person,) in cursor.fetchall()]
    return list(User.objects.filter(pk__in=found).order_by("pk"))


def test_what_everybody_reads_is_what_sql_says(valkey) -> None:
    if not GRAPH.exists():
        pytest.skip(f"no Epinions data: {GRAPH} does not exist")
    run_import(ImportOptions("follows", GRAPH), Report())
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE feeds_follow, feeds_authorstats, accounts_user")
    do_save_policy(threshold=THRESHOLD, lower_bound=THRESHOLD)
    authors = people_of_every_size(_BY_FOLLOWERS, AUTHORS_EACH)
    readers = people_of_every_size(_BY_FOLLOWS, READERS_EACH)
    fans = User.objects.filter(following__followee=authors[-1]).order_by("pk")[:READERS_EACH]
    everybody = list({one.pk: one for one in [*readers, *fans, *authors]}.values())
    _write(authors)
    drain()
    for reader in everybody:  # their windows are warm now
        assert shown(reader) == truth(reader)[:20]
    AuthorOverride.objects.create(author=authors[0], mode="pull")
    do_save_policy(threshold=50, lower_bound=20)
    posts = _write(authors)
    for reader, author in zip(readers, authors, strict=False):
        do_unfollow(follower=reader, followee=author)
        if reader != author:
            do_mute(muter=reader, muted=author)
    do_delete_post(post=posts[0], by=posts[0].author)
    drain()
    assert set(Post.objects.values_list("mode", flat=True)) == {"push", "pull"}
    assert AuthorStats.objects.filter(has_pull_posts=True, follower_count__gte=1000).exists()
    for reader in everybody:
        assert all_pages(reader, 15) == truth(reader)
    *_, findings = audit_readers([one.pk for one in everybody], pages=len(everybody))
    assert (findings.drifts, findings.waiting) == ([], 0)
    assert findings.windows > len(everybody)
    assert findings.pages > len(everybody) // 2


def _write(authors: list[User]) -> list[Post]:
    """Posts of everybody, with answers and reposts among them."""
    posts = [do_create_post(author=author, text="hello") for author in authors for _ in range(2)]
    for author, post in zip(authors[1:], posts, strict=False):
        do_create_post(author=author, text="hello yourself", reply_to=post)
        if author != post.author:
            do_repost(user=author, post=post)
    return posts
