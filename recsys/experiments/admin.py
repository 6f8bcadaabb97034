from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html

from recsys.console import BaseAdmin
from recsys.experiments.actions import (
    ExperimentError,
    check_running,
    do_start_experiment,
    do_stop_experiment,
    lock_experiment,
)
from recsys.experiments.models import Experiment, Variant
from recsys.experiments.parameters import check_parameters, declared
from recsys.experiments.selectors import report

MAX_VARIANTS = 20


class VariantForm(forms.ModelForm):
    class Meta:
        model = Variant
        fields = ["key", "weight", "parameters"]

    def clean_parameters(self) -> dict[str, Any]:
        """A blank field is a variant that changes nothing: the control."""
        parameters = {} if self.cleaned_data["parameters"] is None else self.cleaned_data["parameters"]
        if errors := check_parameters(parameters):
            raise ValidationError(errors)
        return parameters


class VariantFormSet(forms.BaseInlineFormSet):
    def clean(self) -> None:
        """What a running experiment obeys holds for its edits too."""
        super().clean()
        kept = [form.cleaned_data for form in self.forms if form.is_valid() and form.cleaned_data.get("key")]
        variants = [(one["key"], one["weight"], one["parameters"]) for one in kept if not one.get("DELETE")]
        if variants and not any(weight for _, weight, _ in variants):
            raise ValidationError("Give at least one variant a weight above 0.")
        if self.instance.pk is None or any(self.errors):
            return
        current = lock_experiment(self.instance)
        if current.status == Experiment.Status.RUNNING and (errors := check_running(current, variants)):
            raise ValidationError(errors)


class VariantInline(admin.TabularInline):
    model = Variant
    form = VariantForm
    formset = VariantFormSet
    formfield_overrides = BaseAdmin.formfield_overrides
    extra = 0
    min_num = 2
    max_num = MAX_VARIANTS

    def has_delete_permission(self, request: HttpRequest, obj: Experiment | None = None) -> bool:
        """A variant that has been served keeps its exposures; a weight of 0 takes it out of serving."""
        is_new = obj is None or obj.started_at is None
        return is_new and super().has_delete_permission(request, obj)


@admin.register(Experiment)
class ExperimentAdmin(BaseAdmin):
    list_display = ["key", "surface", "status", "started_at", "stopped_at", "report_link"]
    list_filter = ["status", "surface"]
    search_fields = ["key", "description"]
    readonly_fields = ["status", "started_at", "stopped_at", "known_parameters"]
    fieldsets = [
        (None, {"fields": ["key", "description", "surface", "salt"]}),
        ("State", {"fields": ["status", "started_at", "stopped_at"]}),
        ("What variants may set", {"fields": ["known_parameters"]}),
    ]
    inlines = [VariantInline]
    actions = ["start", "stop"]

    def get_readonly_fields(self, request: HttpRequest, obj: Experiment | None = None) -> list[str]:
        """Who sees what must not be dealt anew once somebody has seen something."""
        fixed = ["key", "surface", "salt"] if obj and obj.started_at else []
        return [*self.readonly_fields, *fixed]

    def has_delete_permission(self, request: HttpRequest, obj: Experiment | None = None) -> bool:
        """An experiment that has run is evidence, and its exposures too many to delete in a page."""
        is_new = obj is None or obj.started_at is None
        return is_new and super().has_delete_permission(request, obj)

    @admin.display(description="Parameters")
    def known_parameters(self, experiment: Experiment) -> str:
        return "; ".join(f"{one.name}: {one.describe}" for one in declared()) or "none"

    @admin.display(description="Report")
    def report_link(self, experiment: Experiment) -> str:
        return format_html(
            '<a href="{}">report</a>', reverse("admin:experiments_experiment_report", args=[experiment.pk])
        )

    @admin.action(description="Start selected experiments", permissions=["change"])
    def start(self, request: HttpRequest, queryset: QuerySet[Experiment]) -> None:
        for experiment in queryset.order_by("pk"):
            try:
                do_start_experiment(experiment=experiment)
            except ExperimentError as error:
                self.message_user(request, f"{experiment} was not started: {error}", messages.ERROR)
            else:
                self.log_change(request, experiment, "Started.")
                self.message_user(request, f"{experiment} is running.", messages.SUCCESS)

    @admin.action(description="Stop selected experiments", permissions=["change"])
    def stop(self, request: HttpRequest, queryset: QuerySet[Experiment]) -> None:
        for experiment in queryset.order_by("pk"):
            do_stop_experiment(experiment=experiment)
            self.log_change(request, experiment, "Stopped.")
            self.message_user(request, f"{experiment} does not steer serving any more.", messages.SUCCESS)

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.report_view)
        return [path("<int:pk>/report/", view, name="experiments_experiment_report"), *super().get_urls()]

    def report_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """What followed the exposures, by variant."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        experiment = get_object_or_404(Experiment, pk=pk)
        context = {
            **self.admin_site.each_context(request),
            "title": f"Report of {experiment}",
            "opts": self.opts,
            "experiment": experiment,
            "variants": report(experiment),
        }
        return TemplateResponse(request, "admin/experiments/experiment/report.html", context)
