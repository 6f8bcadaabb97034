from __future__ import annotations

from argparse import ArgumentParser
from datetime import timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from feeds.rebuild import ACTIVE, rebuild_chunks
from recsys.outbox.actions import do_add_rows


class Command(BaseCommand):
    help = (
        "Fill the timelines of those who have read lately anew, in the background. The product does so by itself after"
        " Valkey has lost its memory; this is for a Valkey that was restored from an old snapshot, say."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        days = ACTIVE.days
        parser.add_argument("--days", type=int, default=days, help=f"who has read in the last so many days ({days})")

    def handle(self, *args: Any, **options: Any) -> None:
        if not 1 <= options["days"] <= 3650:
            raise CommandError("--days is a number from 1 to 3650.")
        rows = rebuild_chunks(since=timedelta(days=options["days"]))
        do_add_rows(rows)
        readers = sum(len(row.payload["readers"]) for row in rows)
        self.stdout.write(f"The timelines of {readers:,} readers are being rebuilt by the workers.")
