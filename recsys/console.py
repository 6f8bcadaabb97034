"""What the admin pages of all apps share: bounded lists, read-only models, strict JSON, changes told in words."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import Any, cast

from django import forms
from django.contrib import admin
from django.contrib.admin.models import DELETION, LogEntry
from django.contrib.admin.widgets import AutocompleteSelect
from django.contrib.contenttypes.models import ContentType
from django.core.exceptions import ValidationError
from django.core.paginator import Paginator
from django.db.models import Field, ForeignKey, JSONField, Model, QuerySet, URLField
from django.http import HttpRequest
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.text import capfirst

from recsys.inputs import InputError

MOST_ROWS = 10_000
MAX_JSON_LENGTH = 100_000
RECENT_CHANGES = 20


class BoundedPaginator(Paginator):
    """Counts to MOST_ROWS at most: who looks for a row behind those searches for it, and no page counts millions."""

    @cached_property
    def count(self) -> int:
        rows = cast("QuerySet[Model]", self.object_list)
        return rows.order_by()[:MOST_ROWS].count()


class StrictDecoder(json.JSONDecoder):
    """Refuses as JSONDecodeError what Python reads and jsonb does not: NaN, infinity, NUL and lone surrogates; and what
    would exhaust the reader: huge numbers, deep nesting, sheer length.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(**{**options, "parse_constant": self._refuse})

    @staticmethod
    def _refuse(name: str) -> None:
        raise ValueError(f"{name} is no JSON")

    def decode(self, text: str, *args: Any) -> Any:
        try:
            if len(text) > MAX_JSON_LENGTH:
                raise ValueError("too long")
            value = super().decode(text)
            # Also refuses numbers such as 1e999, which Python reads as infinite.
            plain = json.dumps(value, ensure_ascii=False, allow_nan=False)
            if "\\u0000" in plain:
                raise ValueError("holds a NUL")
            plain.encode()
            return value
        except json.JSONDecodeError:
            raise
        except (ValueError, RecursionError) as error:
            raise json.JSONDecodeError(str(error)[:100], "", 0) from None


class TolerantAutocomplete(AutocompleteSelect):
    """Shows a form again also where what was sent for the field is no id at all, where Django's own raises."""

    def optgroups(self, name: str, value: Sequence[str], attr: Any = None) -> Any:
        target = self.field.target_field
        return super().optgroups(name, [one for one in value if _is_key(target, one)], attr)


def _is_key(field: Field, value: object) -> bool:
    try:
        field.run_validators(field.to_python(value))
    except (ValidationError, ValueError):
        return False
    return True


class BaseAdmin(admin.ModelAdmin):
    """Lists that stay fast on large tables, and JSON fields that cannot fail in the database."""

    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER
    paginator = BoundedPaginator
    list_per_page = 50
    formfield_overrides = {
        # Said explicitly, as Django warns of its own choice.
        URLField: {"assume_scheme": "https"},
        JSONField: {"decoder": StrictDecoder, "widget": forms.Textarea(attrs={"rows": 6, "cols": 80})},
    }

    def formfield_for_foreignkey(self, db_field: ForeignKey, request: HttpRequest, **kwargs: Any) -> Any:
        if db_field.name in self.get_autocomplete_fields(request):
            kwargs.setdefault("widget", TolerantAutocomplete(db_field, self.admin_site))
        return super().formfield_for_foreignkey(db_field, request, **kwargs)


class ReadOnlyAdmin(BaseAdmin):
    """Staff look at these rows, and change them by named actions only."""

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        """All of them, also those that are methods of the admin."""
        return [str(name) for name in self.fields or ()]

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class ChronicleAdmin(BaseAdmin):
    """The history says from what to what a field was changed, and what a deleted row held, not only that it was.

    `changes`, among the read-only fields, shows it on the row's own page. The key is not told: the page names the row,
    and where the key is a person their name would stay here after they are erased.
    """

    def construct_change_message(self, request: HttpRequest, form: forms.Form, formsets: Any, add: bool = False) -> Any:
        if add:
            return "Added: " + "; ".join(
                f"{form[name].label} {_said(form.cleaned_data[name])}"
                for name in form.cleaned_data
                if name != self.opts.pk.name
            )
        return "; ".join(
            f"{form[name].label}: {_said(form.initial.get(name))} → {_said(form.cleaned_data[name])}"
            for name in form.changed_data
        )

    def log_deletions(self, request: HttpRequest, queryset: Iterable[Model]) -> list[LogEntry]:
        shown = set(self.fields or ()) - {self.opts.pk.name}
        kept = [field for field in self.opts.concrete_fields if field.name in shown]
        return LogEntry.objects.bulk_create(
            LogEntry(
                user_id=cast(int, request.user.pk),
                content_type=ContentType.objects.get_for_model(row, for_concrete_model=False),
                object_id=row.pk,
                object_repr=str(row)[:200],
                action_flag=DELETION,
                change_message="Deleted: "
                + "; ".join(f"{capfirst(one.verbose_name)} {_said(getattr(row, one.name))}" for one in kept),
            )
            for row in queryset
        )

    @admin.display(description="Who changed what")
    def changes(self, row: Model) -> str:
        return recent_changes(self.model, row.pk)


def _said(value: object) -> object:
    return "nothing" if value in (None, "") else value


def told(entry: LogEntry) -> str:
    """What somebody changed, in words."""
    if entry.is_change():
        return entry.get_change_message() or "Saved without a change."
    return entry.get_change_message() or str(entry)


def recent_changes(model: type[Model], key: object) -> str:
    """Who changed what of one row in the admin, newest first; also of a row that has been deleted."""
    entries = LogEntry.objects.filter(content_type=ContentType.objects.get_for_model(model), object_id=str(key))
    said = [
        f"{entry.action_time:%Y-%m-%d %H:%M} UTC, {entry.user}: {told(entry)}"
        for entry in entries.select_related("user").order_by("-action_time", "-pk")[:RECENT_CHANGES]
    ]
    return lines(said) if said else "Nobody has changed it yet."


class PlainDeletionMixin:
    """Says how many are deleted and what goes with them, where listing all of it would take a page of millions."""

    goes_with = "everything that belongs to it"

    def get_deleted_objects(
        self, objs: Iterable[Model], request: HttpRequest
    ) -> tuple[list[str], dict[str, int], set[str], list[str]]:
        named = list(objs)
        opts = self.opts  # type: ignore[attr-defined]
        refused = [one for one in named if not self.has_delete_permission(request, one)]  # type: ignore[attr-defined]
        listed = [f"{one}, with {self.goes_with}" for one in named]
        return listed, {str(opts.verbose_name_plural): len(named)}, {str(opts.verbose_name)} if refused else set(), []


def add_input_errors(form: forms.BaseForm, error: InputError) -> None:
    """Put what a `check_…` function refused beside the fields that it speaks of."""
    for name, message in error.errors:
        form.add_error(name if name in form.fields else None, message)


def pretty_json(value: Any) -> SafeString:
    """A JSON value for people to read."""
    return format_html("<pre>{}</pre>", json.dumps(value, indent=2, ensure_ascii=False, sort_keys=True, default=str))


def lines(values: Iterable[str]) -> SafeString:
    """One line each."""
    return format_html_join(SafeString("<br>"), "{}", ((value,) for value in values))
