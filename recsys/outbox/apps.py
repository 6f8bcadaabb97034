from django.apps import AppConfig
from django.utils.module_loading import autodiscover_modules


class OutboxConfig(AppConfig):
    name = "recsys.outbox"
    label = "outbox"
    verbose_name = "Outbox"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from django.db.backends.signals import connection_created

        from recsys.outbox.correlation import follow_requests
        from recsys.outbox.wakeup import nudge_on_commit

        # Infrastructure of the connection, not behaviour: nothing that a change leads to hangs on these.
        connection_created.connect(follow_requests, dispatch_uid="outbox.follow_requests")
        connection_created.connect(nudge_on_commit, dispatch_uid="outbox.nudge_on_commit")
        autodiscover_modules("handlers")
