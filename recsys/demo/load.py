"""Write a generated community into the database: all of it or nothing."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
from django.conf import settings
from django.contrib.auth.hashers import make_password
from django.db import connection, transaction
from django.utils.module_loading import import_string
from psycopg.types.json import Jsonb

from recsys.accounts.actions import unusable_password
from recsys.accounts.models import User
from recsys.catalog.models import Item
from recsys.demo.catalogue import generate_catalogue
from recsys.demo.community import HISTORY_DAYS, Catalogue, Community, DemoSize, People
from recsys.demo.history import History
from recsys.demo.logins import DEMO_LOGINS, DEMO_PASSWORD
from recsys.demo.names import REGIONS, draw_name
from recsys.demo.people import generate_people
from recsys.demo.themes import THEMES
from recsys.events.heat import rebuild_heat
from recsys.events.partitions import ensure_partitions
from recsys.imports.copying import analyze, copy_rows, reserve_ids
from recsys.outbox.capture import capture_off

PREFIX = "demo"  # of the external ids of all that is generated
LOADED = ("accounts_user", "catalog_item", "events_interaction", "events_itemheat")


class DemoRefusedError(Exception):
    """The demo is not loaded into this database; the message says why, and what to do."""


@dataclass(frozen=True)
class DemoReport:
    """What was written."""

    users: int
    items: int
    interactions: int
    extra: dict[str, int]


def check_database(*, force: bool) -> None:
    """Raise DemoRefusedError where the demo is loaded already, or (without `force`) where somebody else's data is."""
    if User.objects.filter(external_id__startswith=f"{PREFIX}-").exists():
        raise DemoRefusedError(
            "The demo is loaded already. To load another one, begin with an empty database (another --data-dir, say)."
        )
    names = [login.username for login in DEMO_LOGINS]
    if taken := list(User.objects.filter(username__in=names).values_list("username", flat=True)):
        raise DemoRefusedError(
            f"The demo brings people named {', '.join(names)}, and here {', '.join(sorted(taken))} is somebody else. "
            "Load it into another database."
        )
    if not force and (User.objects.exists() or Item.objects.exists()):
        raise DemoRefusedError(
            "This database holds users or items. The demo would mix its generated people with them; --force does so. "
            "It deletes nothing."
        )


def load_demo(
    size: DemoSize,
    *,
    now: datetime | None = None,
    force: bool = False,
    password: str = DEMO_PASSWORD,
    progress: bool = False,
) -> DemoReport:
    """Generate and write a community of `size` in one transaction. DemoRefusedError where it should not be.

    The same size, seed and `now` give the same community. Models are not trained here: that is `manage.py train`.
    """
    now = now or datetime.now(UTC).replace(microsecond=0)
    with transaction.atomic(), capture_off():
        with connection.cursor() as cursor:
            # Of two that load at the same time, the second finds what the first has loaded.
            cursor.execute("LOCK TABLE accounts_user IN SHARE ROW EXCLUSIVE MODE")
        check_database(force=force)
        community = _generate(size, now, progress)
        _write_people(community, password)
        _write_items(community)
        interactions = _write_history(community)
        rebuild_heat()
        load_community = import_string(settings.DEMO_COMMUNITY)
        extra = load_community(community)
    analyze(*LOADED)
    return DemoReport(size.users, size.items, interactions, extra)


def _generate(size: DemoSize, now: datetime, progress: bool) -> Community:
    user_ids = np.arange(size.users, dtype=np.int64) + reserve_ids(User._meta.db_table, size.users)
    item_ids = np.arange(size.items, dtype=np.int64) + reserve_ids(Item._meta.db_table, size.items)
    taken = User.objects.values_list("username", flat=True)
    people = generate_people(np.random.default_rng([size.seed, 1]), user_ids, taken)
    catalogue = generate_catalogue(np.random.default_rng([size.seed, 2]), item_ids, now)
    return Community(size, people, catalogue, now, progress)


def _write_people(community: Community, password: str) -> None:
    people = community.people
    columns = (
        "id", "external_id", "username", "display_name", "bio", "region", "password",
        "is_superuser", "is_staff", "is_active", "first_name", "last_name", "email", "date_joined",
    )  # fmt: skip
    copy_rows(
        User._meta.db_table, columns, _user_rows(people, community, password),
        label="People", total=len(people), shown=community.progress,
    )  # fmt: skip


def _user_rows(people: People, community: Community, password: str) -> Iterator[tuple[Any, ...]]:
    known = make_password(password)  # one hash for all logins, as hashing is slow on purpose
    joined = community.rng(3).uniform(HISTORY_DAYS, 900, len(people))
    for number, user_id in enumerate(people.ids.tolist()):
        login = DEMO_LOGINS[number] if number < len(DEMO_LOGINS) else None
        staff = login is not None and login.is_staff
        yield (
            user_id, f"{PREFIX}-user-{number + 1}", people.usernames[number], people.display_names[number],
            people.bios[number], REGIONS[people.region[number]], known if login else unusable_password(),
            staff, staff, True,
            "", "", "", community.now - timedelta(days=float(joined[number])),
        )  # fmt: skip


def _write_items(community: Community) -> None:
    columns = (
        "id", "external_id", "kind", "title", "description", "category", "tags", "regions", "url", "image_url",
        "attributes", "is_available", "published_at",
    )  # fmt: skip
    copy_rows(
        Item._meta.db_table, columns, _item_rows(community.catalogue, community.rng(4)),
        label="Items", total=len(community.catalogue), shown=community.progress,
    )  # fmt: skip


def _item_rows(catalogue: Catalogue, rng: np.random.Generator) -> Iterator[tuple[Any, ...]]:
    maker = {"film": "director", "series": "creator", "book": "author"}
    for number, item_id in enumerate(catalogue.ids.tolist()):
        first, second = THEMES[catalogue.first[number]], THEMES[catalogue.second[number]]
        origin = REGIONS[int(rng.integers(len(REGIONS)))]
        allowed = catalogue.allowed[:, number]
        kind = catalogue.kinds[number]
        attributes = {"year": int(catalogue.years[number]), "country": origin, maker[kind]: draw_name(rng, origin)[0]}
        tags = list(dict.fromkeys([first.tag, first.genre.lower(), second.tag]))
        yield (
            item_id, f"{PREFIX}-item-{number + 1}", kind, catalogue.titles[number], catalogue.descriptions[number],
            first.genre, tags, [] if allowed.all() else [REGIONS[region] for region in np.flatnonzero(allowed)],
            "", "", Jsonb(attributes), True, datetime.fromtimestamp(float(catalogue.published[number]), UTC),
        )  # fmt: skip


def _write_history(community: Community) -> int:
    size = community.size
    history = History(community.rng(5), community.people, community.catalogue, size.interactions, community.now)
    ensure_partitions(history.first_at, community.now, now=community.now)
    return copy_rows(
        "events_interaction", ("user_id", "item_id", "kind", "value", "region", "occurred_at"), history,
        label="Interactions", total=size.interactions, shown=community.progress,
    )  # fmt: skip
