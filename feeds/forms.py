"""The forms of the feed's pages."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, ClassVar

from django import forms
from django.urls import reverse_lazy

from feeds.actions import LONGEST_ADDRESS, LONGEST_ALT, LONGEST_POST, check_words
from feeds.attachments import item_of_number, item_of_page, search_attachable
from feeds.lists import LONGEST_NAME, check_name
from feeds.models import NotificationKind, Post, Visibility
from feeds.selectors import LARGEST_ID
from recsys.accounts.models import User
from recsys.catalog.models import Item
from recsys.inputs import InputError

VISIBILITIES = [
    (Visibility.PUBLIC, "Everybody"),
    (Visibility.FOLLOWERS, "Followers"),
    (Visibility.PRIVATE, "Only me"),
]


class PostText(forms.CharField):
    """Text with plain line ends; a browser sends CRLF, which would count twice."""

    def to_python(self, value: Any) -> str | None:
        text = super().to_python(value)
        return text and text.replace("\r\n", "\n").replace("\r", "\n").strip()


class PostForm(forms.Form):
    """What a post says.

    `attached` is the number of an item, chosen from what `find` found; without scripts, sending the form with words in
    `find` offers the choice.
    """

    text = PostText(
        max_length=LONGEST_POST,
        error_messages={
            "required": "Write something first.",
            "max_length": "A post has at most %(limit_value)d characters; this one has %(show_value)d.",
        },
        widget=forms.Textarea(
            attrs={"rows": 3, "placeholder": "What is on your mind?", "data-limit": LONGEST_POST, "maxlength": None}
        ),
    )
    image_url = forms.CharField(
        label="Address of an image",
        required=False,
        max_length=LONGEST_ADDRESS,
        widget=forms.URLInput(attrs={"placeholder": "https://"}),
    )
    image_alt = forms.CharField(
        label="What it shows",
        required=False,
        max_length=LONGEST_ALT,
        help_text="For those who cannot see it.",
    )
    attached = forms.CharField(required=False, max_length=20, widget=forms.HiddenInput)
    find = forms.CharField(
        label="What it is about",
        required=False,
        max_length=1000,
        widget=forms.TextInput(
            attrs={
                "type": "search",
                "placeholder": "A title, or the address of its page",
                "autocomplete": "off",
                "hx-get": reverse_lazy("attachable"),
                "hx-trigger": "input changed delay:250ms",
                "hx-target": "#choices",
                "hx-sync": "this:replace",
            }
        ),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # The browser would cut off what is pasted without a word; the counter and the error say it instead.
        self.fields["text"].widget.attrs.pop("maxlength", None)
        self.choices: list[Item] = []
        self.chosen: Item | None = self._chosen()

    @classmethod
    def of_post(cls, post: Post, data: Any = None) -> PostForm:
        """The form with what the post says now."""
        initial = {"text": post.text, "image_url": post.image_url, "image_alt": post.image_alt}
        return cls(data, initial=initial | {"attached": str(post.attached_id or "")})

    def _chosen(self) -> Item | None:
        """The item that the form holds, to be shown with it."""
        given = self.data.get("attached") if self.is_bound else self.initial.get("attached")
        return item_of_number(str(given)) if given else None

    @property
    def has_extras(self) -> bool:
        """There is more in it than text, or something wrong there: the page opens that part."""
        names = ("image_url", "image_alt", "find")
        return bool(self.chosen or self.choices or any(self[name].value() or self[name].errors for name in names))

    def clean(self) -> dict[str, Any]:
        """What writing a post would refuse, said beside its field."""
        cleaned = super().clean() or {}
        words = cleaned.get("find", "").strip()
        if words and not self.chosen:
            self._look_for(words)
        cleaned["attached"] = self.chosen
        try:
            self.words = check_words(
                text=cleaned.get("text") or "",
                attached=self.chosen,
                image_url=cleaned.get("image_url") or "",
                image_alt=cleaned.get("image_alt") or "",
            )
        except InputError as error:
            for fault in error.errors:
                name = "find" if fault.field == "attached" else fault.field
                if name not in self.errors:
                    self.add_error(name, fault.message)
        return cleaned

    def _look_for(self, words: str) -> None:
        """Take what the words name, or offer what they may mean."""
        self.chosen = item_of_page(words)
        if self.chosen is None:
            self.choices = search_attachable(words)
            hint = "Choose one of these, or empty the field." if self.choices else "Nothing has this name."
            self.add_error("find", hint)


class NewPostForm(PostForm):
    """The form of a post that is not there yet: also whom it is for, and what it answers."""

    visibility = forms.ChoiceField(label="Who may see it", choices=VISIBILITIES, required=False)
    reply_to = forms.IntegerField(required=False, widget=forms.HiddenInput, min_value=1, max_value=LARGEST_ID)

    @classmethod
    def answering(cls, post: Post) -> NewPostForm:
        """An empty form for a reply, for whom the post is."""
        form = cls(initial={"reply_to": post.pk, "visibility": post.visibility})
        form.fields["text"].widget.attrs["placeholder"] = "Write a reply"
        return form

    def clean_visibility(self) -> str:
        return self.cleaned_data["visibility"] or Visibility.PUBLIC


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
    is_private = forms.BooleanField(
        label="Private account: people must ask before they follow me",
        required=False,
        help_text="Only people whom you let in see the posts of a private account, and whom it follows. Followers whom"
        " you have now stay. When you make it public again, everybody who waits is let in.",
    )
    shows_presence = forms.BooleanField(
        label="Show when I am online",
        required=False,
        help_text="Your followers see when you are online, and when you are writing a reply to a public post. If you"
        " hide it, you do not see it of others either.",
    )

    @classmethod
    def of_user(cls, user: User, data: Any = None) -> PrivacyForm:
        """The form with what the user has chosen."""
        return cls(data, initial={"is_private": user.is_private, "shows_presence": user.shows_presence})


class NotificationsForm(forms.Form):
    """One box for each kind of notification, ticked where it is wanted."""

    LABELS: ClassVar = {
        NotificationKind.FOLLOW: "Somebody follows me",
        NotificationKind.REQUEST: "Somebody asks to follow me (private accounts)",
        NotificationKind.REPLY: "Somebody replies to me",
        NotificationKind.MENTION: "Somebody mentions me",
        NotificationKind.LIKE: "Somebody likes a post of mine",
        NotificationKind.REPOST: "Somebody reposts a post of mine",
    }

    def __init__(self, data: Any = None, *, unwanted: Collection[NotificationKind] = ()) -> None:
        super().__init__(data)
        for kind, label in self.LABELS.items():
            self.fields[kind.value] = forms.BooleanField(label=label, required=False, initial=kind not in unwanted)

    def unwanted(self) -> list[NotificationKind]:
        """The kinds whose boxes are empty."""
        return [kind for kind in self.LABELS if not self.cleaned_data[kind.value]]
