"""Reads of clients and keys."""

from __future__ import annotations

from datetime import timedelta

from django.utils import timezone
from django.utils.crypto import constant_time_compare

from recsys.partners.actions import USE_PRECISION
from recsys.partners.credentials import digest, prefix_of
from recsys.partners.models import ApiKey

_NOBODY = digest("")


def find_key(text: str) -> ApiKey | None:
    """The key with that text and its client, however revoked or inactive; None where there is none.

    The row is found by the public prefix, so the time of the search tells nothing of the secret, and the digests are
    compared in constant time.
    """
    prefix = prefix_of(text)
    key = ApiKey.objects.select_related("client").filter(prefix=prefix).first() if prefix else None
    matches = constant_time_compare(key.digest if key else _NOBODY, digest(text))
    return key if matches else None


def use_is_noted(key: ApiKey) -> bool:
    """Whether `last_used_at` is recent enough to be left as it is."""
    return key.last_used_at is not None and timezone.now() - key.last_used_at < USE_PRECISION - timedelta(seconds=1)
