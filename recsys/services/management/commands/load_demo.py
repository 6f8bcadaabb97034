from __future__ import annotations

import time
from argparse import ArgumentParser, ArgumentTypeError
from dataclasses import fields
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError

from recsys.demo.community import DemoSize
from recsys.demo.load import DemoRefusedError, load_demo
from recsys.demo.logins import DEMO_PASSWORD, describe_logins

# What each size may be: from, to. The people and the items are held in memory, the rest is streamed.
BOUNDS = {
    "users": (1, 1_000_000),
    "items": (1, 1_000_000),
    "interactions": (0, 100_000_000),
    "posts": (0, 10_000_000),
    "follows": (0, 50_000_000),
    "seed": (0, 2**32),
}
HELP = {
    "seed": "the same seed gives the same community (%(default)s)",
    "follows": "about how many follows (%(default)s)",
}


class Command(BaseCommand):
    help = "Load a generated community: people with tastes, items, interactions, a social graph and posts."

    def add_arguments(self, parser: ArgumentParser) -> None:
        for field in fields(DemoSize):
            parser.add_argument(
                f"--{field.name}",
                type=_number(*BOUNDS[field.name]),
                default=field.default,
                help=HELP.get(field.name, f"how many {field.name} (%(default)s)"),
            )
        parser.add_argument("--force", action="store_true", help="also beside other users and items; deletes nothing")
        parser.add_argument("--password", help="of the logins; required in production, as the usual one is public")
        parser.add_argument("--no-train", action="store_true", help="leave the models to `manage.py train`")

    def handle(self, *args: Any, **options: Any) -> None:
        password = options["password"] or DEMO_PASSWORD
        if not options["password"] and settings.SECURE_SSL_REDIRECT:
            raise CommandError(
                "These are production settings, and the demo's password is public. Choose another with --password."
            )
        started = time.monotonic()
        size = DemoSize(**{field.name: options[field.name] for field in fields(DemoSize)})
        try:
            report = load_demo(size, force=options["force"], password=password, progress=options["verbosity"] > 0)
        except DemoRefusedError as error:
            raise CommandError(str(error)) from error
        parts = {"users": report.users, "items": report.items, "interactions": report.interactions, **report.extra}
        counts = ", ".join(f"{count:,} {name}" for name, count in parts.items())
        self.stdout.write(f"Loaded {counts} in {time.monotonic() - started:.1f} s.")
        if not options["no_train"]:
            call_command("train", stdout=self.stdout)
        self.stdout.write("\n".join(["Log in as one of", *describe_logins(password)]))


def _number(least: int, most: int) -> Any:
    def number(text: str) -> int:
        if not text.isdecimal() or not least <= int(text) <= most:
            raise ArgumentTypeError(f"{text!r} is not a whole number from {least:,} to {most:,}")
        return int(text)

    return number
