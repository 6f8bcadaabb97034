"""Measure: run one of the benchmarks on fresh services of its own, and print a table and one line of JSON."""

from __future__ import annotations

import os
import sys
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from recsys.bench.fresh import run_on_fresh_services
from recsys.bench.load import ForeignLoad
from recsys.bench.result import BenchOptions, BenchResult


class Command(BaseCommand):
    help = __doc__ or ""

    def add_arguments(self, parser: Any) -> None:
        parser.add_argument("name", choices=sorted(settings.BENCHES), help="which one")
        parser.add_argument("path", nargs="?", type=Path, help="the folder of the data, for `quality`")
        parser.add_argument(
            "--format",
            choices=["checkins", "follows", "lightgcn", "movielens", "sessions"],
            help="of the data (by its files)",
        )
        parser.add_argument("--json", action="store_true", help="print the line of JSON alone")
        parser.add_argument("--here", action="store_true", help="use the configured services (and leave data there)")
        parser.add_argument("--runs", type=int, default=3, help="repetitions; the median counts (%(default)s)")
        parser.add_argument("--scale", type=float, default=1.0, help="times the usual amount of work (%(default)s)")

    def handle(self, **options: Any) -> None:
        if options["runs"] < 1 or not 0 < options["scale"] <= 100:
            raise CommandError("--runs is at least 1, and --scale is above 0 and at most 100.")
        bench = import_module(settings.BENCHES[options["name"]])
        if not options["here"] and getattr(bench, "SERVICES", True):
            # The processes of a bench may need more than the product has (recsys/bench/settings.py).
            os.environ["DJANGO_SETTINGS_MODULE"] = "recsys.bench.settings"
            sys.exit(run_on_fresh_services([*sys.argv[1:], "--here"]))
        load = ForeignLoad()
        result = self._measure(bench, options)
        result.details.setdefault("runs", options["runs"])
        result.details.setdefault("foreign_cpu", load.cores())
        if not options["json"]:
            self.stdout.write(result.to_table(options["name"]))
        self.stdout.write(result.to_json(options["name"]))

    def _measure(self, bench: ModuleType, options: dict[str, Any]) -> BenchResult:
        def say(text: str) -> None:
            if not options["json"]:
                self.stderr.write(text)

        asked = BenchOptions(options["runs"], options["scale"], say, options["path"], options["format"])
        result: BenchResult = bench.run(asked)
        return result
