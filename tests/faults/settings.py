"""The product's settings, and leases that end soon: what a killed worker had is then due again."""

from recsys.settings.dev import *  # noqa: F403

INSTALLED_APPS = [*INSTALLED_APPS, "tests.faults.leases.ShortLeases"]  # noqa: F405
