"""Bring the database up to date, and with --demo fill an empty one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.contrib.auth import get_user_model
from django.core.management import call_command
from django.core.management.base import BaseCommand

from recsys.catalog.models import Item
from recsys.demo.logins import DEMO_LOGINS, describe_logins
from recsys.services.commands import positive

SIZES = ("users", "items", "interactions")


class Command(BaseCommand):
    help = __doc__ or ""

    def add_arguments(self, parser: Any) -> None:
        parser.add_argument("--demo", action="store_true", help="load the demo where there are no users and no items")
        parser.add_argument("--welcome", type=Path, help="file for the demo's logins; emptied where there is no demo")
        for name in SIZES:
            parser.add_argument(f"--{name}", type=positive, help=f"how many {name} the demo has")

    def handle(self, **options: Any) -> None:
        self.stdout.write("Bringing the database up to date")
        call_command("migrate", interactive=False, verbosity=max(0, options["verbosity"] - 1))
        users = get_user_model().objects
        if options["demo"] and not users.exists() and not Item.objects.exists():
            sizes = {name: options[name] for name in SIZES if options[name] is not None}
            call_command("load_demo", **sizes)
        if options["welcome"]:
            has_demo = users.filter(username=DEMO_LOGINS[0].username).exists()
            options["welcome"].write_text("\n".join(describe_logins()) if has_demo else "")
