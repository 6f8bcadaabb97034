"""Run the whole product on this machine: services, migrations, demo data on the first run, all processes."""

from __future__ import annotations

import sys
from argparse import Namespace
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from recsys.services import up
from recsys.services.errors import ServiceError


class Command(BaseCommand):
    """`manage.py` itself goes straight to `recsys.services.up`; this is for the help, and for django-admin."""

    help = __doc__ or ""
    requires_system_checks = []

    def add_arguments(self, parser: Any) -> None:
        up.add_arguments(parser)

    def handle(self, **options: Any) -> None:
        try:
            sys.exit(up.run(Namespace(**options)))
        except ServiceError as error:
            raise CommandError(str(error)) from error
