"""The partitions of the interactions: made before they are needed, dropped when retention ends.

A month has a partition of its own. A year that had ended before retention began (an import of history) has one for the
whole year, because every query plans over all partitions.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from django.conf import settings
from django.db import connection, transaction

TABLE = "events_interaction"
MONTHS_AHEAD = 2
EARLIEST = datetime(1970, 1, 1, tzinfo=UTC)
_LOCK = 7_301_001  # the advisory lock of whoever changes the set of partitions
_NAME = re.compile(rf"{TABLE}_y(\d{{4}})(?:m(\d\d))?")


@dataclass(frozen=True, order=True)
class Period:
    """A year (month 0) or one month of it."""

    year: int
    month: int = 0

    @classmethod
    def month_of(cls, moment: datetime) -> Period:
        moment = moment.astimezone(UTC)
        return cls(moment.year, moment.month)

    @property
    def name(self) -> str:
        return f"{TABLE}_y{self.year:04}" + (f"m{self.month:02}" if self.month else "")

    @property
    def start(self) -> datetime:
        return datetime(self.year, self.month or 1, 1, tzinfo=UTC)

    @property
    def end(self) -> datetime:
        """The first moment after it."""
        return self.plus(1).start if self.month else datetime(self.year + 1, 1, 1, tzinfo=UTC)

    def plus(self, months: int) -> Period:
        """The month that many months later (earlier, if negative)."""
        number = self.year * 12 + self.month - 1 + months
        return Period(number // 12, number % 12 + 1)


def retention_start(now: datetime | None = None) -> datetime:
    """The first moment of the oldest month that retention keeps."""
    return Period.month_of(now or datetime.now(UTC)).plus(-settings.INTERACTION_RETENTION_MONTHS).start


def ensure_partitions(first: datetime, last: datetime, *, now: datetime | None = None) -> list[str]:
    """Make the partitions that the interval from `first` to `last` lacks; return their names.

    Safe to be called by many at once; a call that finds nothing missing takes no lock. ValueError for times that no
    partition will ever be made for (before 1970, or more than a year ahead).
    """
    now = now or datetime.now(UTC)
    if first < EARLIEST or last > Period.month_of(now).plus(12).end:
        raise ValueError("Interactions must have happened after 1970, and not more than a year ahead of now.")
    months = list(_months(first, last))
    if not _missing(months, existing_partitions()):
        return []
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])
        return [_create(period) for period in _plan(months, existing_partitions(), retention_start(now))]


def ensure_coming_partitions(now: datetime | None = None) -> list[str]:
    """Make the partitions of this month and the next few."""
    now = now or datetime.now(UTC)
    return ensure_partitions(now, Period.month_of(now).plus(MONTHS_AHEAD).start, now=now)


def drop_expired(now: datetime | None = None) -> list[str]:
    """Drop the partitions whose time is past retention, and return their names.

    Not one that received something within retention: what was imported yesterday is kept as long as what happened
    yesterday, however old it is. OperationalError where long queries hold it up: others are not made to wait behind
    them, and the next run drops it.
    """
    start = retention_start(now)
    expired = [period for period in sorted(existing_partitions()) if period.end <= start]
    return [period.name for period in expired if _drop_unless_received_since(period, start)]


def existing_partitions() -> set[Period]:
    """All partitions there are."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = %s::regclass", [TABLE])
        names = [_NAME.fullmatch(name.split(".")[-1]) for (name,) in cursor.fetchall()]
    return {Period(int(name[1]), int(name[2] or 0)) for name in names if name}


def _months(first: datetime, last: datetime) -> Iterator[Period]:
    month = Period.month_of(first)
    while month <= Period.month_of(last):
        yield month
        month = month.plus(1)


def _missing(months: list[Period], existing: set[Period]) -> list[Period]:
    return [month for month in months if month not in existing and Period(month.year) not in existing]


def _plan(months: list[Period], existing: set[Period], start: datetime) -> list[Period]:
    """The partitions to make: whole years where they ended before `start` and hold no month yet, else months."""
    split = {period.year for period in existing if period.month}
    return sorted(
        {
            Period(month.year) if Period(month.year).end <= start and month.year not in split else month
            for month in _missing(months, existing)
        }
    )


def _create(period: Period) -> str:
    # Made apart and then attached: CREATE TABLE … PARTITION OF would lock out every reader of the whole table.
    with connection.cursor() as cursor:
        cursor.execute(f"CREATE TABLE {period.name} (LIKE {TABLE} INCLUDING DEFAULTS INCLUDING CONSTRAINTS)")
        cursor.execute(
            f"ALTER TABLE {TABLE} ATTACH PARTITION {period.name} FOR VALUES FROM (%s) TO (%s)",
            [period.start, period.end],
        )
    return period.name


@transaction.atomic
def _drop_unless_received_since(period: Period, moment: datetime) -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL lock_timeout = '5s'")
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])
        cursor.execute(f"LOCK TABLE {TABLE} IN ACCESS EXCLUSIVE MODE")
        cursor.execute(f"SELECT EXISTS (SELECT 1 FROM {period.name} WHERE received_at >= %s)", [moment])  # noqa: S608
        if cursor.fetchone()[0]:
            return False
        cursor.execute(f"DROP TABLE {period.name}")
    return True
