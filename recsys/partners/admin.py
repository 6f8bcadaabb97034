from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.cache import add_never_cache_headers
from django.utils.html import format_html

from recsys.console import ChronicleAdmin, ReadOnlyAdmin
from recsys.partners.actions import do_create_key, do_revoke_key
from recsys.partners.models import ApiClient, ApiKey


class KeyForm(forms.Form):
    scopes = forms.MultipleChoiceField(
        choices=ApiKey.Scope.choices,
        widget=forms.CheckboxSelectMultiple,
        help_text="read: recommendations, trending, timelines. write: items, users, events.",
    )


class KeyInline(admin.TabularInline):
    model = ApiKey
    fields = ["prefix", "scopes", "created_at", "last_used_at", "revoked_at"]
    show_change_link = True
    extra = 0

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(ApiClient)
class ApiClientAdmin(ChronicleAdmin):
    list_display = ["name", "is_active", "requests_per_minute", "created_at"]
    list_filter = ["is_active"]
    search_fields = ["name"]
    fields = ["name", "is_active", "requests_per_minute", "new_key"]
    readonly_fields = ["new_key"]
    inlines = [KeyInline]

    @admin.display(description="New key")
    def new_key(self, client: ApiClient) -> str:
        if client.pk is None:
            return "Save the client first."
        return format_html('<a href="{}">Create a key</a>', reverse("admin:partners_apiclient_key", args=[client.pk]))

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.key_view)
        return [path("<int:pk>/key/", view, name="partners_apiclient_key"), *super().get_urls()]

    def key_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Make a key and show its text, in this one answer and nowhere else."""
        if not request.user.has_perm("partners.add_apikey"):
            raise PermissionDenied
        client = get_object_or_404(ApiClient, pk=pk)
        form = KeyForm(request.POST if request.method == "POST" else None)
        created = None
        if request.method == "POST" and form.is_valid():
            created = do_create_key(client=client, scopes=form.cleaned_data["scopes"])
            self.log_change(request, client, f"Created the key {created.key} for {', '.join(created.key.scopes)}.")
        context = {
            **self.admin_site.each_context(request),
            "title": f"New key for {client}",
            "opts": self.opts,
            "client": client,
            "form": form,
            "created": created,
        }
        response = TemplateResponse(request, "admin/partners/apiclient/key.html", context)
        add_never_cache_headers(response)
        return response


@admin.register(ApiKey)
class ApiKeyAdmin(ReadOnlyAdmin):
    list_display = ["prefix", "client", "scopes", "created_at", "last_used_at", "revoked_at"]
    list_filter = [("revoked_at", admin.EmptyFieldListFilter), "client"]
    list_select_related = ["client"]
    search_fields = ["prefix", "client__name"]
    ordering = ["-created_at"]
    fields = ["client", "prefix", "scopes", "created_at", "last_used_at", "revoked_at"]
    actions = ["revoke"]

    def has_revoke_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("partners.change_apikey")

    @admin.action(description="Revoke selected keys", permissions=["revoke"])
    def revoke(self, request: HttpRequest, queryset: QuerySet[ApiKey]) -> None:
        for key in queryset.filter(revoked_at=None):
            do_revoke_key(key=key)
            self.log_change(request, key, "Revoked.")
            self.message_user(request, f"{key} is refused from the next request on.", messages.SUCCESS)
