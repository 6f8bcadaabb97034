"""From how many followers on posts are pulled: the form of the one policy, and what it would change."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse

from feeds.models import FanoutPolicy
from feeds.policy import check_policy, do_save_policy, get_policy
from feeds.policy_preview import preview_policy
from recsys.console import ChronicleAdmin, add_input_errors
from recsys.inputs import InputError

PREVIEW = "_preview"  # the button's name


class PolicyForm(forms.ModelForm):
    class Meta:
        model = FanoutPolicy
        fields = ["celebrity_threshold", "lower_bound"]

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        upper, lower = cleaned.get("celebrity_threshold"), cleaned.get("lower_bound")
        if upper is not None and lower is not None:
            try:
                check_policy(threshold=upper, lower_bound=lower)
            except InputError as error:
                add_input_errors(self, error)
        return cleaned

    def is_valid(self) -> bool:
        """Never for a preview: the admin shows such a form again, as it was filled in, and saves nothing."""
        return super().is_valid() and PREVIEW not in self.data


@admin.register(FanoutPolicy)
class FanoutPolicyAdmin(ChronicleAdmin):
    """The one row: its list is its form. What its bounds mean is counted on the page, before they are saved."""

    form = PolicyForm
    fields = ["celebrity_threshold", "lower_bound", "changes"]
    readonly_fields = ["changes"]

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: FanoutPolicy | None = None) -> bool:
        return False

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        return HttpResponseRedirect(reverse("admin:feeds_fanoutpolicy_change", args=[get_policy().pk]))

    def save_model(self, request: HttpRequest, obj: FanoutPolicy, form: forms.ModelForm, change: bool) -> None:
        do_save_policy(threshold=obj.celebrity_threshold, lower_bound=obj.lower_bound)

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **options: Any
    ) -> HttpResponse:
        """With the figures of now, and for a preview those of the bounds in the form."""
        saved, form = get_policy(), context["adminform"].form
        previewed = PREVIEW in form.data and not form.errors
        bounds = form.instance if previewed else saved
        # What a form that was not saved holds has been written to the object already.
        context |= {
            "original": saved,
            "subtitle": str(saved),
            "previewed": bounds if previewed else None,
            "preview": preview_policy(threshold=bounds.celebrity_threshold, lower_bound=bounds.lower_bound),
        }
        return super().render_change_form(request, context, *args, **options)
