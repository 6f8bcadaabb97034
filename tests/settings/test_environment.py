"""Each environment variable is understood, or refused with a sentence that names it and says what to write."""

from __future__ import annotations

import stat
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured

from recsys.settings.environment import Environment

NAMES = ("DATABASE_URL", "REDIS_URL", "CELERY_BROKER_URL", "SECRET_KEY", "CSRF_TRUSTED_ORIGINS", "WEB_THREADS", "FLAG")


@pytest.fixture
def variables(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> pytest.MonkeyPatch:
    """An environment that sets nothing but a data directory."""
    for name in NAMES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TRIBUTARY_DATA_DIR", str(tmp_path / "data"))
    return monkeypatch


def test_without_settings_everything_is_embedded(variables: pytest.MonkeyPatch) -> None:
    env = Environment()
    run_dir = str(env.embedded.run_dir)
    database = env.database()
    assert (database["HOST"], database["NAME"], database["USER"]) == (run_dir, "tributary", "tributary")
    assert env.redis_url() == f"unix://{run_dir}/valkey.sock?db=0"
    assert env.broker_url() == f"redis+socket://{run_dir}/valkey.sock?virtual_host=1"


def test_a_database_elsewhere(variables: pytest.MonkeyPatch) -> None:
    variables.setenv("DATABASE_URL", "postgres://me:p%40ss@db.example.org:6543/site?sslmode=require")
    database = Environment().database()
    assert (database["HOST"], database["PORT"], database["NAME"]) == ("db.example.org", 6543, "site")
    assert (database["USER"], database["PASSWORD"]) == ("me", "p@ss")
    assert database["OPTIONS"]["sslmode"] == "require"
    assert database["ENGINE"] == "django.db.backends.postgresql"


@pytest.mark.parametrize(
    ("redis_url", "broker_url"),
    [
        ("redis://valkey:6379/0", "redis://valkey:6379/0"),
        ("unix:///run/valkey.sock?db=3", "redis+socket:///run/valkey.sock?virtual_host=3"),
    ],
)
def test_the_broker_is_where_the_caches_are_unless_it_is_named(
    variables: pytest.MonkeyPatch, redis_url: str, broker_url: str
) -> None:
    variables.setenv("REDIS_URL", redis_url)
    assert Environment().broker_url() == broker_url
    variables.setenv("CELERY_BROKER_URL", "amqp://rabbit//")
    assert Environment().broker_url() == "amqp://rabbit//"


@pytest.mark.parametrize(
    ("name", "value", "advice"),
    [
        ("DATABASE_URL", "mysql://db/site", "postgres://user:password@host:5432/name"),
        ("DATABASE_URL", "postgres://db:port/site", "postgres://user:password@host:5432/name"),
        ("DATABASE_URL", "postgres://db", "names no database"),
        ("DATABASE_URL", "/var/lib/site.sqlite", "no scheme"),
        ("REDIS_URL", "http://valkey", "redis://host:6379/0"),
        ("CELERY_BROKER_URL", "sqs://", "amqp://user:password@host//"),
        ("CSRF_TRUSTED_ORIGINS", "example.org", "https://example.org"),
        ("CSRF_TRUSTED_ORIGINS", "https://example.org/path", "https://example.org"),
        ("WEB_THREADS", "many", "whole number from 1 up"),
        ("WEB_THREADS", "0", "whole number from 1 up"),
        ("FLAG", "perhaps", "true"),
        ("REDIS_URL", "redis://valkey:6379/main", "databases have numbers"),
        ("ALLOWED_HOSTS", " , ", "names nothing"),
        ("VERIFICATION", "maybe", "one of none, mandatory"),
    ],
)
def test_a_wrong_value_is_refused(variables: pytest.MonkeyPatch, name: str, value: str, advice: str) -> None:
    variables.setenv(name, value)
    env = Environment()
    readers: dict[str, Callable[[], object]] = {
        "DATABASE_URL": env.database,
        "REDIS_URL": env.redis_url,
        "CELERY_BROKER_URL": env.broker_url,
        "CSRF_TRUSTED_ORIGINS": lambda: env.origins("CSRF_TRUSTED_ORIGINS"),
        "WEB_THREADS": lambda: env.number("WEB_THREADS", 8, minimum=1),
        "FLAG": lambda: env.flag("FLAG", default=True),
        "ALLOWED_HOSTS": lambda: env.names("ALLOWED_HOSTS", default=["localhost"]),
        "VERIFICATION": lambda: env.choice("VERIFICATION", "none", ("none", "mandatory")),
    }
    with pytest.raises(ImproperlyConfigured) as caught:
        readers[name]()
    assert name in str(caught.value)
    assert advice in str(caught.value)


def test_an_error_tells_no_password(variables: pytest.MonkeyPatch) -> None:
    variables.setenv("DATABASE_URL", "mysql://me:s3cret@db/site")
    with pytest.raises(ImproperlyConfigured) as caught:
        Environment().database()
    assert "s3cret" not in str(caught.value)


def test_all_missing_variables_are_named_at_once(variables: pytest.MonkeyPatch) -> None:
    variables.setenv("REDIS_URL", "redis://valkey")
    with pytest.raises(ImproperlyConfigured) as caught:
        Environment().require(SECRET_KEY="a key", REDIS_URL="r", DATABASE_URL="d")
    assert str(caught.value) == "Set these environment variables:\n  SECRET_KEY: a key\n  DATABASE_URL: d"


def test_lists_and_flags(variables: pytest.MonkeyPatch) -> None:
    variables.setenv("ALLOWED_HOSTS", " example.org , www.example.org,")
    variables.setenv("FLAG", "No")
    env = Environment()
    assert env.names("ALLOWED_HOSTS", default=[]) == ["example.org", "www.example.org"]
    assert env.flag("FLAG", default=True) is False


def test_a_secret_key_is_made_once_whoever_asks_first(variables: pytest.MonkeyPatch) -> None:
    with ThreadPoolExecutor(8) as pool:
        keys = set(pool.map(lambda _: Environment().secret_key(), range(40)))
    assert len(keys) == 1
    assert len(keys.pop()) > 50
    path = Environment().embedded.secret_key_file
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    variables.setenv("SECRET_KEY", "mine")
    assert Environment().secret_key() == "mine"


def test_where_no_key_can_be_kept_the_error_says_so(variables: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "data").write_text("a file, not a directory")
    with pytest.raises(ImproperlyConfigured, match="Set SECRET_KEY to a long random text"):
        Environment().secret_key()


def test_email_goes_to_the_log_or_where_the_url_says(monkeypatch):
    monkeypatch.delenv("EMAIL_URL", raising=False)
    assert Environment().email()["EMAIL_BACKEND"] == "django.core.mail.backends.console.EmailBackend"
    monkeypatch.setenv("EMAIL_URL", "smtp+tls://me:secret@mail.example.org:587")
    found = Environment().email()
    assert (found["EMAIL_HOST"], found["EMAIL_PORT"], found["EMAIL_USE_TLS"]) == ("mail.example.org", 587, True)
    assert (found["EMAIL_HOST_USER"], found["EMAIL_HOST_PASSWORD"]) == ("me", "secret")


def test_a_wrong_email_url_says_what_to_write(monkeypatch):
    monkeypatch.setenv("EMAIL_URL", "mail.example.org")
    with pytest.raises(ImproperlyConfigured, match=r"EMAIL_URL.*smtp\+tls://"):
        Environment().email()
