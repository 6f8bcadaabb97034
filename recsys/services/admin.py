"""The admin's front page: how the installation is doing, and the log-in by the same door as everybody's."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from allauth.account.decorators import secure_admin_login
from django.contrib.admin import AdminSite
from django.contrib.auth.models import AnonymousUser
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern, URLResolver, path
from django.utils import timezone
from django.utils.decorators import method_decorator
from django.views.decorators.http import require_safe

from recsys.accounts.models import User
from recsys.services.memory import find_memory
from recsys.services.operations import operations
from recsys.services.panel import panel_position


class TributaryAdminSite(AdminSite):
    site_header = "Tributary"
    site_title = "Tributary"
    index_title = "Operations"

    def get_urls(self) -> list[URLResolver | URLPattern]:
        from recsys.events.admin import interactions_view

        view = self.admin_view(interactions_view)
        return [
            path("events/interactions/", view, name="events_interactions"),
            path("operations/", self.admin_view(self.operations), name="operations"),
            path("memory/", self.admin_view(self.memory), name="memory"),
            *super().get_urls(),
        ]

    def index(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> TemplateResponse:
        user: User | AnonymousUser = request.user
        position = panel_position()
        panel = {"panel": operations(user), "panel_position": position, "panel_at": timezone.now()}
        return super().index(request, panel | (extra_context or {}))

    @method_decorator(require_safe)
    def operations(self, request: HttpRequest) -> HttpResponse:
        """The figures of the front page that this person may see, as JSON for a page that shows them live."""
        user: User | AnonymousUser = request.user
        return JsonResponse({"at": timezone.now(), "figures": [asdict(figure) for figure in operations(user)]})

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
