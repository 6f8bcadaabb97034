from __future__ import annotations

from typing import Any, cast
from urllib.parse import quote

from allauth.account.admin import EmailAddressAdmin
from allauth.account.models import EmailAddress
from django import forms
from django.contrib import admin
from django.contrib.admin.models import LogEntry
from django.contrib.auth.admin import UserAdmin as BaseUserAdmin
from django.contrib.auth.forms import AdminUserCreationForm, UserChangeForm
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html

from recsys.accounts.actions import do_erase_user
from recsys.accounts.forms import PlainTextField, RegionField
from recsys.accounts.history import is_former_staff
from recsys.accounts.models import User
from recsys.accounts.usernames import username_fault
from recsys.console import BoundedPaginator, PlainDeletionMixin, ReadOnlyAdmin, told

POWERS = ("is_staff", "is_superuser", "groups", "user_permissions")


class UsernameRules:
    """Usernames chosen by staff obey the rules of sign-up; one that exists already may stay as it is."""

    def clean_username(self) -> str:
        username = self.cleaned_data["username"]  # type: ignore[attr-defined]
        if username == self.instance.username and self.instance.pk:  # type: ignore[attr-defined]
            return username
        username = username.strip().lower()
        if fault := username_fault(username):
            raise forms.ValidationError(fault)
        # Django's own form compares without case, and says so.
        self.cleaned_data["username"] = username  # type: ignore[attr-defined]
        parent = getattr(super(), "clean_username", None)
        return parent() if parent else username


class UserForm(UsernameRules, UserChangeForm):
    display_name = PlainTextField(max_length=80, required=False)
    bio = PlainTextField(label="About", max_length=280, required=False, widget=forms.Textarea(attrs={"rows": 3}))
    region = RegionField(help_text="A country, or a part of one such as US-CA; empty means unknown.")


class NewUserForm(UsernameRules, AdminUserCreationForm):
    pass


@admin.register(User)
class UserAdmin(PlainDeletionMixin, BaseUserAdmin):
    form = UserForm
    add_form = NewUserForm
    goes_with = "all posts, follows, events and recommendations of theirs (what they changed as staff stays, unnamed)"
    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER
    paginator = BoundedPaginator
    list_per_page = 50
    list_display = ["username", "display_name", "external_id", "region", "email", "is_private", "is_staff", "is_active"]
    list_filter = ["is_active", "is_private", "is_staff", "is_superuser"]
    search_fields = ["username", "display_name", "external_id", "email"]
    ordering = ["username"]
    readonly_fields = ["last_login", "date_joined", "activity"]
    fieldsets = [
        (None, {"fields": ["username", "password", "external_id"]}),
        ("Profile", {"fields": ["display_name", "bio", "region", "email", "is_private", "shows_presence", "activity"]}),
        ("Rights", {"fields": ["is_active", *POWERS]}),
        ("Dates", {"fields": ["last_login", "date_joined"]}),
    ]

    @admin.display(description="What they did, and were shown")
    def activity(self, user: User) -> str:
        return format_html(
            '<a href="{}?user={}">interactions</a> · <a href="{}?user__id__exact={}">recommendations</a>'
            ' · <a href="{}?reader={}">timeline</a>',
            reverse("admin:events_interactions"),
            user.pk,
            reverse("admin:recommend_slate_changelist"),
            user.pk,
            reverse("admin:feeds_timeline"),
            quote(user.username),
        )

    def get_readonly_fields(self, request: HttpRequest, obj: User | None = None) -> list[str]:
        """Who may edit users may not thereby make superusers: rights are given by superusers alone."""
        powers = [] if request.user.is_superuser else POWERS
        return [*self.readonly_fields, *powers]

    def has_change_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        return self._may_touch(request, obj) and super().has_change_permission(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        return self._may_touch(request, obj) and super().has_delete_permission(request, obj)

    @staticmethod
    def _may_touch(request: HttpRequest, obj: User | None) -> bool:
        """Staff who could set a superuser's password would be one. Who stands for former staff stays as they are."""
        if obj is not None and is_former_staff(obj):
            return False
        is_mighty = obj is not None and (obj.is_superuser or obj.is_staff) and obj.pk != request.user.pk
        return request.user.is_superuser or not is_mighty

    def delete_model(self, request: HttpRequest, obj: User) -> None:
        do_erase_user(user=obj)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[User]) -> None:
        for user in queryset:
            do_erase_user(user=user)


@admin.register(LogEntry)
class HistoryAdmin(ReadOnlyAdmin):
    """Who changed what and when, also of what is gone: posts that were taken down, overrides, accounts."""

    list_display = ["action_time", "user", "content_type", "object_id", "object_repr", "what"]
    list_display_links = ["action_time"]
    list_filter = ["action_flag"]
    list_select_related = ["user", "content_type"]
    search_fields = ["user__username__exact", "object_id__exact", "change_message"]
    search_help_text = "The whole username of who changed something, the number of what was changed, or words of it."
    ordering = ["-id"]
    fields = ["action_time", "user", "content_type", "object_id", "object_repr", "what"]

    @admin.display(description="What")
    def what(self, entry: LogEntry) -> str:
        return told(entry)


admin.site.unregister(EmailAddress)


@admin.register(EmailAddress)
class AddressAdmin(PlainDeletionMixin, EmailAddressAdmin):
    """The history tells an address by its number: it outlives the account, and must not name whose that was."""

    def log_addition(self, request: HttpRequest, obj: EmailAddress, message: Any) -> LogEntry:
        return super().log_addition(request, _untold(obj), message)

    def log_change(self, request: HttpRequest, obj: EmailAddress, message: Any) -> LogEntry:
        return super().log_change(request, _untold(obj), message)

    def log_deletions(self, request: HttpRequest, queryset: QuerySet[EmailAddress]) -> list[LogEntry]:
        untold = [_untold(address) for address in queryset]
        return super().log_deletions(request, cast("QuerySet[EmailAddress]", untold))


def _untold(address: EmailAddress) -> EmailAddress:
    return EmailAddress(pk=address.pk, email=f"e-mail address {address.pk}")
