"""The development settings and the toy app: for the benches and the processes that they start."""

from recsys.settings.dev import *  # noqa: F403
from recsys.settings.dev import INSTALLED_APPS

INSTALLED_APPS = [*INSTALLED_APPS, "recsys.bench.toy"]
ROOT_URLCONF = "recsys.bench.urls"

# All clients of a bench come from one address.
REALTIME_CONNECTIONS_PER_ADDRESS = REALTIME_NEW_CONNECTIONS_PER_SECOND = 100_000
