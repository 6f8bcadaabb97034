"""The product's settings, and what the tests of the network offer to subscribe to."""

from recsys.settings.dev import *  # noqa: F403

INSTALLED_APPS = [*INSTALLED_APPS, "tests.faults.realtime.offers.Offers"]  # noqa: F405
