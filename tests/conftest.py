"""One embedded PostgreSQL and Valkey for the whole test run; each xdist worker has databases of its own in both."""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, ClassVar

import hypothesis
import pytest
import redis
from django.conf import settings
from django.db import connection
from django.test import TransactionTestCase
from xdist.scheduler import LoadScopeScheduling  # type: ignore[import-untyped]

from recsys.services.embedded import EmbeddedServices
from recsys.services.valkey import DATABASES

# Deadlines and slow generation measure the machine, not the code. CI tries the same examples each time; elsewhere each
# run tries new ones.
hypothesis.settings.register_profile(
    "tributary",
    deadline=None,
    suppress_health_check=[hypothesis.HealthCheck.too_slow],
    derandomize=bool(os.environ.get("CI")),
)
hypothesis.settings.load_profile("tributary")


@pytest.hookimpl(tryfirst=True)
def pytest_sessionstart(session: pytest.Session) -> None:
    """Start the services before the first worker is, and stop them after the last has ended, however the run ends."""
    config = session.config
    if hasattr(config, "workerinput") or config.option.collectonly:
        return
    if (config.getoption("numprocesses", 0) or 0) > DATABASES // 2 - 1:
        raise pytest.UsageError(
            f"At most {DATABASES // 2 - 1} workers: each has two of Valkey's {DATABASES} databases."
        )
    directory = Path(os.environ["TRIBUTARY_TEST_DIR"])
    _remove_abandoned(directory.parent)
    services = EmbeddedServices(directory, durable=False)
    services.start()
    config.add_cleanup(lambda: shutil.rmtree(directory, ignore_errors=True))
    config.add_cleanup(services.stop)  # the last added is called first


# A new database holds Django's tables of models and permissions, which no test changes, and what
# feeds/migrations/0002_pull_authors.py puts there. Deleting rows costs a tenth of Django's TRUNCATE of all tables.
TO_A_NEW_DATABASE = """
    DO $$
    DECLARE one record;
    BEGIN
        PERFORM set_config('session_replication_role', 'replica', true);  -- no triggers, and no order among the tables
        FOR one IN
            SELECT oid::regclass AS name, pg_relation_size(oid) > 1 << 20 AS is_large FROM pg_class
            WHERE relnamespace = 'public'::regnamespace AND relkind = 'r'
                AND relname NOT IN ('django_migrations', 'django_content_type', 'auth_permission')
        LOOP
            EXECUTE format(CASE WHEN one.is_large THEN 'TRUNCATE %s CASCADE' ELSE 'DELETE FROM %s' END, one.name);
        END LOOP;
        INSERT INTO feeds_fanoutpolicy (id, celebrity_threshold, lower_bound) VALUES (1, 10000, 8000);
    END $$
"""


class ByFile(LoadScopeScheduling):
    """Gives whole files to workers, so that what a file shares is made once.

    Files that run the whole site, those that kill its processes, those that drive a browser alone, and the benches go
    to one worker for each kind: more of a kind at a time would only slow one another down, and those that kill and the
    benches mostly wait. They come first, as they take longest: the benches use no database and would be last, and one
    worker busy with them long after the others. (xdist's own groups have no effect with this version of pytest, which
    keeps the ids of tests elsewhere.)
    """

    TOGETHER: ClassVar[dict[str, tuple[str, ...]]] = {
        "flows": ("tests/flows/",),
        "kills": ("tests/faults/", "tests/services/test_up.py"),
        "browsers": (
            "tests/realtime/browser/",
            "tests/web/test_browser.py",
            "tests/web/test_page_scripts.py",
            "tests/partners/test_docs.py",
        ),
        "benches": ("tests/bench/test_command.py",),
    }

    def __init__(self, config: pytest.Config, log: Any) -> None:
        config.option.loadscopereorder = False  # by the number of their tests, which says little
        super().__init__(config, log)

    def _split_scope(self, nodeid: str) -> str:
        return self.scope_of(nodeid)

    @classmethod
    def scope_of(cls, nodeid: str) -> str:
        file = nodeid.split("::", 1)[0]
        return next((name for name, paths in cls.TOGETHER.items() if file.startswith(paths)), file)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.getoption("numprocesses", None) or hasattr(config, "workerinput"):
        order = {scope: place for place, scope in enumerate(ByFile.TOGETHER)}
        items.sort(key=lambda item: order.get(ByFile.scope_of(item.nodeid), len(order)))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> ByFile:
    return ByFile(config, log)


def _remove_abandoned(parent: Path) -> None:
    """Remove the directories of runs that were killed: nobody holds their lock."""
    for lock in parent.glob("tributary-test-*/lock"):
        try:
            if time.time() - lock.stat().st_mtime < 60:
                continue  # another run may be about to take it
            with lock.open() as handle:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(lock.parent, ignore_errors=True)
        except OSError:
            continue


@pytest.fixture(scope="session", autouse=True)
def _flush_to_a_new_database() -> Iterator[None]:
    """After a transactional test the next one finds what a new database holds."""

    def flush(case: TransactionTestCase) -> None:
        with connection.cursor() as cursor:
            cursor.execute(TO_A_NEW_DATABASE)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(TransactionTestCase, "_fixture_teardown", flush)
        yield


@pytest.fixture(scope="session")
def open_directory() -> Iterator[Callable[[], Path]]:
    """Makes temporary directories that the account of an embedded PostgreSQL can enter, which pytest's own are not."""
    made: list[Path] = []

    def make() -> Path:
        made.append(Path(tempfile.mkdtemp(prefix="tributary-open-")))
        made[-1].chmod(0o711)
        return made[-1]

    yield make
    for directory in made:
        shutil.rmtree(directory, ignore_errors=True)


@pytest.fixture(scope="session")
def _valkey_clients() -> Iterator[list[redis.Redis]]:
    broker = settings.CELERY_BROKER_URL.replace("redis+socket", "unix").replace("virtual_host", "db")
    clients = [redis.Redis.from_url(url) for url in (settings.REDIS_URL, broker)]
    yield clients
    for client in clients:
        client.close()


@pytest.fixture(autouse=True)
def _empty_valkey(_valkey_clients: list[redis.Redis]) -> None:
    """Every test begins with an empty Valkey, as every test begins with its own transaction."""
    for client in _valkey_clients:
        client.flushdb()


@pytest.fixture
def valkey(_valkey_clients: list[redis.Redis]) -> redis.Redis:
    """A client of this test's own Valkey database, which is empty."""
    return _valkey_clients[0]


@pytest.fixture
def process_env(db: None) -> dict[str, str]:
    """The environment in which a real process (`manage.py relay`, say) works on this test's database and Valkey.

    Such a process sees what is committed, so the test needs `django_db(transaction=True)`.
    """
    paths_query = f"?host={settings.DATABASES['default']['HOST']}"
    name = settings.DATABASES["default"]["NAME"]
    inherited = {key: value for key, value in os.environ.items() if not key.startswith(("PYTEST_", "COV_"))}
    return inherited | {
        "DJANGO_SETTINGS_MODULE": "recsys.settings.dev",
        "DATABASE_URL": f"postgres://tributary@/{name}{paths_query}",
        "REDIS_URL": settings.REDIS_URL,
        "CELERY_BROKER_URL": settings.CELERY_BROKER_URL,
    }


@pytest.fixture
def drain_outbox(db: None) -> Callable[[], int]:
    """Handle all that is due now, in this process, and raise what a handler raises: `drain_outbox()`."""
    from recsys.outbox.testing import drain

    return drain
