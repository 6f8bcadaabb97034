"""`manage.py up` on one machine: embedded services, plain HTTP on localhost."""

from recsys.settings.base import *  # noqa: F403
