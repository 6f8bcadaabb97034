"""The forms of the feed's pages."""

from __future__ import annotations

from typing import Any

from django import forms

from feeds.actions import check_text
from feeds.lists import LONGEST_NAME, check_name
from feeds.models import Post
from recsys.inputs import InputError

LONGEST = Post._meta.get_field("text").max_length or 2000


class PostText(forms.CharField):
    """Text with plain line ends; a browser sends CRLF, which would count twice."""

    def to_python(self, value: Any) -> str | None:
        text = super().to_python(value)
        return text and text.replace("\r\n", "\n").replace("\r", "\n").strip()


class PostForm(forms.Form):
    text = PostText(
        max_length=LONGEST,
        error_messages={
            "required": "Write something first.",
            "max_length": "A post has at most %(limit_value)d characters; this one has %(show_value)d.",
        },
        widget=forms.Textarea(
            attrs={"rows": 3, "placeholder": "What is on your mind?", "data-limit": LONGEST, "maxlength": None}
        ),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # The browser would cut off what is pasted without a word; the counter and the error say it instead.
        self.fields["text"].widget.attrs.pop("maxlength", None)

    def clean_text(self) -> str:
        """What writing a post would refuse, said beside the field."""
        try:
            return check_text(self.cleaned_data["text"])
        except InputError as error:
            raise forms.ValidationError([fault.message for fault in error.errors]) from error


class ListForm(forms.Form):
    """The name of a list; `refuse` takes what making or renaming it found wrong."""

    name = forms.CharField(
        max_length=LONGEST_NAME, label="Name of the list", error_messages={"required": "Give the list a name."}
    )

    def clean_name(self) -> str:
        try:
            return check_name(self.cleaned_data["name"])
        except InputError as error:
            raise forms.ValidationError([fault.message for fault in error.errors]) from error

    def refuse(self, error: InputError) -> None:
        for fault in error.errors:
            self.add_error("name", fault.message)


class PrivacyForm(forms.Form):
    is_private = forms.BooleanField(label="Private account: people must ask before they follow me", required=False)
