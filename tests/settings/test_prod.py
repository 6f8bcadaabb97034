"""The production settings, loaded by a process of their own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
REQUIRED = {
    "SECRET_KEY": "fifty characters and more of what nobody can guess: 7f3a9c1e5b2d",
    "ALLOWED_HOSTS": "example.org",
    "DATABASE_URL": "postgres://nobody@db.invalid/site",
    "REDIS_URL": "redis://valkey.invalid/0",
}


def manage(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    env = {name: value for name, value in os.environ.items() if name in ("PATH", "HOME", "LANG")}
    env |= {"DJANGO_SETTINGS_MODULE": "recsys.settings.prod", "TRIBUTARY_DATA_DIR": "/nonexistent", **variables}
    return subprocess.run(
        [sys.executable, "manage.py", *arguments], cwd=ROOT, env=env, capture_output=True, text=True, timeout=60
    )


def test_the_deployment_check_is_clean() -> None:
    done = manage("check", "--deploy", "--fail-level=WARNING", **REQUIRED)
    assert done.returncode == 0, done.stderr
    assert "no issues" in done.stdout


def test_missing_settings_are_named_without_a_traceback() -> None:
    done = manage("check", SECRET_KEY="x", REDIS_URL="redis://valkey")
    assert done.returncode == 1
    assert "DATABASE_URL: postgres://user:password@host:5432/name" in done.stderr
    assert "ALLOWED_HOSTS" in done.stderr
    assert "REDIS_URL" not in done.stderr
    assert "Traceback" not in done.stderr


def test_a_missing_settings_module_is_named() -> None:
    done = manage("check", DJANGO_SETTINGS_MODULE="recsys.settings.nowhere")
    assert done.returncode == 1
    assert "DJANGO_SETTINGS_MODULE is 'recsys.settings.nowhere'" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_command_says_which_service_it_cannot_reach() -> None:
    done = manage("showmigrations", **REQUIRED)
    assert done.returncode == 1
    assert "PostgreSQL cannot be used at db.invalid: failed to resolve host" in done.stderr
    assert "Start the services with `manage.py up`, or set DATABASE_URL" in done.stderr
    assert "Traceback" not in done.stderr
