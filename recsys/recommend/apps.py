from django.apps import AppConfig


class RecommendConfig(AppConfig):
    name = "recsys.recommend"
    label = "recommend"
    verbose_name = "Recommendations"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from realtime import bounds, coalescing, subscriptions
        from recsys.recommend import dashboards, news
        from recsys.recommend.parameters import declare_parameters

        declare_parameters()
        subscriptions.register(dashboards.KIND, dashboards.dashboard_rule)
        bounds.register("trending", dashboards.BOUNDS)
        subscriptions.register(news.KIND, news.recommendations_rule)
        bounds.register("recommendations", news.BOUNDS)
        bounds.register(news.EVERYBODY, news.BOUNDS)
        coalescing.register(["trending", "recommendations.new"], coalescing.latest)
        coalescing.register(["recommendations.retracted"], news.merge_retracted)
