"""The tests: embedded services of their own, which tests/conftest.py starts, and cheap password hashes.

The addresses follow from the name of a directory, so they are known before anything runs. The first process to load
this (the test run, not its xdist workers) chooses the name and hands it on in the environment.
"""

import os
import secrets
from pathlib import Path

from recsys.services.paths import ServicePaths

_directory = os.environ.setdefault(
    "TRIBUTARY_TEST_DIR",
    f"/tmp/tributary-test-{os.getpid()}-{secrets.token_hex(4)}",  # noqa: S108
)
_paths = ServicePaths(Path(_directory))
_worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))

# Never the services that the developer's own environment may name. pytest-django adds the worker to the
# database's name.
os.environ["TRIBUTARY_DATA_DIR"] = _directory
os.environ["DATABASE_URL"] = _paths.database_url
os.environ["REDIS_URL"] = _paths.valkey_url(2 + 2 * _worker)
os.environ["CELERY_BROKER_URL"] = _paths.celery_url(3 + 2 * _worker)
os.environ["SECRET_KEY"] = "tests only, and long enough to please the checks of Django: 0123456789"  # noqa: S105

from recsys.settings.base import *  # noqa: E402, F403

# No request keeps a connection, as with 0; but with 0 nothing would be prepared (recsys/prepared.py), and the product
# prepares what takes longer to plan than to run.
DATABASES["default"]["CONN_MAX_AGE"] = 1e-6  # noqa: F405
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}
# Nothing is collected for a test run: find static files where they are, instead of warning of an empty directory.
WHITENOISE_AUTOREFRESH = True
