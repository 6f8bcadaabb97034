from django.apps import AppConfig


class EventsConfig(AppConfig):
    name = "recsys.events"
    label = "events"
    verbose_name = "Events"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from recsys.catalog import counts
        from recsys.events.heat import taken_up

        counts.register(taken_up)
