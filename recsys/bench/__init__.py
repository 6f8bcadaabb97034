"""Benchmarks: `manage.py bench NAME`. docs/performance.md says what each measures and holds the latest figures."""
