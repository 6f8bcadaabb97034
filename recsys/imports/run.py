"""Run an import: all in one transaction, which bad rows undo unless they are to be skipped."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from django.db import connection, transaction

from recsys.events.heat import rebuild_heat
from recsys.imports.copying import analyze
from recsys.imports.errors import ImportFileError, ImportRefusedError
from recsys.imports.formats import Job, get_format
from recsys.imports.report import Report

_LOCK = 7_304_001  # the advisory lock of whoever imports: two at once could both store what neither sees of the other


@dataclass(frozen=True)
class ImportOptions:
    """What is imported and how. `dry_run` does all of it, checks of the database included, and then undoes it."""

    format: str
    path: Path
    skip_bad: bool = False
    dry_run: bool = False
    shown: bool = False


def run_import(options: ImportOptions, report: Report) -> None:
    """Import a file, and fill `report`.

    ImportRefusedError where rows are bad and not to be skipped, ImportFileError where the file as a whole is wrong.
    Then nothing was changed.
    """
    chosen = get_format(options.format)
    with transaction.atomic():
        _lock()
        chosen.load(options.path, Job(report, options.shown))
        if report.bad_rows and not options.skip_bad:
            raise ImportRefusedError
        history = report.tallies.get("interactions")
        if history and history.created:
            rebuild_heat()
        if options.dry_run:
            transaction.set_rollback(True)
    if not options.dry_run:
        analyze(*chosen.tables)
        if chosen.advice and any(tally.created or tally.updated for tally in report.tallies.values()):
            report.note(chosen.advice)


def _lock() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [_LOCK])
        if not cursor.fetchone()[0]:
            raise ImportFileError("Another import is running. Let it end, and then start this one again.")
