from django.apps import AppConfig


class AccountsConfig(AppConfig):
    name = "recsys.accounts"
    label = "accounts"
    verbose_name = "People"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from realtime import presence
        from recsys.accounts.selectors import showing_presence

        presence.register_visibility(showing_presence)
