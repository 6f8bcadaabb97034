from __future__ import annotations

import time
from argparse import ArgumentParser, RawDescriptionHelpFormatter
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import OperationalError

from recsys.imports.errors import ImportFileError, ImportRefusedError
from recsys.imports.formats import describe_formats
from recsys.imports.report import Report, report_to
from recsys.imports.run import ImportOptions, run_import


class Command(BaseCommand):
    help = "Load a file into the database, all of it or nothing. docs/imports.md describes the formats."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.formatter_class = RawDescriptionHelpFormatter
        parser.epilog = "\n".join(["formats:", *describe_formats()])
        parser.add_argument("format", metavar="FORMAT", help="the name of a format, see below")
        parser.add_argument("path", metavar="PATH", type=Path, help="what to load; files may be gzipped")
        parser.add_argument("--skip-bad", action="store_true", help="load the good rows although others are bad")
        parser.add_argument("--dry-run", action="store_true", help="do and check everything, then undo it")
        parser.add_argument("--report", metavar="FILE", type=Path, help="write every bad row to FILE, as CSV")

    def handle(self, *args: Any, **options: Any) -> None:
        wanted = ImportOptions(
            options["format"], options["path"], options["skip_bad"], options["dry_run"], shown=options["verbosity"] > 0
        )
        started = time.monotonic()
        try:
            with report_to(options["report"]) as report:
                self._run(wanted, report)
        except ImportFileError as error:
            raise CommandError(f"{error}\nNothing was changed.") from error
        except KeyboardInterrupt as error:
            raise CommandError("Interrupted. Nothing was changed.") from error
        except OperationalError as error:
            raise CommandError(f"The database failed: {str(error).strip()}\nNothing was changed.") from error
        self._tell(wanted, report, time.monotonic() - started)

    def _run(self, wanted: ImportOptions, report: Report) -> None:
        try:
            run_import(wanted, report)
        except ImportRefusedError as error:
            self.stderr.write("\n".join(report.bad_lines()))
            raise CommandError(
                f"{report.bad_rows:,} bad rows, so nothing was changed. Mend them, or load the others with --skip-bad."
            ) from error

    def _tell(self, wanted: ImportOptions, report: Report, seconds: float) -> None:
        if report.bad_rows:
            self.stderr.write("\n".join(report.bad_lines()))
        for kind, tally in report.tallies.items():
            self.stdout.write(f"{kind}: {tally}")
        if report.bad_rows:
            self.stdout.write(f"bad rows: {report.bad_rows:,} skipped")
        if wanted.dry_run:
            self.stdout.write(f"A dry run of {seconds:.1f} s: all of this was undone.")
            return
        self.stdout.write("\n".join([f"Done in {seconds:.1f} s.", *report.notes]))
