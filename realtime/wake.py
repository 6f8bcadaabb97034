"""Wake-ups: one channel-layer message to each socket server process that has readers of the streams written to.

A wake-up is a hint. One that gets lost costs its readers up to `hub.CHECK_INTERVAL`, and nothing else.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from functools import cache
from typing import Any

import redis
from channels.layers import get_channel_layer
from django.conf import settings


def group_of(process: str) -> str:
    """The channel-layer group that a socket server process joins."""
    return f"hub.{process}"


def publish(pipeline: redis.client.Pipeline, readers: Iterable[tuple[str, str]]) -> None:
    """Add one message for each process to `pipeline`; `readers` are pairs (process, stream).

    This is `group_send` of channels_redis's pub/sub layer, done with the connection at hand: through the layer itself
    each call from synchronous code would start an event loop and connect anew (1-2 ms).
    """
    streams: dict[str, list[str]] = defaultdict(list)
    for process, stream in readers:
        streams[process].append(stream)
    for process, names in streams.items():
        message = {"type": "hub.wake", "streams": names}
        pipeline.publish(f"{_prefix()}__group__{group_of(process)}", get_channel_layer().serialize(message))


@cache
def _prefix() -> str:
    layers: dict[str, Any] = settings.CHANNEL_LAYERS
    return str(layers["default"]["CONFIG"]["prefix"])
