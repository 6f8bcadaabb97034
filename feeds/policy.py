"""Push or pull: the delivery mode, decided once per post and stored on it."""

from __future__ import annotations

from collections.abc import Sequence

from django.db import connection, transaction

from feeds.models import AuthorOverride, DeliveryMode, FanoutPolicy
from recsys.accounts.models import User
from recsys.inputs import FieldError, InputError

# A celebrity from the threshold on, not one below the lower bound, and between the two what the author was before.
IS_CELEBRITY = """
    CASE WHEN s.follower_count >= {upper} THEN true WHEN s.follower_count < {lower} THEN false ELSE s.is_celebrity END
"""
_UNSAVED = FanoutPolicy()  # holds until staff save one
# Whether there is anything to decide; its authors then have a row. Nobody waits for the disk: what a crash takes of a
# decision it takes of the end of the delivery too, and readers look for both kinds.
_PREPARE = """
    WITH undecided AS (
        SELECT DISTINCT author_id FROM feeds_post WHERE item_id = ANY(%(posts)s) AND mode IS NULL
    ), known AS (
        INSERT INTO feeds_authorstats (author_id, follower_count, is_celebrity)
        SELECT author_id, 0, false FROM undecided ORDER BY author_id ON CONFLICT DO NOTHING
    )
    SELECT set_config('synchronous_commit', 'off', true) FROM undecided LIMIT 1
"""
# The override decides, else the follower count. Row locks are taken in the order of the ids, against deadlocks.
_DECIDE = f"""
    WITH authors AS (
        SELECT DISTINCT author_id FROM feeds_post WHERE item_id = ANY(%(posts)s) AND mode IS NULL
    ), policy AS (
        SELECT coalesce(max(celebrity_threshold), {_UNSAVED.celebrity_threshold}) AS upper,
               coalesce(max(lower_bound), {_UNSAVED.lower_bound}) AS lower
        FROM feeds_fanoutpolicy WHERE id = 1
    ), decided AS (
        SELECT s.author_id, {IS_CELEBRITY.format(upper="policy.upper", lower="policy.lower")} AS is_celebrity
        FROM feeds_authorstats s JOIN authors USING (author_id) CROSS JOIN policy
        ORDER BY s.author_id FOR UPDATE OF s
    ), modes AS (
        SELECT d.author_id, d.is_celebrity,
               coalesce(o.mode, CASE WHEN d.is_celebrity THEN 'pull' ELSE 'push' END) AS mode
        FROM decided d LEFT JOIN feeds_authoroverride o USING (author_id)
    ), noted AS (
        UPDATE feeds_authorstats s
        SET is_celebrity = m.is_celebrity, has_pull_posts = s.has_pull_posts OR m.mode = 'pull'
        FROM modes m WHERE s.author_id = m.author_id
          AND (s.is_celebrity, s.has_pull_posts)
              IS DISTINCT FROM (m.is_celebrity, s.has_pull_posts OR m.mode = 'pull')
    )
    UPDATE feeds_post p SET mode = m.mode FROM modes m
    WHERE p.author_id = m.author_id AND p.item_id = ANY(%(posts)s) AND p.mode IS NULL
"""  # noqa: S608 (a constant with another one inside)


def get_policy() -> FanoutPolicy:
    """The policy as staff last saved it."""
    return FanoutPolicy.objects.get_or_create(pk=1)[0]


def check_policy(*, threshold: int, lower_bound: int) -> None:
    """Refuse bounds with nothing between them; InputError."""
    if lower_bound > threshold:
        message = f"The lower bound cannot be above the threshold ({threshold:,})."
        raise InputError([FieldError("lower_bound", message)])


def do_save_policy(*, threshold: int, lower_bound: int) -> FanoutPolicy:
    """Let these bounds decide every post that has no mode yet. InputError where they make no sense."""
    check_policy(threshold=threshold, lower_bound=lower_bound)
    values = {"celebrity_threshold": threshold, "lower_bound": lower_bound}
    return FanoutPolicy.objects.update_or_create(pk=1, defaults=values)[0]


def do_save_override(*, author: User, mode: str, reason: str = "") -> AuthorOverride:
    """Give every further post of `author` this mode, whatever their followers."""
    return AuthorOverride.objects.update_or_create(author=author, defaults={"mode": mode, "reason": reason})[0]


def do_delete_overrides(*, authors: Sequence[int]) -> None:
    """Let the followers of these authors decide again."""
    AuthorOverride.objects.filter(author__in=authors).delete()


def do_decide_modes(*, posts: Sequence[int]) -> None:
    """Give those of these posts that have no mode theirs, by the policy of now. Repeating it changes nothing."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(_PREPARE, {"posts": list(posts)})
        if cursor.fetchone():
            cursor.execute(_DECIDE, {"posts": list(posts)})


def expected_mode(*, follower_count: int, is_celebrity: bool, override: str | None, policy: FanoutPolicy) -> str:
    """The rule of `do_decide_modes` for one author, for staff who ask what a threshold would do."""
    if override:
        return override
    if follower_count >= policy.celebrity_threshold:
        return DeliveryMode.PULL
    if follower_count < policy.lower_bound:
        return DeliveryMode.PUSH
    return DeliveryMode.PULL if is_celebrity else DeliveryMode.PUSH
