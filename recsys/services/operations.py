"""The operations panel: a few figures for staff, each shown to those who may see where it comes from."""

from __future__ import annotations

from dataclasses import dataclass

from django.conf import settings
from django.contrib.auth.models import AnonymousUser
from django.db import connection
from django.template.defaultfilters import filesizeformat
from django.urls import reverse
from django.utils.module_loading import import_string

from recsys.accounts.models import User
from recsys.outbox.selectors import backlog, relay_lag
from recsys.recommend.models import ModelVersion
from recsys.services.memory import find_memory

LATE = 60.0  # seconds of relay lag from which staff should look
GLANCE = 500  # keys of Valkey that a front page looks at

# reltuples is what the last ANALYZE found, -1 before the first one; counting would read whole tables for a front page.
_ESTIMATE = """
    SELECT coalesce(sum(greatest(c.reltuples, 0)), 0)::bigint
    FROM pg_class c
    WHERE c.relkind = 'r' AND (c.oid = %(table)s::regclass
                               OR c.oid IN (SELECT relid FROM pg_partition_tree(%(table)s::regclass)))
"""


@dataclass(frozen=True)
class Figure:
    """One line of the panel; `alarm` where somebody should look into it."""

    name: str
    value: str
    url: str
    alarm: bool = False


def operations(user: User | AnonymousUser) -> list[Figure]:
    """The figures that `user` has the right to see, in the order in which one asks."""
    figures: list[Figure] = []
    if user.has_perm("outbox.view_outboxrow"):
        figures += _outbox()
        figures.append(_memory())
    if user.has_perm("recommend.view_modelversion"):
        figures.append(_models())
    for name in settings.OPERATION_FIGURES:
        figures += import_string(name)(user)
    for name, permission, table, url in (
        ("Users", "accounts.view_user", "accounts_user", "admin:accounts_user_changelist"),
        ("Items", "catalog.view_item", "catalog_item", "admin:catalog_item_changelist"),
        ("Interactions", "events.view_interaction", "events_interaction", "admin:events_interactions"),
    ):
        if user.has_perm(permission):
            figures.append(Figure(f"{name}, about", f"{_estimate(table):,}", reverse(url)))
    return figures


def _outbox() -> list[Figure]:
    url = reverse("admin:outbox_outboxrow_changelist")
    counts = backlog().values()
    waiting = sum(states.get("due", 0) + states.get("leased", 0) for states in counts)
    parked = sum(states.get("parked", 0) for states in counts)
    lag = relay_lag()
    return [
        Figure("Changes waiting or being handled", f"{waiting:,}", url),
        Figure("Relay lag", f"{lag:.1f} s", f"{url}?state=due", alarm=lag > LATE),
        Figure("Parked after failing", f"{parked:,}", f"{url}?state=parked", alarm=parked > 0),
    ]


def _memory() -> Figure:
    memory, name, url = find_memory(limit=GLANCE), "Memory of Valkey", reverse("admin:memory")
    if memory is None:
        return Figure(name, "does not answer", url, alarm=True)
    return Figure(name, filesizeformat(memory.used), url, alarm=bool(memory.too_large))


def _models() -> Figure:
    serving = ModelVersion.objects.filter(status=ModelVersion.Status.SERVING).order_by("kind")
    named = [f"{kind} {pk}" for kind, pk in serving.values_list("kind", "pk")]
    url = reverse("admin:recommend_modelversion_changelist")
    return Figure("Serving models", ", ".join(named) or "none yet", url, alarm=not named)


def _estimate(table: str) -> int:
    with connection.cursor() as cursor:
        cursor.execute(_ESTIMATE, {"table": table})
        return int(cursor.fetchone()[0])
