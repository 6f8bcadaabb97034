"""What the flows do inside of the site, by `Site.asking`."""

from __future__ import annotations

from typing import Any

import django

django.setup()

from feeds.actions import do_create_post  # noqa: E402
from feeds.models import Post  # noqa: E402
from realtime import streams  # noqa: E402
from recsys.accounts.models import User  # noqa: E402
from recsys.partners.actions import do_revoke_key  # noqa: E402
from recsys.partners.models import ApiKey  # noqa: E402
from tests.site import answer_calls  # noqa: E402


def append(stream: str, *events: dict[str, Any]) -> None:
    """Let a stream tell these events, as a worker that was killed after telling them would once more."""
    streams.append([(stream, event) for event in events])


def register(username: str, password: str) -> None:
    User.objects.create_user(username, password=password)


def post(author: str, texts: list[str]) -> list[int]:
    """Write posts; return their ids."""
    writer = User.objects.get(username=author)
    return [do_create_post(author=writer, text=text).pk for text in texts]


def mode_of(post: int) -> str | None:
    """How a post is delivered; None as long as that is not decided."""
    return Post.objects.get(pk=post).mode


def revoke(prefix: str) -> None:
    """Revoke the key that begins so."""
    do_revoke_key(key=ApiKey.objects.get(prefix=prefix))


if __name__ == "__main__":
    answer_calls({call.__name__: call for call in (append, register, post, mode_of, revoke)})
