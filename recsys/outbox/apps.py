from django.apps import AppConfig


class OutboxConfig(AppConfig):
    name = "recsys.outbox"
    label = "outbox"
    verbose_name = "Outbox"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from django.db.backends.signals import connection_created

        from recsys.outbox.correlation import follow_requests

        connection_created.connect(follow_requests, dispatch_uid="outbox.follow_requests")
