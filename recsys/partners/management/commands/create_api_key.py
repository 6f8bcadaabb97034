from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from recsys.partners.actions import ClientError, do_create_client, do_create_key


class Command(BaseCommand):
    help = (
        "Make an API key for the client NAME (which is made too where it is new), and print it: it is shown only once."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("name", help="the client's name, such as 'Web shop'")
        parser.add_argument(
            "--scopes",
            default="read,write",
            help="comma-separated, of read and write (default: both)",
            metavar="SCOPES",
        )
        parser.add_argument(
            "--requests-per-minute", type=int, default=6000, help="a new client's allowance (default: 6000)"
        )

    def handle(self, *, name: str, scopes: str, requests_per_minute: int, **options: Any) -> None:
        wanted = [scope.strip() for scope in scopes.split(",") if scope.strip()]
        try:
            client = do_create_client(name=name, requests_per_minute=requests_per_minute)
            created = do_create_key(client=client, scopes=wanted)
        except ClientError as error:
            raise CommandError(str(error)) from error
        if not client.is_active:
            self.stderr.write(f"Note: the client {client.name} is switched off, so its keys are refused.")
        self.stderr.write(f"Key {created.key.prefix} of {client.name} ({', '.join(created.key.scopes)}):")
        self.stdout.write(created.text)
