from django.apps import AppConfig


class ServicesConfig(AppConfig):
    name = "recsys.services"
    label = "services"
    verbose_name = "Services"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from realtime import bounds, coalescing, subscriptions
        from recsys.services import checks, keys, panel  # noqa: F401

        subscriptions.register(panel.KIND, panel.panel_rule)
        bounds.register(panel.STREAM, panel.BOUNDS)
        coalescing.register(["operations"], coalescing.latest)
