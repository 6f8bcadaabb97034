"""The Celery application. The broker is a courier: what must not be lost is in PostgreSQL (recsys/outbox)."""

import os
import sys
from typing import Any

import structlog
from celery import Celery
from celery.signals import setup_logging, task_postrun, task_prerun
from django.db import close_old_connections

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "recsys.settings.dev")

app = Celery("tributary")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
# Celery would connect to PostgreSQL anew for each task, which costs more than most tasks.
app.conf["CELERY_DB_REUSE_MAX"] = sys.maxsize


@setup_logging.connect
def keep_logging(**_: Any) -> None:
    """Leave the logs as Django's settings made them: a receiver keeps Celery from putting its own handlers in."""


@task_prerun.connect
@task_postrun.connect
def keep_connections_fresh(**_: Any) -> None:
    """As after a web request: a connection that broke or is old enough is not used for the next task."""
    close_old_connections()


@task_prerun.connect
def name_task(*, task_id: str, task: Any, **_: Any) -> None:
    """Every line that a task logs says which one it was."""
    structlog.contextvars.bind_contextvars(task=task.name, task_id=task_id)


@task_postrun.connect
def forget_task(**_: Any) -> None:
    """Until the next one begins, there is none."""
    structlog.contextvars.unbind_contextvars("task", "task_id")
