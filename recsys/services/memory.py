"""What Valkey's memory goes to, by feature.

Names are walked up to a limit and a few keys of each kind are weighed, so that asking takes the same on a site of any
size and holds nobody up: beyond the limit, numbers of keys are estimated from the part that was seen. Neither walking
nor weighing counts as a use of the keys.
"""

from __future__ import annotations

import fnmatch
import re
import time
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import redis
import structlog
from django.conf import settings
from redis.backoff import NoBackoff
from redis.connection import parse_url
from redis.retry import Retry

from realtime.valkey import KeyPattern

WALKED = 50_000  # names of keys, at most
WALKED_PART = 1000  # names a call
WALK_TIME = 1.0  # seconds after which fewer names have to do
WEIGHED = 100  # keys of a kind
SAMPLES = 20  # members of a key that Valkey weighs to know the weight of all; what is packed it knows exactly
EXAMPLES = 5  # names of unknown keys
PATIENCE: dict[str, Any] = {"socket_timeout": 1.0, "socket_connect_timeout": 0.5, "retry": Retry(NoBackoff(), 0)}

UNKNOWN = "unknown"
# The keys of docs/valkey.md that libraries make (a test compares them).
LIBRARIES = {
    "cache:*": "Django's cache",
    "_kombu.binding*": "Celery (kombu)",
    "celery": "Celery (kombu)",
    "celery.*": "Celery (kombu)",
    "unacked": "Celery (kombu)",
    "unacked_index": "Celery (kombu)",
    "unacked_mutex": "Celery (kombu)",
    "*.celery.pidbox": "Celery (kombu)",
}

logger = structlog.get_logger(__name__)


@dataclass(frozen=True)
class KeyUse:
    """The keys of one kind. `largest` and `encodings` are of those that were weighed."""

    name: str
    feature: str
    keys: int
    bytes: int
    largest: int
    encodings: tuple[str, ...]
    estimated: bool
    pattern: KeyPattern | None = None
    examples: tuple[str, ...] = ()

    @property
    def average(self) -> int:
        return round(self.bytes / self.keys) if self.keys else 0

    @property
    def is_too_large(self) -> bool:
        """Whether a key is beyond the bytes that its pattern declares."""
        return bool(self.pattern and self.pattern.most_bytes and self.largest > self.pattern.most_bytes)


@dataclass(frozen=True)
class Feature:
    """A part of the product, or a library, and its kinds of keys."""

    name: str
    uses: tuple[KeyUse, ...]

    @property
    def keys(self) -> int:
        return sum(use.keys for use in self.uses)

    @property
    def bytes(self) -> int:
        return sum(use.bytes for use in self.uses)


@dataclass(frozen=True)
class Memory:
    """What was found. Sizes are in bytes; `most` is 0 where the server has no limit."""

    features: tuple[Feature, ...]
    keys: int
    walked: int
    used: int
    most: int
    policy: str
    fragmentation: float
    broker_is_away: bool

    @property
    def is_estimated(self) -> bool:
        return self.walked < self.keys

    @property
    def bytes(self) -> int:
        return sum(feature.bytes for feature in self.features)

    @property
    def too_large(self) -> list[KeyUse]:
        return [use for feature in self.features for use in feature.uses if use.is_too_large]


@dataclass(frozen=True)
class _Kind:
    """A kind of key, and how its names look. There is at most one key of a kind without placeholders."""

    name: str
    feature: str
    names: re.Pattern[str]
    pattern: KeyPattern | None = None

    @property
    def is_single(self) -> bool:
        return not set("{*") & set(self.name)


@dataclass(frozen=True)
class _Walk:
    """The names that were seen in a database, of how many."""

    names: frozenset[bytes]
    keys: int

    @property
    def factor(self) -> float:
        return self.keys / len(self.names) if self.names else 1.0


def find_memory(*, limit: int = WALKED) -> Memory | None:
    """What the memory goes to, from at most about `limit` names of keys; None where Valkey does not answer."""
    try:
        with redis.Redis.from_url(settings.REDIS_URL, **PATIENCE) as client:
            return _find(client, limit)
    except redis.RedisError as error:
        logger.warning("memory_unknown", error=repr(error))
        return None


def _find(client: redis.Redis, limit: int) -> Memory:
    info: dict[str, Any] = client.info("memory")
    walk = _walk(client, limit)
    uses = _weigh(client, walk, all_declared=True)
    broker_walk, broker_uses = _look_at_broker(limit)
    return Memory(
        features=_group([*uses, *broker_uses]),
        keys=walk.keys + (broker_walk.keys if broker_walk else 0),
        walked=len(walk.names) + (len(broker_walk.names) if broker_walk else 0),
        used=int(info["used_memory"]),
        most=int(info.get("maxmemory", 0)),
        policy=str(info.get("maxmemory_policy", "")),
        fragmentation=float(info.get("mem_fragmentation_ratio", 0)),
        broker_is_away=broker_walk is None,
    )


def _group(uses: Iterable[KeyUse]) -> tuple[Feature, ...]:
    """The features, the heaviest first, each with its kinds of keys likewise."""
    by_feature: dict[str, list[KeyUse]] = defaultdict(list)
    for use in sorted(uses, key=lambda use: (-use.bytes, use.name)):
        by_feature[use.feature].append(use)
    features = (Feature(name, tuple(members)) for name, members in by_feature.items())
    return tuple(sorted(features, key=lambda feature: (-feature.bytes, feature.name)))


