from __future__ import annotations

import json
from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import Func, IntegerField, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.defaultfilters import filesizeformat
from django.urls import URLPattern, path, reverse
from kombu.exceptions import OperationalError

from recsys.catalog.models import Item
from recsys.catalog.secrecy import may_read_withheld
from recsys.console import ReadOnlyAdmin, pretty_json
from recsys.recommend.models import ModelVersion, Slate
from recsys.recommend.tasks import train_models

HEADLINES = 4


@admin.register(ModelVersion)
class ModelVersionAdmin(ReadOnlyAdmin):
    list_display = ["__str__", "kind", "status", "trained_at", "headline", "size"]
    list_filter = ["kind", "status"]
    ordering = ["-pk"]
    fields = ["kind", "status", "trained_at", "size", "readable_metrics"]
    change_list_template = "admin/recommend/modelversion/change_list.html"

    def get_queryset(self, request: HttpRequest) -> QuerySet[ModelVersion]:
        """Without the artefacts, which are megabytes each."""
        size = Func("artefact", function="octet_length", output_field=IntegerField())
        return super().get_queryset(request).defer("artefact").annotate(artefact_size=size)

    def has_train_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("recommend.change_modelversion")

    @admin.display(description="Artefact", empty_value="none")
    def size(self, version: ModelVersion) -> str | None:
        size = version.artefact_size  # type: ignore[attr-defined]
        return filesizeformat(size) if size else None

    @admin.display(description="Metrics")
    def headline(self, version: ModelVersion) -> str:
        metrics = version.metrics if isinstance(version.metrics, dict) else {}
        numbers = [f"{name} {value:.4g}" for name, value in sorted(metrics.items()) if isinstance(value, int | float)]
        return str(metrics.get("refused") or ", ".join(numbers[:HEADLINES]))

    @admin.display(description="Metrics")
    def readable_metrics(self, version: ModelVersion) -> str:
        return pretty_json(version.metrics)

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.train_view)
        return [path("train/", view, name="recommend_modelversion_train"), *super().get_urls()]

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        return super().changelist_view(
            request, {"may_train": self.has_train_permission(request)} | (extra_context or {})
        )

    def train_view(self, request: HttpRequest) -> HttpResponse:
        """Ask a worker to train what has something new to learn from."""
        if not self.has_train_permission(request):
            raise PermissionDenied
        if request.method == "POST":
            try:
                train_models.delay()
            except OperationalError:
                self.message_user(request, "No worker was asked: the broker does not answer.", messages.ERROR)
            else:
                self.message_user(request, "A worker was asked to train; new versions appear here.", messages.SUCCESS)
        return HttpResponseRedirect(reverse("admin:recommend_modelversion_changelist"))


@admin.register(Slate)
class SlateAdmin(ReadOnlyAdmin):
    """Why did this person see this?"""

    list_display = ["recommendation_id", "created_at", "user", "surface", "region", "size", "served_by"]
    list_filter = ["created_at"]
    list_select_related = ["user"]
    search_fields = ["recommendation_id__exact", "user__username__exact", "user__external_id__exact"]
    search_help_text = "A recommendation id, a username or a user's external id."
    ordering = ["-created_at"]
    fields = ["recommendation_id", "user", "surface", "region", "created_at"]
    change_form_template = "admin/recommend/slate/change_form.html"

    @admin.display(description="Items")
    def size(self, slate: Slate) -> int:
        return len(slate.entries)

    @admin.display(description="Served by")
    def served_by(self, slate: Slate) -> str:
        return str(slate.trace.get("served_by", ""))

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        slate = self.get_object(request, object_id)
        shown = _explanation(slate, request.user) if slate and self.has_view_permission(request, slate) else {}
        return super().change_view(request, object_id, form_url, {**shown, **(extra_context or {})})


def _explanation(slate: Slate, staff: Any) -> dict[str, Any]:
    """The entries with their items, which may be gone by now or not for these staff, and the trace line by line."""
    ids = {entry.get(name) for entry in slate.entries for name in ("item", "anchor")} - {None}
    readable = Item.objects.all() if may_read_withheld(staff) else Item.objects.exclude(is_withheld=True)
    items = readable.only("title").in_bulk(ids)
    entries = [
        {
            **entry,
            "position": position,
            "item": items.get(entry.get("item")),
            "item_id": entry.get("item"),
            "anchor": items.get(entry.get("anchor")),
            "scores": sorted(entry.get("scores", {}).items(), key=lambda pair: -pair[1]),
        }
        for position, entry in enumerate(slate.entries, 1)
    ]
    trace = [(name.replace("_", " "), _readable(value)) for name, value in slate.trace.items()]
    return {"entries": entries, "trace": trace}


def _readable(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name}: {_readable(one)}" for name, one in value.items()) or "none"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
