from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.db.models import Q, QuerySet
from django.db.models.functions import Now
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils import timezone
from django.utils.text import Truncator

from recsys.console import ReadOnlyAdmin, pretty_json
from recsys.outbox.actions import do_discard_rows, do_retry_rows
from recsys.outbox.models import OutboxRow
from recsys.outbox.selectors import backlog, relay_lag

MOST_AT_ONCE = 10_000

STATES: dict[str, tuple[str, Callable[[], Q]]] = {
    "due": ("Due", lambda: Q(parked_at=None, leased_until__lte=Now())),
    "leased": ("Leased, or waiting to be tried again", lambda: Q(parked_at=None, leased_until__gt=Now())),
    "parked": ("Parked", lambda: Q(parked_at__isnull=False)),
}


class StateFilter(admin.SimpleListFilter):
    title = "state"
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: admin.ModelAdmin) -> list[tuple[str, str]]:
        return [(name, label) for name, (label, _) in STATES.items()]

    def queryset(self, request: HttpRequest, queryset: QuerySet[OutboxRow]) -> QuerySet[OutboxRow]:
        chosen = STATES.get(self.value() or "")
        return queryset.filter(chosen[1]()) if chosen else queryset


class TopicFilter(admin.SimpleListFilter):
    title = "topic"
    parameter_name = "topic"

    def lookups(self, request: HttpRequest, model_admin: admin.ModelAdmin) -> list[tuple[str, str]]:
        return [(topic, topic) for topic in backlog()]

    def queryset(self, request: HttpRequest, queryset: QuerySet[OutboxRow]) -> QuerySet[OutboxRow]:
        known = dict(self.lookup_choices)
        return queryset.filter(aggregatetype=self.value()) if self.value() in known else queryset


@admin.register(OutboxRow)
class OutboxRowAdmin(ReadOnlyAdmin):
    list_display = ["__str__", "state", "attempts", "created_at", "leased_until", "parked_at", "error"]
    list_filter = [StateFilter, TopicFilter]
    search_fields = ["aggregateid__exact", "request_id__exact", "last_error"]
    search_help_text = "A whole aggregate id or request id, or words of the error."
    ordering = ["created_at"]
    actions = ["retry", "discard"]
    fields = [
        "aggregatetype",
        "aggregateid",
        "type",
        "state",
        "attempts",
        "created_at",
        "leased_until",
        "parked_at",
        "last_error",
        "request_id",
        "readable_payload",
    ]
    change_list_template = "admin/outbox/outboxrow/change_list.html"

    def has_retry_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("outbox.change_outboxrow")

    def has_discard_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("outbox.delete_outboxrow")

    @admin.display(description="State")
    def state(self, row: OutboxRow) -> str:
        if row.parked_at:
            return "parked"
        return "due" if row.leased_until <= timezone.now() else "leased"

    @admin.display(description="Last error")
    def error(self, row: OutboxRow) -> str:
        return Truncator(row.last_error).chars(120)

    @admin.display(description="Payload")
    def readable_payload(self, row: OutboxRow) -> str:
        return pretty_json(row.payload)

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        summary = {"backlog": backlog(), "relay_lag": relay_lag()} if self.has_view_permission(request) else {}
        return super().changelist_view(request, {**summary, **(extra_context or {})})

    @admin.action(description="Retry selected parked rows", permissions=["retry"])
    def retry(self, request: HttpRequest, queryset: QuerySet[OutboxRow]) -> None:
        """Give the rows all their attempts again."""
        ids = _parked(queryset)
        count = do_retry_rows(ids)
        self._report(request, count, "due again", "Retry")

    @admin.action(description="Discard selected parked rows…", permissions=["discard"])
    def discard(self, request: HttpRequest, queryset: QuerySet[OutboxRow]) -> HttpResponse | None:
        """Ask first: what the rows would have led to will not happen."""
        parked = queryset.filter(parked_at__isnull=False)
        if request.POST.get("confirmed") == "yes":
            self._report(request, do_discard_rows(_parked(queryset)), "discarded", "Discard")
            return None
        count = len(_parked(queryset))
        if not count:
            self.message_user(request, "None of the selected rows is parked.", messages.WARNING)
            return None
        context = {
            **self.admin_site.each_context(request),
            "title": "Discard parked rows?",
            "opts": self.opts,
            "count": count,
            "rows": parked.order_by("created_at")[:20],
            "selected": request.POST.getlist(ACTION_CHECKBOX_NAME)[: self.list_max_show_all],
            "select_across": request.POST.get("select_across", "0"),
            "checkbox_name": ACTION_CHECKBOX_NAME,
        }
        return TemplateResponse(request, "admin/outbox/outboxrow/discard.html", context)

    def _report(self, request: HttpRequest, count: int, done: str, verb: str) -> None:
        if not count:
            self.message_user(request, f"{verb}: none of the selected rows is parked.", messages.WARNING)
            return
        self.message_user(request, f"{count} row{'s are' if count > 1 else ' is'} {done}.", messages.SUCCESS)


def _parked(queryset: QuerySet[OutboxRow]) -> list[Any]:
    """The ids of the parked rows of `queryset`, the oldest MOST_AT_ONCE of them."""
    parked = queryset.filter(parked_at__isnull=False).order_by("created_at")
    return list(parked.values_list("pk", flat=True)[:MOST_AT_ONCE])
