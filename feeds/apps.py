from django.apps import AppConfig


class FeedsConfig(AppConfig):
    name = "feeds"
    label = "feeds"
    verbose_name = "Feeds"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from feeds.entries import post_counts
        from feeds.people import unwanted_people
        from feeds.stream_events import merge_posts
        from feeds.subscriptions import KIND, timeline_rule
        from feeds.visibility import unseen_posts
        from realtime import coalescing
        from realtime.subscriptions import register
        from recsys.catalog import counts, secrecy
        from recsys.recommend import creators

        register(KIND, timeline_rule)
        creators.register(unwanted_people)
        secrecy.register(unseen_posts)
        counts.register(post_counts)
        coalescing.register(["post.new", "posts.new"], merge_posts)
        coalescing.register(["post.edited", "post.deleted", "notifications"], coalescing.latest)
