"""The services of the test run itself are the first proof that they start; here is what they must be like."""

from __future__ import annotations

import pytest
import redis
from django.db import connection


@pytest.mark.django_db
def test_postgresql_has_pgvector_and_byte_order_collation() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT '[1,2]'::vector <-> '[1,4]'::vector, current_setting('server_encoding'), 'Z' < 'a'")
        assert cursor.fetchone() == (2.0, "UTF8", True)


def test_valkey_keeps_nothing_on_disk_and_drops_only_what_expires(valkey: redis.Redis) -> None:
    config = valkey.config_get("save", "maxmemory-policy", "zset-max-listpack-entries", "databases")
    assert config == {
        "save": "",
        "maxmemory-policy": "volatile-lru",
        "zset-max-listpack-entries": "1024",
        "databases": "64",
    }
