from django.contrib import admin
from django.urls import include, path

urlpatterns = [
    path("admin/", admin.site.urls),
    path("accounts/", include("allauth.urls")),
    path("accounts/", include("recsys.accounts.urls")),
    path("events/", include("recsys.events.urls")),
    path("items/", include("recsys.recommend.urls")),
    path("api/", include("recsys.partners.urls")),
    path("", include("recsys.services.urls")),  # healthz, readyz, metrics
    path("", include("feeds.urls")),
]
