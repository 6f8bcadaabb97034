from django.apps import AppConfig


class ToyConfig(AppConfig):
    name = "recsys.bench.toy"
    label = "bench_toy"
    default_auto_field = "django.db.models.BigAutoField"
