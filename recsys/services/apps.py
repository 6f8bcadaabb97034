from django.apps import AppConfig


class ServicesConfig(AppConfig):
    name = "recsys.services"
    label = "services"
    verbose_name = "Services"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from recsys.services import checks, keys  # noqa: F401
