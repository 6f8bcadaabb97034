from django.apps import AppConfig


class PartnersConfig(AppConfig):
    name = "recsys.partners"
    label = "partners"
    verbose_name = "Partners"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from realtime import access
        from recsys.partners.access import valid_keys

        access.register_issuer_check(valid_keys)
