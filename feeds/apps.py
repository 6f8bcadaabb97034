from django.apps import AppConfig


class FeedsConfig(AppConfig):
    name = "feeds"
    label = "feeds"
    verbose_name = "Feeds"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from feeds import presence, subscriptions, typists
        from feeds.entries import post_counts
        from feeds.people import unwanted_people
        from feeds.stream_events import merge_posts
        from feeds.visibility import unseen_posts
        from realtime import bounds, coalescing, signals
        from realtime.presence import PRESENCE_STREAM
        from realtime.subscriptions import register
        from recsys.catalog import counts, secrecy
        from recsys.recommend import creators

        register(subscriptions.KIND, subscriptions.timeline_rule)
        register(presence.KIND, presence.presence_rule)
        register(typists.KIND, typists.conversation_rule)
        signals.register(typists.KIND, typists.TYPING, typists.typing_rule)
        signals.register(typists.KIND, typists.STOPPED, typists.stopped_rule)
        bounds.register(PRESENCE_STREAM, bounds.Bounds(history=100, ttl=3600))
        bounds.register(typists.TYPING, bounds.Bounds(history=10, ttl=60))
        creators.register(unwanted_people)
        secrecy.register(unseen_posts)
        counts.register(post_counts)
        coalescing.register(["post.new", "posts.new"], merge_posts)
        coalescing.register(["post.edited", "post.deleted", "notifications"], coalescing.latest)
        coalescing.register([PRESENCE_STREAM, typists.TYPING], coalescing.latest)
