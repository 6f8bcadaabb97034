"""Benches that need the social graph; run with `manage.py bench NAME`."""
