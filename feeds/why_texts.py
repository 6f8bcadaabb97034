"""What explanations say, to the reader and to staff. A code without its sentences is an error in the program."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

# Code → (to the reader, to staff).
SENTENCES: Mapping[str, tuple[str, str]] = {
    "own": ("You wrote it.", "{reader} wrote it."),
    "follows": ("You have followed {author} since {since}.", "{reader} has followed {author} since {since}."),
    "repost": ("{author} reposted what {original_author} wrote.",) * 2,
    "reply_heard": ("It answers {answered}, whom you read too.", "It answers {answered}, whom {reader} reads too."),
    "push": (
        "It was brought to your timeline when it was written.",
        "Pushed: the fan-out brings it to each follower's window.",
    ),
    "pull": (
        "Your timeline takes it from the list of what {author} wrote.",
        "Pulled: readers merge the author's list. The mode was decided when the fan-out first handled the post.",
    ),
    "pending": ("It is on its way to your timeline.", "Its fan-out has not ended for this reader."),
    "parked": ("It is on its way to your timeline.", "Its fan-out failed and is parked; retry it in the outbox."),
    "not_available": ("There is no such post, or it is not for you to see.",) * 2,
    "no_post": ("There is no such post, or it is not for you to see.", "There is no such post: never, or deleted."),
    "blocks": ("You blocked {author}.", "{reader} has blocked {author}."),
    "blocked": ("It is not for you to see.", "{author} has blocked {reader}."),
    "author_suspended": ("Its author's account is not active.", "The account of {author} is not active."),
    "not_followed": ("You do not follow {author}.", "{reader} does not follow {author}."),
    "private_account": (
        "You do not follow {author}, whose account is private.",
        "{reader} does not follow {author}, whose account is private.",
    ),
    "muted": ("You muted {author}.", "{reader} has muted {author}."),
    "private_post": ("It is for its author only.",) * 2,
    "reply_unheard": (
        "It answers somebody whom your timeline does not show.",
        "It answers {answered}, whom {reader} does not read (not followed, muted, blocked or inactive).",
    ),
    "original_not_public": ("What it shows is not public any more.", "The reposted post is not public."),
    "original_muted": (
        "You muted {original_author}, who wrote what it shows.",
        "{reader} has muted {original_author}.",
    ),
    "original_hidden": (
        "What it shows is not for you to see.",
        "{reader} may not see the reposted post of {original_author} (blocked, inactive, or a private account).",
    ),
    "shown_earlier": (
        "Your timeline has shown the same post within the 24 hours before.",
        "The same post stands in the timeline within the 24 hours before.",
    ),
    "through_repost": (
        "Your timeline shows it all the same, because somebody whom you follow reposted it.",
        "A repost by somebody whom {reader} follows shows it all the same.",
    ),
    "other_rule": ("Your timeline's rules leave it out.", "The rules in visibility.py leave it out."),
}


def sentence(code: str, staff: bool, facts: Mapping[str, Any]) -> str:
    """What `code` means with these facts."""
    since = facts.get("followed_at")
    return SENTENCES[code][staff].format(**{**facts, "since": f"{since:%-d %B %Y}" if since else "then"})
