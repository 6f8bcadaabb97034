"""The admin's front page: how the installation is doing, and the log-in by the same door as everybody's."""

from __future__ import annotations

from typing import Any

from allauth.account.decorators import secure_admin_login
from django.contrib.admin import AdminSite
from django.contrib.auth.models import AnonymousUser
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern, URLResolver, path

from recsys.accounts.models import User
from recsys.services.operations import operations


class TributaryAdminSite(AdminSite):
    site_header = "Tributary"
    site_title = "Tributary"
    index_title = "Operations"

    def get_urls(self) -> list[URLResolver | URLPattern]:
        from recsys.events.admin import interactions_view

        view = self.admin_view(interactions_view)
        return [path("events/interactions/", view, name="events_interactions"), *super().get_urls()]

    def index(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> TemplateResponse:
        user: User | AnonymousUser = request.user
        return super().index(request, {"panel": operations(user), **(extra_context or {})})

    def login(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """Through allauth, whose limit on failed attempts then guards staff too."""
        return secure_admin_login(super().login)(request, extra_context)
