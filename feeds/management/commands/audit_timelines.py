from __future__ import annotations

import json
import time
from argparse import ArgumentParser
from collections.abc import Iterable
from dataclasses import asdict
from itertools import chain
from typing import Any

import redis
from django.core.management.base import BaseCommand, CommandError

from feeds import timelines
from feeds.audit import DRIFTS, SURPLUS, Findings, audit_readers
from feeds.audit_runs import SAMPLE, WALKED, every_reader, note
from feeds.counters import audit_counters
from recsys.accounts.models import User

SHOWN = 20


class Command(BaseCommand):
    help = (
        "Compare cached timelines (and with --counters, derived columns) with SQL. The exit status is 1 where something"
        " differed and was not repaired."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        which = parser.add_mutually_exclusive_group()
        which.add_argument("--sample", metavar="N", type=int, default=SAMPLE, help="about N readers with a warm window")
        which.add_argument("--all", action="store_true", help="every reader with a warm window")
        which.add_argument("--user", metavar="NAME", help="one reader, by username")
        parser.add_argument("--pages", metavar="N", type=int, default=100, help="compare N first pages too (100)")
        parser.add_argument("--counters", action="store_true", help="also the columns that triggers keep")
        parser.add_argument("--repair", action="store_true", help="drop wrong windows, and correct wrong columns")
        parser.add_argument("--json", action="store_true", help="print one JSON object and nothing else")

    def handle(self, *args: Any, **options: Any) -> None:
        for name in ("sample", "pages"):
            if options[name] < (name == "sample"):
                raise CommandError(f"--{name} {options[name]}: a number from {int(name == 'sample')} on is wanted.")
        started = time.monotonic()
        repair = options["repair"]
        try:
            findings = self._audit(self._readers(options), options)
        except redis.RedisError as error:
            raise CommandError(f"Valkey does not answer ({error}), so there are no windows to compare.") from error
        counters = audit_counters(repair=repair) if options["counters"] else {}
        note(findings)
        self._tell(findings, counters, time.monotonic() - started, as_json=options["json"])
        if (findings.drifts or any(counters.values())) and not repair:
            self.stderr.write("Something differed; --repair mends it.")
            raise SystemExit(1)

    def _readers(self, options: dict[str, Any]) -> Iterable[int]:
        if options["user"]:
            user = User.objects.filter(username=options["user"]).first()
            if user is None:
                raise CommandError(f"There is nobody of the username {options['user']!r}.")
            return [user.pk]
        if options["all"]:
            return every_reader()
        return timelines.find_readers(cursor=0, most=options["sample"], walked=WALKED)[0]

    def _audit(self, readers: Iterable[int], options: dict[str, Any]) -> Findings:
        findings = Findings()
        shown = not options["json"] and options["verbosity"] > 0 and self.stderr.isatty()
        kinds = DRIFTS | {SURPLUS} if options["repair"] else frozenset[str]()
        for findings in audit_readers(readers, pages=options["pages"], repair=kinds):
            if shown:
                self.stderr.write(f"\r{findings.readers:,} readers, {findings.windows:,} windows", ending="")
        if shown:
            self.stderr.write("")
        return findings

    def _tell(self, findings: Findings, counters: dict[str, int], seconds: float, *, as_json: bool) -> None:
        drifts = [
            {"kind": one.kind, "window": one.window.name, "posts": list(one.posts[:SHOWN])}
            for one in findings.drifts[:SHOWN]
        ]
        counts = {name: value for name, value in asdict(findings).items() if isinstance(value, int)}
        if as_json:
            said = {**counts, "drift": findings.kinds, "drifts": drifts, "counters": counters, "seconds": seconds}
            self.stdout.write(json.dumps(said))
            return
        rows = chain(
            counts.items(),
            ((f"drift: {kind}", posts) for kind, posts in findings.kinds.items()),
            ((f"wrong {name}", number) for name, number in counters.items()),
        )
        for name, value in rows:
            self.stdout.write(f"{name:<32}{value:>12,}")
        for one in drifts:
            self.stdout.write(f"{one['kind']} in {one['window']}: {', '.join(map(str, one['posts']))}")
        self.stdout.write(f"{'Drift was found' if drifts else 'No drift'}; {seconds:.1f} s.")
