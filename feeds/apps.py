from django.apps import AppConfig


class FeedsConfig(AppConfig):
    name = "feeds"
    label = "feeds"
    verbose_name = "Feeds"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from feeds.subscriptions import KIND, timeline_rule
        from realtime.subscriptions import register

        register(KIND, timeline_rule)
