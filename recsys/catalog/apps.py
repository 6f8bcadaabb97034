from django.apps import AppConfig


class CatalogConfig(AppConfig):
    name = "recsys.catalog"
    label = "catalog"
    verbose_name = "Catalogue"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from realtime import bounds, coalescing, subscriptions
        from recsys.catalog import counts

        subscriptions.register(counts.KIND, counts.items_rule)
        bounds.register("item", counts.BOUNDS)
        coalescing.register(["item.counts"], coalescing.latest)
