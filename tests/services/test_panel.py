"""The operations panel's stream, and the figures that its pages ask for."""

from __future__ import annotations

import pytest
from django.test import Client
from django.urls import reverse

from realtime import scripts, streams
from realtime.subscriptions import Grant, Request, grants
from realtime.valkey import get_client
from recsys.accounts.models import User
from recsys.services.panel import STREAM, panel_position
from recsys.services.tasks import tell_panels
from tests.admin.conftest import allow, clerk, clerk_client

__all__ = ["clerk", "clerk_client"]

pytestmark = pytest.mark.django_db


def test_it_is_for_staff_who_may_log_in():
    staff = User.objects.create(username="staff", is_staff=True)
    suspended = User.objects.create(username="suspended", is_staff=True, is_active=False)
    somebody = User.objects.create(username="somebody")
    asked = [Request(staff.pk), Request(suspended.pk), Request(somebody.pk), Request(None), Request(staff.pk, "x")]
    assert grants("operations", asked) == [Grant([STREAM]), None, None, None, None]


def test_panels_are_told_to_look_again_while_somebody_looks():
    position = panel_position()
    tell_panels()
    assert streams.read([STREAM], position).events == []
    get_client().eval(*scripts.read_arguments([(STREAM, None)], "a socket server"))
    tell_panels()
    assert streams.read([STREAM], position).events == [{"type": "operations", "key": "operations"}]


def test_each_is_given_the_figures_that_they_may_see(clerk_client: Client, clerk: User):
    address = reverse("admin:operations")
    assert clerk_client.get(address).json()["figures"] == []
    allow(clerk, "catalog.view_item")
    (figure,) = clerk_client.get(address).json()["figures"]
    assert figure["name"] == "Items, about"
    assert set(figure) == {"name", "value", "url", "alarm"}


@pytest.mark.parametrize("user", [None, "somebody"])
def test_others_are_sent_to_log_in(client: Client, user: str | None):
    if user:
        client.force_login(User.objects.create(username=user))
    answer = client.get(reverse("admin:operations"))
    assert answer.status_code == 302
    assert answer["Location"].startswith(reverse("admin:login"))
