from django.apps import AppConfig


class RecommendConfig(AppConfig):
    name = "recsys.recommend"
    label = "recommend"
    verbose_name = "Recommendations"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from recsys.recommend.parameters import declare_parameters

        declare_parameters()
