"""Staff look at the edges of the social graph, and change none of them by hand."""

from __future__ import annotations

import pytest
from django.test import Client

from feeds.models import Block, Follow, FollowRequest, Mute
from recsys.accounts.models import User

pytestmark = pytest.mark.django_db
EDGES = {
    Follow: ("follower", "followee"),
    FollowRequest: ("requester", "target"),
    Block: ("blocker", "blocked"),
    Mute: ("muter", "muted"),
}


@pytest.mark.parametrize("model", EDGES)
def test_edges_are_found_by_either_end_and_only_looked_at(admin: Client, model):
    ana, ben, cy = (User.objects.create(username=name) for name in ("ana", "ben", "cy"))
    one, other = EDGES[model]
    edge = model.objects.create(**{one: ana, other: ben})
    model.objects.create(**{one: ben, other: cy})
    pages = f"/admin/feeds/{model._meta.model_name}/"
    for name, count in (("ana", 1), ("ben", 2), ("an", 0)):
        assert admin.get(pages, {"q": name}).context["cl"].result_count == count
    page = admin.get(f"{pages}{edge.pk}/change/")
    assert "ben" in page.content.decode()
    assert admin.post(f"{pages}{edge.pk}/change/", {one: cy.pk}).status_code == 403
    assert admin.post(f"{pages}add/", {one: cy.pk, other: ana.pk}).status_code == 403
    assert admin.post(f"{pages}{edge.pk}/delete/", {"post": "yes"}).status_code == 403
    assert model.objects.filter(**{one: ana, other: ben}).exists()


def test_staff_see_whether_somebody_shows_when_they_are_online(admin: Client):
    ana = User.objects.create(username="ana")
    page = admin.get(f"/admin/accounts/user/{ana.pk}/change/")
    assert page.context["adminform"].form.initial["shows_presence"] is True


def test_making_an_account_public_lets_in_who_waits(admin: Client, drain_outbox):
    ana, ben = User.objects.create(username="ana", is_private=True), User.objects.create(username="ben")
    FollowRequest.objects.create(requester=ben, target=ana)
    page = admin.get(f"/admin/accounts/user/{ana.pk}/change/")
    form = {name: value for name, value in page.context["adminform"].form.initial.items() if value not in (None, "")}
    assert form.pop("is_private") is True
    fields = {name: value for name, value in form.items() if isinstance(value, str | int) and value is not False}
    response = admin.post(f"/admin/accounts/user/{ana.pk}/change/", fields | {"password": "x"})
    assert response.status_code == 302, response.context["errors"]
    drain_outbox()
    assert Follow.objects.filter(follower=ben, followee=ana).exists()
    assert not FollowRequest.objects.exists()
