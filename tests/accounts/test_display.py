from __future__ import annotations

import re
from datetime import timedelta

import pytest
from django.utils import timezone

from recsys.accounts.models import User
from recsys.accounts.templatetags import display


@pytest.mark.parametrize(
    ("ago", "text"),
    [
        (timedelta(seconds=-5), "now"),
        (timedelta(seconds=59), "now"),
        (timedelta(seconds=60), "1 m"),
        (timedelta(minutes=59, seconds=59), "59 m"),
        (timedelta(hours=23, minutes=59), "23 h"),
        (timedelta(days=6, hours=23), "6 d"),
    ],
)
def test_ages_are_short(ago, text):
    assert display.age(timezone.now() - ago) == text


def test_old_ages_are_dates():
    assert re.fullmatch(r"\d{1,2} [A-Z][a-z]{2} \d{4}", display.age(timezone.now() - timedelta(days=8)))


@pytest.mark.parametrize(
    ("name", "letters"),
    [("Ana Souza", "AS"), ("Ana", "A"), ("Ana María de Souza", "AS"), ("élodie", "É"), ("(x) y", "Y"), ("!!!", "?")],
)
def test_initials_stand_for_a_name(name, letters):
    assert display.initials(User(username="u", display_name=name)) == letters


def test_colours_are_in_range_and_stay():
    assert {display.hue(User(pk=pk)) for pk in range(40)} == set(range(display.HUES))
    assert display.tint("Drama") == display.tint("Drama") in range(display.HUES)


def test_icons_hold_no_markup_of_others():
    assert "<script>" not in display.icon('"><script>')
