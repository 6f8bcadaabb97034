"""Interactions, read-only. Django's admin cannot register their composite key, and they are too many to count: so they
have a page of their own, walked by keyset.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from django import forms
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils.dateparse import parse_datetime
from django.views.decorators.http import require_safe

from recsys.catalog.secrecy import may_read_withheld
from recsys.events.models import Interaction, InteractionKind

PAGE = 100
LARGEST_ID = 2**63 - 1


class InteractionFilterForm(forms.Form):
    user = forms.IntegerField(required=False, min_value=1, max_value=LARGEST_ID, label="User id")
    item = forms.IntegerField(required=False, min_value=1, max_value=LARGEST_ID, label="Item id")
    kind = forms.ChoiceField(required=False, choices=[("", "any"), *InteractionKind.choices])
    before = forms.CharField(required=False, widget=forms.HiddenInput)

    def clean_before(self) -> tuple[datetime, int] | None:
        """The position "<moment>,<id>" of the last row seen."""
        moment, _, number = self.cleaned_data["before"].partition(",")
        try:
            parsed = parse_datetime(moment)
        except ValueError:
            parsed = None
        if not self.cleaned_data["before"]:
            return None
        if parsed is None or parsed.tzinfo is None or not number.isdecimal() or int(number) > LARGEST_ID:
            raise forms.ValidationError("This page's address is incomplete; start again from the first page.")
        return parsed, int(number)


@require_safe
def interactions_view(request: HttpRequest) -> HttpResponse:
    """What happened, newest first; of one user or with one item if asked."""
    if not request.user.has_perm("events.view_interaction"):
        raise PermissionDenied
    form = InteractionFilterForm(request.GET)
    chosen = form.cleaned_data if form.is_valid() else {}
    rows = list(_rows(chosen)[: PAGE + 1]) if form.is_valid() else []
    context = {
        **admin.site.each_context(request),
        "title": "Interactions",
        "reads_withheld": may_read_withheld(request.user),
        "form": form,
        "rows": rows[:PAGE],
        "older": _older(chosen, rows[PAGE - 1]) if len(rows) > PAGE else "",
    }
    return TemplateResponse(request, "admin/events/interactions.html", context)


def _rows(chosen: dict[str, Any]) -> Any:
    rows = Interaction.objects.select_related("user", "item").order_by("-occurred_at", "-id")
    for name, column in (("user", "user_id"), ("item", "item_id"), ("kind", "kind")):
        if chosen.get(name):
            rows = rows.filter(**{column: chosen[name]})
    if chosen.get("before"):
        rows = rows.filter(pk__lt=chosen["before"])
    return rows


def _older(chosen: dict[str, Any], last: Interaction) -> str:
    kept = {name: chosen[name] for name in ("user", "item", "kind") if chosen.get(name)}
    return urlencode({**kept, "before": f"{last.occurred_at.isoformat()},{last.id}"})
