from django.apps import AppConfig


class FeedsConfig(AppConfig):
    name = "feeds"
    label = "feeds"
    verbose_name = "Feeds"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from feeds.people import unwanted_people
        from feeds.subscriptions import KIND, timeline_rule
        from feeds.visibility import unseen_posts
        from realtime.subscriptions import register
        from recsys.catalog import secrecy
        from recsys.recommend import creators

        register(KIND, timeline_rule)
        creators.register(unwanted_people)
        secrecy.register(unseen_posts)
