"""Forms in which people say who they are."""

from __future__ import annotations

import unicodedata
from typing import Any

from allauth.account.forms import LoginForm as AllauthLoginForm
from allauth.account.forms import SignupForm as AllauthSignupForm
from django import forms
from django.http import HttpRequest
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from recsys.accounts.actions import do_update_profile
from recsys.accounts.models import User
from recsys.accounts.regions import COUNTRIES, normalise_region
from recsys.accounts.usernames import LONGEST, username_fault


class RegionInput(forms.TextInput):
    """A text field that suggests the countries; any code with a subdivision may be typed."""

    def render(self, name: str, value: Any, attrs: dict[str, Any] | None = None, renderer: Any = None) -> SafeString:
        options = format_html_join("", '<option value="{}">{}</option>', COUNTRIES.items())
        field = super().render(name, value, {**(attrs or {}), "list": "regions"}, renderer)
        return format_html('{}<datalist id="regions">{}</datalist>', field, options)


class RegionField(forms.CharField):
    """Accepts a code or a country's name and cleans to the code."""

    widget = RegionInput

    def __init__(self, **kwargs: Any) -> None:
        kwargs.setdefault("help_text", "A country, or a part of one such as US-CA: to show what is popular near you.")
        super().__init__(label="Country or region", required=False, max_length=64, **kwargs)
        self.widget.attrs |= {"autocomplete": "country", "placeholder": "GB, US-CA or Brazil"}

    def clean(self, value: Any) -> str:
        try:
            return normalise_region(super().clean(value))
        except ValueError as error:
            raise forms.ValidationError(str(error)) from None


class PlainTextField(forms.CharField):
    """One line without the invisible characters that could make one name look like another."""

    def to_python(self, value: Any) -> str | None:
        text = super().to_python(value)
        text = text and " ".join(text.split())
        if text and any(unicodedata.category(character) in ("Cc", "Cf", "Cs") for character in text):
            raise forms.ValidationError("Remove the control and other invisible characters.")
        return text


class SignupForm(AllauthSignupForm):
    """Sign-up asks for the region, so that the first page can already show what is popular there."""

    region = RegionField()
    field_order = ["username", "email", "region", "password1", "password2"]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["username"].max_length = LONGEST
        self.fields["username"].widget.attrs |= {"maxlength": LONGEST, "autocapitalize": "none", "spellcheck": "false"}
        self.fields["username"].help_text = "Letters, digits and . - _ between them. It is the address of your profile."

    def clean_username(self) -> str:
        self.cleaned_data["username"] = self.cleaned_data["username"].strip().lower()
        if fault := username_fault(self.cleaned_data["username"]):
            raise forms.ValidationError(fault)
        return str(super().clean_username())

    def custom_signup(self, request: HttpRequest, user: User) -> None:
        do_update_profile(user=user, region=self.cleaned_data["region"])


class LoginForm(AllauthLoginForm):
    """Log-in, with a label that says which name is meant."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["login"].label = "Username or e-mail"
        self.fields["login"].widget.attrs |= {"autocomplete": "username", "autocapitalize": "none"}
        self.fields["remember"].label = "Keep me logged in on this device"


class ProfileForm(forms.Form):
    """What a person says of themselves."""

    display_name = PlainTextField(
        max_length=80, required=False, help_text="Shown with your posts; your username if empty."
    )
    bio = PlainTextField(
        label="About you", max_length=280, required=False, widget=forms.Textarea(attrs={"rows": 3, "data-count": "280"})
    )
    region = RegionField()
