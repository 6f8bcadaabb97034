"""Reads: what an experiment has found so far."""

from __future__ import annotations

from dataclasses import dataclass

from django.db import connection

from recsys.experiments.models import Experiment


@dataclass(frozen=True)
class VariantReport:
    """What the users exposed to one variant did from their first exposure to the experiment's end (or now)."""

    key: str
    weight: int
    exposures: int
    clicks: int
    likes: int
    users_who_clicked: int

    @property
    def share_who_clicked(self) -> float | None:
        """Users who clicked per user exposed; None where nobody was exposed."""
        return self.users_who_clicked / self.exposures if self.exposures else None


_REPORT = """
    SELECT v.key, v.weight, count(e.id), coalesce(sum(did.clicks), 0)::bigint, coalesce(sum(did.likes), 0)::bigint,
           count(*) FILTER (WHERE did.clicks > 0)
    FROM experiments_variant v
    LEFT JOIN experiments_exposure e ON e.variant_id = v.id
    LEFT JOIN LATERAL (
        SELECT count(*) FILTER (WHERE i.kind = 'click') AS clicks, count(*) FILTER (WHERE i.kind = 'like') AS likes
        FROM events_interaction i
        WHERE i.user_id = e.user_id AND i.occurred_at >= e.first_at AND i.occurred_at < coalesce(%(end)s, now())
    ) did ON true
    WHERE v.experiment_id = %(experiment)s
    GROUP BY v.id ORDER BY v.id
"""


def report(experiment: Experiment) -> list[VariantReport]:
    """Exposures and what followed them by variant, in the variants' order; one query."""
    with connection.cursor() as cursor:
        cursor.execute(_REPORT, {"experiment": experiment.pk, "end": experiment.stopped_at})
        return [VariantReport(*row) for row in cursor.fetchall()]
