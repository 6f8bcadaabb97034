#!/usr/bin/env python
"""Run a management command; `manage.py up` runs the whole product."""

import os
import sys


def main() -> None:
    if sys.argv[1:2] == ["up"]:
        # The supervisor needs no Django of its own, only its children do.
        from recsys.services.up import main as up

        sys.exit(up(sys.argv[2:]))
    settings = os.environ.setdefault("DJANGO_SETTINGS_MODULE", "recsys.settings.dev")
    try:
        from django.core.exceptions import ImproperlyConfigured
        from django.core.management import execute_from_command_line
    except ImportError:
        sys.exit("Django is not installed in this Python. Run `make run`, or: pip install -r requirements.txt")
    try:
        execute_from_command_line(sys.argv)
    except ImproperlyConfigured as error:
        sys.exit(f"The configuration is wrong. {error}")
    except ModuleNotFoundError as error:
        if error.name is None or not settings.startswith(error.name):
            raise
        sys.exit(f"The configuration is wrong. DJANGO_SETTINGS_MODULE is {settings!r}, and there is no such module.")
    except Exception as error:
        from recsys.services.checks import explain

        reason = explain(error)
        if reason is None:
            raise
        sys.exit(reason)


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit(130)
