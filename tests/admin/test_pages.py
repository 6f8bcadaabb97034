"""Every page of the admin, opened by a superuser and by staff without rights, and given nonsense."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.contrib import admin as django_admin
from django.test import Client
from django.urls import reverse

from recsys.accounts.models import User

OURS = ("accounts", "catalog", "events", "experiments", "feeds", "outbox", "partners", "recommend")
REGISTERED = sorted(model._meta.label_lower for model in django_admin.site._registry)
INLINE = re.compile(r"<style|\sstyle=|\son[a-z]+=|<script(?![^>]*\ssrc=)|javascript:", re.IGNORECASE)
DATA = re.compile(r'<script[^>]*type="(application/json|text/plain)".*?</script>', re.DOTALL)

QUERIES = ("?q=heat", "?q=%00", "?q='%22", "?p=99999", "?p=x", "?o=99.-1", "?id__exact=x", "?nonsense=1", "?all=")
ZERO = "00000000-0000-0000-0000-000000000000"
NONSENSE = (
    "",
    "x" * 20_000,
    "-1",
    "9" * 20,
    "a\x00b",
    "[NaN]",
    '"\\u0000"',
    '"\\ud800"',
    "9" * 5000,
    "[" * 3000,
    "1e999",
)

pytestmark = pytest.mark.django_db


def url_of(label: str, page: str, *args: Any) -> str:
    return reverse(f"admin:{label.replace('.', '_')}_{page}", args=args)


def assert_clean(response: Any) -> None:
    """The page came, under the strict policy, and holds nothing that the policy would stop."""
    assert response.status_code == 200, response.status_code
    policy = response.headers["Content-Security-Policy"]
    assert "script-src 'self'" in policy
    assert "unsafe" not in policy
    html = DATA.sub("", response.content.decode())
    assert not INLINE.findall(html), INLINE.search(html)


def test_every_model_of_ours_that_the_admin_shows_has_a_row_in_these_tests(rows):
    assert {label for label in REGISTERED if label.split(".")[0] in OURS} == set(rows)


@pytest.mark.parametrize("label", REGISTERED)
def test_lists_open_for_superusers(admin: Client, rows: dict[str, Any], label: str):
    response = admin.get(url_of(label, "changelist"), follow=True)
    assert_clean(response)


@pytest.mark.parametrize("label", REGISTERED)
def test_lists_are_searched_and_filtered_without_an_error(admin: Client, rows: dict[str, Any], label: str):
    for query in QUERIES:
        assert admin.get(url_of(label, "changelist") + query, follow=True).status_code == 200, query


@pytest.mark.parametrize("label", REGISTERED)
def test_forms_to_add_open_for_superusers_where_rows_may_be_added(admin: Client, rows: dict[str, Any], label: str):
    response = admin.get(url_of(label, "add"))
    model_admin = next(one for model, one in django_admin.site._registry.items() if model._meta.label_lower == label)
    if not model_admin.has_add_permission(response.wsgi_request):
        assert response.status_code == 403
    else:
        assert_clean(response)


@pytest.mark.parametrize("label", [label for label in REGISTERED if label.split(".")[0] in OURS])
class TestRow:
    def test_its_page_opens_for_superusers(self, admin: Client, rows: dict[str, Any], label: str):
        assert_clean(admin.get(url_of(label, "change", rows[label].pk)))

    def test_its_history_opens_for_superusers(self, admin: Client, rows: dict[str, Any], label: str):
        assert_clean(admin.get(url_of(label, "history", rows[label].pk)))

    def test_staff_without_rights_see_nothing_of_it(self, clerk_client: Client, rows: dict[str, Any], label: str):
        pages = [url_of(label, "changelist"), url_of(label, "add")]
        pages += [url_of(label, page, rows[label].pk) for page in ("change", "delete", "history")]
        for page in pages:
            if label == "feeds.fanoutpolicy" and page.endswith("/fanoutpolicy/"):
                continue  # only leads to the form
            assert clerk_client.get(page).status_code == 403, page
            assert clerk_client.post(page, {}).status_code == 403, page

    def test_nobody_else_gets_in(self, client: Client, rows: dict[str, Any], label: str):
        page = url_of(label, "change", rows[label].pk)
        assert client.get(page)["Location"] == f"{reverse('admin:login')}?next={page}"
        client.force_login(User.objects.get(username="ana"))
        assert client.get(page, follow=True).status_code == 403

    @pytest.mark.parametrize("pk", ["0", "x", "9" * 23, "%00", "a%20b", ZERO])
    def test_a_row_that_does_not_exist_leads_back(self, admin: Client, rows: dict[str, Any], label: str, pk: str):
        page = url_of(label, "changelist") + pk + "/change/"
        assert admin.get(page).status_code in (302, 404)

    def test_nonsense_is_answered_with_what_is_wrong(self, admin: Client, rows: dict[str, Any], label: str):
        for page in (url_of(label, "add"), url_of(label, "change", rows[label].pk)):
            form = admin.get(page)
            if form.status_code == 403 or "adminform" not in form.context or not form.context["adminform"].form.fields:
                assert admin.post(page, {"title": "x"}).status_code in (200, 302, 403)
                continue
            names = list(form.context["adminform"].form.fields)
            for value in NONSENSE:
                response = admin.post(page, dict.fromkeys(names, value) | management(form))
                assert response.status_code in (200, 302), (page, value[:20])


def management(form: Any) -> dict[str, str]:
    data: dict[str, Any] = {}
    for formset in form.context.get("inline_admin_formsets", []):
        fields = formset.formset.management_form.initial
        data |= {f"{formset.formset.prefix}-{name}": str(value or 0) for name, value in fields.items()}
    return data


def test_the_front_page_opens_for_all_staff(admin: Client, clerk_client: Client, rows):
    assert_clean(admin.get(reverse("admin:index")))
    assert_clean(clerk_client.get(reverse("admin:index")))


def test_log_in_is_everybodys(client: Client):
    response = client.get(reverse("admin:login"))
    assert response.status_code == 302
    assert response["Location"].startswith(reverse("account_login"))


def test_logged_in_staff_pass_the_log_in_page(admin: Client):
    assert admin.get(reverse("admin:login"))["Location"] == reverse("admin:index")