def _look_at_broker(limit: int) -> tuple[_Walk | None, list[KeyUse]]:
    """The broker's database, where it is one of Valkey and not the same; None where it does not answer."""
    url = broker_url()
    if url is None or _place(url) == _place(settings.REDIS_URL):
        return _Walk(frozenset(), 0), []
    try:
        with redis.Redis.from_url(url, **PATIENCE) as broker:
            walk = _walk(broker, limit)
            return walk, _weigh(broker, walk, all_declared=False)
    except redis.RedisError as error:
        logger.warning("memory_of_broker_unknown", error=repr(error))
        return None, []


def broker_url() -> str | None:
    """The broker's address as a client of Valkey spells it, None where the broker is something else."""
    url: str = settings.CELERY_BROKER_URL
    if url.startswith("redis+socket://"):
        return url.replace("redis+socket://", "unix://", 1).replace("?virtual_host=", "?db=", 1)
    return url if url.startswith(("redis://", "rediss://")) else None


def _place(url: str) -> tuple[Any, ...]:
    parts = parse_url(url)
    return parts.get("path"), parts.get("host", "localhost"), parts.get("port", 6379), parts.get("db", 0)


def _walk(client: redis.Redis, limit: int) -> _Walk:
    """Names as they come, which is in the order of their hashes: a fair sample where it is not all of them."""
    names: set[bytes] = set()
    cursor, deadline = 0, time.monotonic() + WALK_TIME
    while True:
        cursor, found = client.scan(cursor, count=min(WALKED_PART, limit))
        names.update(name for name in found if isinstance(name, bytes))
        if cursor == 0:
            return _Walk(frozenset(names), len(names))
        if len(names) >= limit or time.monotonic() > deadline:
            return _Walk(frozenset(names), max(client.dbsize(), len(names)))


def _weigh(client: redis.Redis, walk: _Walk, *, all_declared: bool) -> list[KeyUse]:
    """The kinds of keys there are, and with `all_declared` those of ours of which there are none."""
    kinds = _kinds()
    by_kind = _sort(walk.names, kinds)
    for kind in kinds:
        if kind.is_single:  # seen or not: one look tells, where an estimate would make many of it
            by_kind[kind] = [kind.name.encode()]
        elif kind.pattern and all_declared:
            by_kind.setdefault(kind, [])
    chosen = {kind: _spread(names) for kind, names in by_kind.items()}
    weights = _weights(client, [name for names in chosen.values() for name in names])
    uses = [_use(kind, by_kind[kind], [weights[name] for name in chosen[kind]], walk) for kind in by_kind]
    return [use for use in uses if use.keys or (use.pattern and all_declared)]


def _use(kind: _Kind, names: list[bytes], weights: list[tuple[int, str]], walk: _Walk) -> KeyUse:
    there = [weight for weight in weights if weight[0]]  # others are gone by now
    seen = len(there) if len(weights) == len(names) else len(names)
    keys = seen if kind.is_single else round(seen * walk.factor)
    total = sum(size for size, _ in there)
    return KeyUse(
        name=kind.name,
        feature=kind.feature,
        keys=keys,
        bytes=round(total / len(there) * keys) if there else 0,
        largest=max((size for size, _ in there), default=0),
        encodings=tuple(sorted({encoding for _, encoding in there})),
        estimated=keys > len(there),
        pattern=kind.pattern,
        examples=tuple(_text(name) for name in sorted(names)[:EXAMPLES]) if kind.name == UNKNOWN else (),
    )


def _weights(client: redis.Redis, names: list[bytes]) -> Mapping[bytes, tuple[int, str]]:
    """Bytes (0: there is no such key) and encoding of keys."""
    weights: dict[bytes, tuple[int, str]] = {}
    for start in range(0, len(names), WEIGHED):
        part = names[start : start + WEIGHED]
        pipeline = client.pipeline(transaction=False)
        for name in part:
            pipeline.memory_usage(name, samples=SAMPLES)
            pipeline.object("ENCODING", name)
        answers = pipeline.execute()
        for name, size, encoding in zip(part, answers[::2], answers[1::2], strict=True):
            weights[name] = (size or 0, _text(encoding or b""))
    return weights


def _spread(names: list[bytes]) -> list[bytes]:
    """At most WEIGHED of `names`, from all over."""
    return names[:: -(-len(names) // WEIGHED)] if names else []


def _sort(names: Iterable[bytes], kinds: list[_Kind]) -> dict[_Kind, list[bytes]]:
    found: dict[_Kind, list[bytes]] = defaultdict(list)
    unknown = _Kind(UNKNOWN, UNKNOWN, re.compile(""))
    for name in names:
        text = _text(name)
        found[next((kind for kind in kinds if kind.names.match(text)), unknown)].append(name)
    return found


def _kinds() -> list[_Kind]:
    """Every kind of key that the product declares or knows of libraries, the most specific names first."""
    patterns = [
        _Kind(one.template, _feature(one.owner), _regex(one.template), one) for one in set(KeyPattern.registered)
    ]
    return [
        *sorted(patterns, key=lambda kind: (-len(re.sub(r"{\w+}", "", kind.name)), kind.name)),
        *(_Kind(glob, owner, re.compile(fnmatch.translate(glob))) for glob, owner in LIBRARIES.items()),
    ]


def _feature(owner: str) -> str:
    """The part of the product that a module belongs to: "outbox" of recsys.outbox.wakeup."""
    return owner.removeprefix("recsys.").partition(".")[0]


def _regex(template: str) -> re.Pattern[str]:
    literals = re.split(r"{\w+}", template)
    return re.compile(".+".join(re.escape(literal) for literal in literals) + r"\Z", re.DOTALL)


def _text(name: bytes) -> str:
    return name.decode(errors="backslashreplace")
