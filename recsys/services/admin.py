"""The admin's front page: how the installation is doing, and the log-in by the same door as everybody's."""

from __future__ import annotations

from typing import Any

from allauth.account.decorators import secure_admin_login
from django.contrib.admin import AdminSite
from django.contrib.auth.models import AnonymousUser
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern, URLResolver, path
from django.utils.decorators import method_decorator
from django.views.decorators.http import require_safe

from recsys.accounts.models import User
from recsys.services.memory import find_memory
from recsys.services.operations import operations


class TributaryAdminSite(AdminSite):
    site_header = "Tributary"
    site_title = "Tributary"
    index_title = "Operations"

    def get_urls(self) -> list[URLResolver | URLPattern]:
        from recsys.events.admin import interactions_view

        view = self.admin_view(interactions_view)
        return [
            path("events/interactions/", view, name="events_interactions"),
            path("memory/", self.admin_view(self.memory), name="memory"),
            *super().get_urls(),
        ]

    def index(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> TemplateResponse:
        user: User | AnonymousUser = request.user
        return super().index(request, {"panel": operations(user), **(extra_context or {})})

    @method_decorator(require_safe)
    def memory(self, request: HttpRequest) -> TemplateResponse:
        """What Valkey's memory goes to; for those who look after what waits there too."""
        if not request.user.has_perm("outbox.view_outboxrow"):
            raise PermissionDenied
        memory = find_memory()
        context = {**self.each_context(request), "title": "Memory of Valkey", "memory": memory}
        return TemplateResponse(request, "admin/memory.html", context, status=200 if memory else 503)

    def login(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """Through allauth, whose limit on failed attempts then guards staff too."""
        return secure_admin_login(super().login)(request, extra_context)
