from django.contrib import admin
from django.templatetags.static import static
from django.urls import include, path
from django.utils.functional import lazy
from django.views.generic import RedirectView

handler500 = "recsys.services.views.server_error"
urlpatterns = [
    path("admin/", admin.site.urls),
    path("favicon.ico", RedirectView.as_view(url=lazy(static, str)("web/icon.svg"))),  # the admin names no icon
    path("accounts/", include("allauth.urls")),
    path("accounts/", include("recsys.accounts.urls")),
    path("events/", include("recsys.events.urls")),
    path("items/", include("recsys.recommend.urls")),
    path("api/", include("recsys.partners.urls")),
    path("", include("recsys.services.urls")),  # healthz, readyz, metrics
    path("", include("feeds.urls")),
]
